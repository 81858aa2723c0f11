// Limits and sessions behind each door, with a real server on loopback: what the framework makes of a response is part of what is tested.
import { createServer } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { Readable } from 'node:stream'
import express from 'express'
import { type Options as RateLimitOptions, rateLimit } from 'express-rate-limit'
import fastify from 'fastify'
import { Hono } from 'hono'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast, type Limiter, type LimiterOptions, type Sessions } from '../index.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import { type Ask, type Data, DOORS, get, leave, listen, type Opened, type Options, soon } from './doors.fixture.ts'
import { limitRequests as limitExpress } from './express.ts'
import { limitRequests as limitFastify } from './fastify.ts'
import { limitRequests as limitFetch } from './fetch.ts'
import { limitRequests as limitHono } from './hono.ts'
import { expressRateLimitStore } from './index.ts'

let redis: TestServer
let hf: Holdfast
let down: Holdfast
let sessions: Sessions<Data>
let made = 0
const open: Opened[] = []

beforeAll(async () => {
  redis = await startServer()
  hf = await connect(redis.url, { namespace: testNamespace('doors'), timeout: '5s' })
  down = await connect('redis://127.0.0.1:1', { lazy: true, timeout: 50 })
  sessions = hf.sessions<Data>()
})
afterEach(async () => {
  vi.restoreAllMocks()
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(async () => {
  await Promise.all([hf.close(), down.close()])
  await redis.stop()
})

const limiterOf = (rules: LimiterOptions['rules'], at: Holdfast = hf, whenDown: LimiterOptions['whenDown'] = 'throw') =>
  at.limiter(`limit-${made++}`, { rules, whenDown })
/** Once what this process sent before has been answered. */
const settled = async () => {
  for (let round = 0; round < 4; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    await sessions.load('a'.repeat(43))
  }
}

describe.each(Object.keys(DOORS) as (keyof typeof DOORS)[])('the door of %s', (name) => {
  const start = async (
    limiter: Limiter,
    handler: (ask: Ask) => { status?: number; body?: string | Readable } | Promise<{ status?: number; body?: string }>,
    options: Options = {},
  ) => {
    const opened = await DOORS[name](limiter, sessions, options, handler)
    open.push(opened)
    return (path: string, headers?: Record<string, string>, method?: string) => get(opened.port, path, headers, method)
  }

  it('counts by address, tells what is left, and refuses beyond with 429, a problem and when to come back', async () => {
    const limiter = limiterOf([{ limit: 2, per: '1h', algorithm: 'fixed' }])
    let runs = 0
    const ask = await start(limiter, () => ({ body: `run ${++runs}` }))
    const first = await ask('/', { 'x-forwarded-for': '1.1.1.1', forwarded: 'for=1.1.1.1' })
    expect([first.status, first.text]).toEqual([200, 'run 1'])
    expect(first.headers).toMatchObject({ 'ratelimit-policy': '"1h";q=2;w=3600', ratelimit: '"1h";r=1;t=3600' })
    expect(first.headers['retry-after']).toBeUndefined()
    await ask('/', { 'x-forwarded-for': '2.2.2.2' })
    const refused = await ask('/', { 'x-forwarded-for': '3.3.3.3', 'x-real-ip': '3.3.3.3' })
    expect(refused.status).toBe(429)
    // A busy machine may take more than a second for three requests.
    expect(refused.headers.ratelimit).toMatch(/^"1h";r=0;t=3(600|5\d\d)$/)
    expect(refused.headers['retry-after']).toMatch(/^3(600|5\d\d)$/)
    expect(refused.headers['content-type']).toMatch(/^application\/problem\+json/)
    expect(JSON.parse(refused.text)).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      ...{ title: 'Too many requests', status: 429, 'violated-policies': ['1h'] },
    })
    expect(runs).toBe(2)
    expect((await limiter.peek('127.0.0.1')).remaining).toBe(0)
    await limiter.reset('127.0.0.1')
    await limiter.block('127.0.0.1', '1h')
    expect(JSON.parse((await ask('/')).text)).toMatchObject({
      type: expect.stringMatching(/#abnormal-usage-detected$/),
    })
  })

  it('goes by the key, cost and exceptions it is told, and refuses in the words of its user', async () => {
    const limiter = limiterOf([{ limit: 10, per: '1h', name: 'hourly' }])
    const ask = await start(limiter, () => ({}), {
      key: (headers) => `user:${headers['x-user']}`,
      cost: (headers) => Number(headers['x-cost'] ?? 1),
      skip: (headers) => headers['x-user'] === 'monitor',
      ...{ headers: 'draft-6', refuses: true },
    })
    expect((await ask('/', { 'x-user': 'ann', 'x-cost': '7' })).headers['ratelimit-remaining']).toBe('3')
    const refused = await ask('/', { 'x-user': 'ann', 'x-cost': '4' })
    expect([refused.status, refused.text, refused.headers.ratelimit]).toEqual([429, 'no: hourly', undefined])
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(300)
    expect((await ask('/', { 'x-user': 'bob' })).headers['ratelimit-remaining']).toBe('9')
    const skipped = await ask('/', { 'x-user': 'monitor' })
    expect([skipped.status, skipped.headers['ratelimit-remaining']]).toEqual([200, undefined])
    expect((await limiter.peek('user:monitor')).remaining).toBe(10)
    // More than can ever be admitted is a mistake, and no refusal.
    expect((await ask('/', { 'x-user': 'ann', 'x-cost': '11' })).status).toBe(500)
  })

  it('counts failures alone, where success is given back', async () => {
    const limiter = limiterOf([{ limit: 3, per: '1h', algorithm: 'fixed' }])
    const handler = ({ path }: Ask) => {
      if (path === '/throws') throw new Error('a bug')
      return { status: path === '/wrong' ? 401 : 200 }
    }
    const ask = await start(limiter, handler, { refundIf: ({ status }) => status < 400 })
    const left = async () => (await limiter.peek('127.0.0.1')).remaining
    for (let i = 0; i < 5; i++) expect((await ask('/')).status).toBe(200)
    await soon(async () => expect(await left()).toBe(3))
    expect((await ask('/wrong')).status).toBe(401)
    expect((await ask('/throws')).status).toBe(500)
    await settled()
    expect(await left()).toBe(1)
  })

  // Where the server says that a client has gone. Elsewhere the handler answers all the same, and his answer decides.
  it.runIf(name === 'express' || name === 'fastify')(
    'counts a client who leaves before his answer, and does no work for him',
    async () => {
      const limiter = limiterOf([{ limit: 3, per: '1h', algorithm: 'fixed' }])
      let entered = 0
      let release = () => {}
      const hold = async <T>(answer: T): Promise<T> => {
        entered++
        await new Promise<void>((resolve) => (release = resolve))
        return answer
      }
      await start(limiter, () => hold({}), { refundIf: () => true })
      await leave(open.at(-1) as Opened, '/', () => expect(entered).toBe(1))
      release()
      await settled()
      expect((await limiter.peek('127.0.0.1')).remaining).toBe(2)
      let runs = 0
      await start(limiter, () => ({ status: 200 + runs++ }), { key: () => hold('ann') })
      await leave(open.at(-1) as Opened, '/', () => expect(entered).toBe(2))
      release()
      await soon(async () => expect((await limiter.peek('ann')).remaining).toBe(2))
      await settled()
      expect(runs).toBe(0)
    },
  )

  it('holds a permit until the response has ended, however it does', async () => {
    const limiter = limiterOf([{ limit: 1, per: '1h', algorithm: 'concurrency' }])
    let source = new Readable({ read() {} })
    const ask = await start(limiter, ({ path }) => {
      if (path === '/throws') throw new Error('a bug')
      if (path === '/stream') return { body: source }
      return path === '/empty' ? { status: 204 } : { body: 'whole' }
    })
    const isFree = () => soon(async () => expect((await limiter.peek('127.0.0.1')).allowed).toBe(true))
    const begin = async () => {
      source = new Readable({ read() {} })
      const client = connectSocket((open.at(-1) as Opened).port, '127.0.0.1')
      client.on('error', () => {})
      client.write('GET /stream HTTP/1.1\r\nhost: h\r\n\r\n')
      source.push('first')
      let said = ''
      client.on('data', (chunk) => {
        said += chunk
      })
      await soon(() => expect(said).toContain('first'))
      const second = await ask('/')
      expect([second.status, second.headers['ratelimit-policy']]).toEqual([
        429,
        '"concurrency";q=1;qu="concurrent-requests"',
      ])
      return client
    }
    for (const path of ['/', '/empty', '/throws', '/']) {
      await ask(path)
      await isFree()
    }
    await ask('/', {}, 'HEAD')
    await isFree()
    const whole = await begin()
    source.push(null)
    await isFree()
    whole.destroy()
    const leaving = await begin()
    leaving.destroy()
    await isFree()
    source.destroy()
    await begin()
    vi.spyOn(console, 'error').mockImplementation(() => {})
    source.destroy(new Error('torn'))
    await isFree()
  })

  it('does without Redis what the limiter says', async () => {
    const rules = [{ limit: 1, per: '1h' }] as const
    const first = async (whenDown: LimiterOptions['whenDown']) => {
      const ask = await start(limiterOf(rules, down, whenDown), () => ({}))
      return [await ask('/'), await ask('/')] as const
    }
    const [[allowed], [denied], [local, localRefused], [failed]] = await Promise.all([
      ...([first('allow'), first('deny'), first('local'), first('throw')] as const),
    ])
    expect([allowed.status, allowed.headers.ratelimit]).toEqual([200, undefined])
    expect([denied.status, denied.headers['retry-after']]).toEqual([503, '1'])
    expect(JSON.parse(denied.text)).toMatchObject({ type: expect.stringMatching(/#temporary-reduced-capacity$/) })
    expect([local.status, localRefused.status, failed.status]).toEqual([200, 429, 500])
  })

  it('stands before a cache or behind it: each is told what is left to him, and nobody pays for what is made anew behind', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      for (const isInside of [false, true]) {
        const limiter = limiterOf([{ limit: 10, per: '1h', algorithm: 'fixed' }])
        const cache = hf.cache(`pages-${made++}`, { ttl: '1d' })
        let runs = 0
        const options = {
          pages: cache,
          isInside,
          key: (headers: Record<string, string | undefined>) => `${headers['x-user']}`,
        }
        const ask = await start(limiter, () => ({ body: `run ${++runs}` }), options)
        const left = (got: Awaited<ReturnType<typeof ask>>) => [
          got.text,
          `${got.headers.ratelimit}`.replace(/;t=.*/, ''),
        ]
        expect(left(await ask('/', { 'x-user': 'ann' }))).toEqual(['run 1', '"1h";r=9'])
        await settled()
        expect(left(await ask('/', { 'x-user': 'bob' }))).toEqual(['run 1', isInside ? 'undefined' : '"1h";r=9'])
        expect(left(await ask('/', { 'x-user': 'ann' }))).toEqual(['run 1', isInside ? 'undefined' : '"1h";r=8'])
        vi.setSystemTime(Date.now() + 61_000)
        expect((await ask('/', { 'x-user': 'ann' })).text).toBe('run 1')
        await soon(async () => expect((await ask('/', { 'x-user': 'eve' })).text).toBe('run 2'))
        expect((await limiter.peek('ann')).remaining).toBe(isInside ? 9 : 7)
      }
    } finally {
      vi.useRealTimers()
    }
  })

  it('gives a request its session, and the browser its cookie', async () => {
    const handler = async ({ path, session }: Ask) => {
      if (path === '/login') await session.login('ann', { role: 'user' }, { label: name })
      if (path === '/logout') await session.destroy()
      return { body: (await session.load())?.data.role ?? 'nobody' }
    }
    const ask = await start(limiterOf([{ limit: 100, per: '1h' }]), handler)
    const nobody = await ask('/')
    expect([nobody.text, nobody.headers['set-cookie']]).toEqual(['nobody', undefined])
    const login = await ask('/login')
    expect([login.text, login.headers['cache-control']]).toEqual(['user', 'no-store'])
    expect(login.headers.ratelimit).toMatch(/r=98/)
    const [given] = login.headers['set-cookie'] as [string]
    expect(given).toMatch(/^sid=[\w-]{43}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/)
    const cookie = given.split(';')[0] as string
    const back = await ask('/', { cookie })
    expect([back.text, back.headers['set-cookie'], back.headers['cache-control']]).toEqual([
      'user',
      undefined,
      undefined,
    ])
    expect(await sessions.listFor('ann')).toMatchObject([{ label: name }])
    expect((await ask('/logout', { cookie })).headers['set-cookie']?.[0]).toContain('Max-Age=0')
    expect((await ask('/', { cookie })).text).toBe('nobody')
  })
})

it.each([
  ['express', limitExpress],
  ['fastify', limitFastify],
  ['hono', limitHono],
  ['fetch', limitFetch],
] as const)('%s refuses wrong options when it is made', (_, limitRequests) => {
  const limiter = limiterOf([{ limit: 1, per: '1s' }])
  const make = (options: object, to: object = limiter) => limitRequests(to, options as never)
  const wrong: [string, object][] = [
    ['key', { key: 'ip' }],
    ['cost', { cost: -1 }],
    ['headers', { headers: 'draft-99' }],
    ['ipv6Prefix', { ipv6Prefix: 129 }],
    ['ipv6Prefix', { ipv6Prefix: 64, key: () => 'a' }],
    ['refundIf', { refundIf: true }],
    ['refuse', { refuse: 'no' }],
    ['keyGenerator', { keyGenerator: () => 'a' }],
  ]
  for (const [option, options] of wrong)
    expect(() => make(options), JSON.stringify(options)).toThrow(expect.objectContaining({ option }))
  expect(() => make({ key: () => 'a' }, {})).toThrow(expect.objectContaining({ option: 'limiter' }))
})

it('tells of several limits in one list, and nobody without an address shares the limit of nobody', async () => {
  const app = new Hono()
  const key = () => 'a'
  app.use(limitHono(limiterOf([{ limit: 9, per: '1m' }]), { key }))
  app.use('/login', limitHono(limiterOf([{ limit: 5, per: '1h' }]), { key }))
  app.use('/unknown', limitHono(limiterOf([{ limit: 5, per: '1h' }])))
  const seen: unknown[] = []
  app.onError((error, c) => {
    seen.push(error)
    return c.body(null, 500)
  })
  app.get('/login', () => Response.redirect('http://shop.test/', 302))
  const login = await app.request('/login')
  expect([login.status, login.headers.get('ratelimit-policy')]).toEqual([302, '"1h";q=5;w=3600, "1m";q=9;w=60'])
  expect((await app.request('/unknown')).status).toBe(500)
  expect(seen).toEqual([expect.objectContaining({ code: 'CONFIG_INVALID', option: 'key' })])
})

it('believes a proxy that the framework is told to trust, and takes an IPv6 network for one client', async () => {
  const rules = [
    { limit: 5, per: '1h', algorithm: 'fixed' },
    { limit: 1, algorithm: 'concurrency' },
  ] as const
  const limiter = limiterOf(rules)
  const app = express().set('trust proxy', 1).use(limitExpress(limiter))
  open.push(await listen(createServer(app.use((_, res) => void res.end()))))
  const server = fastify({ trustProxy: true })
  await server.register(limitFastify(limiter))
  const headers = { 'x-forwarded-for': '2001:db8:1:2ff::7' }
  const turn = () => limiter.peek('2001:db8:1:200::/56')
  expect((await get((open[0] as Opened).port, '/', headers)).status).toBe(200)
  await soon(async () => expect((await turn()).allowed).toBe(true))
  // A request that no socket carries gives its permit back, too.
  expect((await server.inject({ url: '/', headers })).statusCode).toBe(404)
  await soon(async () => expect((await turn()).allowed).toBe(true))
  expect((await turn()).rules[0]?.remaining).toBe(3)
  await server.close()
})

it('keeps the permit of a response that takes longer than it lasts', async () => {
  const limiter = limiterOf([{ limit: 1, per: '2s', algorithm: 'concurrency' }])
  // Without a server that says when a response is closed, its body does.
  const app = new Hono().use(limitHono(limiter, { key: () => 'ann' }))
  app.get('/', () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })))
  const response = await app.request('/')
  const { resetMs } = await limiter.peek('ann')
  const untilMs = performance.now() + resetMs
  await soon(async () => {
    const { allowed, resetMs: laterMs } = await limiter.peek('ann')
    expect(!allowed && performance.now() + laterMs > untilMs + 100).toBe(true)
  })
  await response.body?.cancel()
  await soon(async () => expect((await limiter.peek('ann')).allowed).toBe(true))
})

describe('the store for express-rate-limit', () => {
  const complaints: unknown[] = []
  const complain = (...words: unknown[]) => complaints.push(words)
  const logger = { error: complain, warn: complain }
  /** An application as it was before, with another store; answers who asks it. */
  const start = async (at: Holdfast, prefix: string, options: Partial<RateLimitOptions> = {}) => {
    const store = expressRateLimitStore(at, { prefix })
    const app = express()
    app.use(rateLimit({ ...{ windowMs: 3_600_000, limit: 2, standardHeaders: 'draft-7', store, logger }, ...options }))
    app.get('/wrong', (_, res) => void res.status(401).end())
    app.get('/', (_, res) => void res.end())
    const opened = await listen(createServer(app))
    open.push(opened)
    const ask = async (path = '/') => {
      const { status, headers } = await get(opened.port, path)
      return `${status} ${/remaining=(\d+)/.exec(`${headers.ratelimit}`)?.[1]}`
    }
    return Object.assign(ask, { store })
  }

  it('counts for all processes, by prefix, and forgets one client or all', async () => {
    const [one, two, other] = [await start(hf, 'erl'), await start(hf, 'erl'), await start(hf, 'other')]
    expect([await one(), await two(), await one(), await other()]).toEqual(['200 1', '200 0', '429 0', '200 1'])
    const info = await two.store.get('127.0.0.1')
    expect(info?.totalHits).toBe(3)
    expect(Math.abs((info?.resetTime?.getTime() ?? 0) - Date.now() - 3_600_000)).toBeLessThan(60_000)
    expect(await two.store.get('127.0.0.9')).toBeUndefined()
    await one.store.resetKey('127.0.0.1')
    expect([await two(), await one(), await one()]).toEqual(['200 1', '200 0', '429 0'])
    await two.store.resetAll()
    expect([await one(), await other()]).toEqual(['200 1', '200 0'])
    expect(complaints).toEqual([])
  })

  it('gives back what is not to count', async () => {
    const ask = await start(hf, 'log-in', { skipSuccessfulRequests: true })
    for (let i = 0; i < 4; i++) expect(await ask()).toMatch(/^200/)
    await soon(async () => expect(await ask.store.get('127.0.0.1')).toBeUndefined())
    expect([await ask('/wrong'), await ask('/wrong'), await ask('/wrong')]).toEqual(['401 1', '401 0', '429 0'])
    expect(complaints).toEqual([])
  })

  it('lets express-rate-limit decide without Redis, at once', async () => {
    expect(await (await start(down, 'open', { passOnStoreError: true }))()).toBe('200 undefined')
    vi.spyOn(console, 'error').mockImplementation(() => {})
    expect(await (await start(down, 'closed'))()).toBe('500 undefined')
    expect(() => expressRateLimitStore({} as never)).toThrow(expect.objectContaining({ option: 'hf' }))
    await expect(expressRateLimitStore(hf).increment('a')).rejects.toMatchObject({ option: 'store' })
  })
})
