// What goes wrong: bodies cut short, handlers that fail or never end, and the user's own functions that do.
import { createServer } from 'node:http'
import { connect as connectSocket } from 'node:net'
import express, {
  type Express,
  type Request as ExpressRequest,
  type Response as ExpressResponse,
  type RequestHandler,
} from 'express'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type CacheResponseOptions, cacheResponse as expressCache } from '../express.ts'
import { cacheResponse } from '../fetch.ts'
import { get, portOf } from './doors.fixture.ts'
import { Site, statusOf } from './site.fixture.ts'

const site = new Site()
const PASS: RequestHandler = (_, __, next) => next()
const OPTIONS = { ttl: '1m' } as const

it.each([
  ['at once', 'cut', () => '12345'],
  ['in parts', 'streams', () => new ReadableStream({ pull: sendAndEnd })],
])('stores nothing of a body that ends %s before the length it was promised', async (_, detail, body) => {
  const ask = site.open(
    () => new Response(body() as string, { headers: { 'content-length': '10', 'cache-control': 'max-age=60' } }),
  )
  for (let i = 0; i < 2; i++) {
    const response = await ask('/p')
    expect([await response.text(), response.headers.get('content-length')]).toEqual(['12345', '10'])
    expect(statusOf(response)).toBe(`Holdfast; fwd=miss; fwd-status=200; detail=${detail}`)
    await site.settled()
  }
  expect(await site.cache.peek('http://shop.test/p')).toBeUndefined()
})

it('goes on to the handler where it is wrapped twice in the same cache', async () => {
  const inner = cacheResponse(site.cache, { ttl: '1h' })
  const ask = site.open(
    inner(() => new Response('x')),
    { ttl: '1m' },
  )
  expect(statusOf(await ask('/p'))).toBe('Holdfast; fwd=miss; fwd-status=200; stored')
})

describe('a failing handler', () => {
  it.each<[string, number, Record<string, string>, number]>([
    ['503 is shared', 503, {}, 1],
    ['503 for one alone is not', 503, { 'set-cookie': 'a=1' }, 10],
    ['503 that differs by a header is not', 503, { vary: 'accept-language' }, 10],
    ['429, which one client has earned, is not', 429, {}, 10],
  ])('of many at once: a %s, and the next who come together run it once', async (_, status, headers, runs) => {
    let isDown = true
    const opened = gate()
    const ask = site.open(async () => {
      await opened.wait
      return isDown ? new Response('down', { status, headers }) : new Response('up')
    }, OPTIONS)
    const all = Array.from({ length: 10 }, () => ask('/p'))
    await vi.waitFor(() => expect(site.asked.length).toBeGreaterThan(0))
    opened.open()
    for (const response of await Promise.all(all))
      expect([response.status, await response.text()]).toEqual([status, 'down'])
    expect(site.asked.splice(0)).toHaveLength(runs)
    isDown = false
    const next = await Promise.all(Array.from({ length: 10 }, () => ask('/p')))
    expect(await Promise.all(next.map((response) => response.text()))).toEqual(Array(10).fill('up'))
    expect(site.asked).toHaveLength(1)
  })

  it('gives its failure to nobody who sends credentials', async () => {
    const opened = gate()
    const ask = site.open(async () => {
      await opened.wait
      return new Response(`down ${site.asked.length}`, { status: 500 })
    }, OPTIONS)
    const all = [ask('/p'), ask('/p', { authorization: 'a' }), ask('/p', { authorization: 'b' })]
    await vi.waitFor(() => expect(site.asked.length).toBeGreaterThan(0))
    opened.open()
    await Promise.all(all)
    expect(site.asked.map(({ headers }) => headers.get('authorization')).sort()).toEqual(['a', 'b', null])
  })

  it.each([503, 429, 401])(
    'of status %i for one who will not have what is stored takes it from nobody else',
    async (status) => {
      let isDown = false
      const ask = site.open(
        () =>
          isDown
            ? new Response('down', { status })
            : new Response('good', { headers: { 'cache-control': 'max-age=60' } }),
        OPTIONS,
      )
      await ask('/p')
      await site.settled()
      isDown = true
      expect((await ask('/p', { 'cache-control': 'no-cache' })).status).toBe(status)
      await site.settled()
      expect(statusOf(await ask('/p'))).toMatch(/^Holdfast; hit; ttl=(59|60)$/)
    },
  )

  it.each([503, 'a throw'])(
    'leaves what may be served stale to all, after %s of one who will not have it',
    async (how) => {
      let isDown = false
      const ask = site.open(() => {
        if (isDown && how === 503) return new Response('down', { status: 503 })
        if (isDown) throw new Error('down')
        return new Response('good', { headers: { 'cache-control': 'max-age=1, stale-if-error=600' } })
      }, OPTIONS)
      await ask('/p')
      await site.settled()
      isDown = true
      site.pass(2_000)
      await ask('/p', { 'cache-control': 'no-cache' }).catch(() => {})
      await site.settled()
      const stale = await ask('/p')
      expect([stale.status, await stale.text()]).toEqual([200, 'good'])
      // And where nobody waits for anybody, after an answer for one alone.
      const own = site.open(() => new Response('own', { headers: { 'cache-control': 'private' } }), OPTIONS)
      await own('/q')
      await site.settled()
      await site.cache.set('http://shop.test/q', await site.cache.peek('http://shop.test/p'))
      const spared = await ask('/q')
      expect([spared.status, await spared.text()]).toEqual([200, 'good'])
    },
  )
})

describe('a run that never ends', () => {
  const never = new Promise<Response>(() => {})

  it('is waited for so long by the others, who then run the handler themselves', async () => {
    const ask = site.open(() => (site.asked.length === 1 ? never : new Response('x')), { ...OPTIONS, maxWait: 200 })
    void ask('/p')
    await vi.waitFor(() => expect(site.asked).toHaveLength(1))
    for (const response of await Promise.all([ask('/p'), ask('/p')]))
      expect(statusOf(response)).toBe('Holdfast; fwd=miss; fwd-status=200; detail=others-slow')
    // Who comes later does not wait at all, until it is given up.
    await vi.waitFor(async () => expect(statusOf(await ask('/p'))).toMatch(/stored|hit/), { timeout: 5_000 })
  })

  it('behind what is served stale keeps nobody from a fresh answer', async () => {
    const ask = site.open(
      () =>
        site.asked.length === 2
          ? never
          : new Response(`run ${site.asked.length}`, {
              headers: { 'cache-control': 'max-age=1, stale-while-revalidate=2' },
            }),
      { maxWait: 100 },
    )
    await ask('/p')
    await site.settled()
    site.pass(1_500)
    expect(await (await ask('/p')).text()).toBe('run 1')
    await vi.waitFor(() => expect(site.asked).toHaveLength(2))
    site.pass(2_000)
    expect(await (await ask('/p')).text()).toBe('run 3')
    await vi.waitFor(async () => expect(statusOf(await ask('/p'))).toMatch(/stored|hit/), { timeout: 5_000 })
  })

  it('answers its own client however late, and is not stored then', async () => {
    const opened = gate()
    const ask = site.open(
      async () => {
        await opened.wait
        return new Response('late')
      },
      { ...OPTIONS, maxWait: 20 },
    )
    const late = ask('/p')
    await vi.waitFor(async () => expect(site.cache.stats.loadFailures).toBe(1))
    opened.open()
    expect(statusOf(await late)).toBe('Holdfast; fwd=miss; fwd-status=200; detail=too-slow')
    expect(await site.cache.peek('http://shop.test/p')).toBeUndefined()
  })
})

it('keeps nothing for longer than the ttl of the cache beneath', async () => {
  const ask = site.open(() => new Response('x', { headers: { 'cache-control': 'max-age=31536000' } }))
  await ask('/p')
  await site.settled()
  const { stored } = await site.cache.explain('http://shop.test/p')
  expect(stored?.leftMs).toBeLessThanOrEqual(3_600_000)
})

describe('a purge', () => {
  it.each<[string | URL]>([
    ['HTTP://Shop.Test/p?b=1&a=2&x=y'],
    ['http://shop.test/p?a=2&b=1#top'],
    [new URL('http://shop.test/p?b=1&a=2')],
    ['/p?b=1&a=2'],
  ])('of %s removes what the same URL has stored', async (url) => {
    const ask = site.open(() => new Response('x'), { ...OPTIONS, query: ['a', 'b'] })
    await ask('/p?a=2&b=1')
    await site.settled()
    expect(statusOf(await ask('/p?b=1&a=2#part'))).toContain('hit')
    await ask.purge(url)
    expect(statusOf(await ask('/p?a=2&b=1'))).toContain('stored')
  })

  it.each([[''], ['foo'], ['shop.test/p'], ['ftp://shop.test/'], ['/a b'], [undefined], [5]])(
    'refuses %j',
    async (url) => {
      const purged = site.open(() => new Response('x')).purge(url as string)
      await expect(purged).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'url' })
    },
  )

  it('of an origin is of its root', async () => {
    const ask = site.open(() => new Response('x'), OPTIONS)
    await ask('/')
    await site.settled()
    await ask.purge('http://shop.test')
    expect(statusOf(await ask('/'))).toContain('stored')
  })
})

it.each([
  // @ts-expect-error: told when it is compiled, too
  ['cache', () => cacheResponse({})],
  ['cache', () => cacheResponse(site.hf.cache('loads', { ttl: '1h', load: async () => 1 }) as never)],
  ['cache', () => cacheResponse(site.hf.cache('stale', { ttl: '1h', expiry: { stale: '1m' } }))],
  ['options', () => cacheResponse(site.cache, null as never)],
  ['handler', () => cacheResponse(site.cache)(5 as never)],
  ['ttl', () => cacheResponse(site.cache, { ttl: 'soon' as never })],
  ['ttl', () => cacheResponse(site.cache, { stale: { ifError: '1m' } })],
  ['tttl', () => cacheResponse(site.cache, { tttl: 1 } as never)],
  ['stale.error', () => cacheResponse(site.cache, { ttl: 1, stale: { error: 1 } as never })],
  ['vary[0]', () => cacheResponse(site.cache, { vary: ['a b'] })],
  ['cookies', () => cacheResponse(site.cache, { cookies: 'sid' as never })],
  ['key', () => cacheResponse(site.cache, { key: 'user' as never })],
  ['maxBytes', () => cacheResponse(site.cache, { maxBytes: 0 })],
  ['maxVariants', () => cacheResponse(site.cache, { maxVariants: 1.5 })],
  ['unsafe', () => cacheResponse(site.cache, { unsafe: 'yes' as never })],
  ['cacheStatus', () => cacheResponse(site.cache, { cacheStatus: 'my cache' })],
])('refuses a wrong %s by name', (option, make) => {
  expect(make).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
})

describe('a handler of Express', () => {
  const serveApp = async (
    work: RequestHandler,
    options?: CacheResponseOptions<ExpressRequest>,
    more?: (app: Express) => void,
  ) => {
    const app = express()
    more?.(app)
    app.get('/p', expressCache(site.cache, { ttl: '1m', ...options }), work)
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = portOf(server)
    onTestFinished(() => new Promise((resolve) => void server.close(() => resolve()).closeAllConnections()))
    return port
  }

  it('that writes by itself is stored, though its client leaves after a part of it', async () => {
    const responses: ExpressResponse[] = []
    const port = await serveApp((_, res) => void responses.push(res))
    const leaving = connectSocket(port, '127.0.0.1')
    leaving.write(`GET /p HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
    await vi.waitFor(() => expect(responses).toHaveLength(1))
    const [res] = responses as [ExpressResponse]
    res.write('first ')
    await new Promise((resolve) => leaving.once('data', resolve))
    const waiting = get(port, '/p')
    leaving.destroy()
    await new Promise((resolve) => res.once('close', resolve))
    res.write('second ')
    await site.settled()
    res.end('third')
    expect((await waiting).text).toBe('first second third')
    await site.settled()
    expect((await get(port, '/p')).headers['cache-status']).toContain('Holdfast; hit')
    expect(responses).toHaveLength(1)
  })

  it('that sends trailers is left alone', async () => {
    const port = await serveApp((_, res) => {
      res.set('trailer', 'x-t').write('b')
      res.addTrailers({ 'x-t': '1' })
      res.end()
    })
    for (const detail of ['trailer', 'unshared']) {
      const got = await get(port, '/p')
      expect([got.text, got.headers['cache-status']]).toEqual(['b', expect.stringContaining(`detail=${detail}`)])
      expect(got.trailers).toEqual({ 'x-t': '1' })
      await site.settled()
    }
  })

  it('is told the address of the client who found it stale, though he has gone', async () => {
    const addresses: unknown[] = []
    let leaves = false
    const port = await serveApp(
      (req, res) => {
        addresses.push(req.ip)
        res.send('x')
      },
      {
        stale: { whileRevalidate: '1h' },
        key: async (req) => {
          if (leaves) await new Promise((resolve) => req.socket.once('close', resolve))
          return 'all'
        },
      },
    )
    await get(port, '/p')
    await site.settled()
    site.pass(61_000)
    leaves = true
    const leaving = connectSocket(port, '127.0.0.1')
    leaving.end(`GET /p HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n\r\n`)
    await vi.waitFor(() => expect(addresses).toHaveLength(2))
    expect(addresses[1]).toBe(addresses[0])
  })

  it('knows the parameters of its path', async () => {
    const port = await serveApp(PASS, undefined, (app) =>
      app.get('/of/:id', expressCache(site.cache), (req, res) => void res.send(req.params.id.toUpperCase())),
    )
    expect((await get(port, '/of/a')).text).toBe('A')
  })

  it('that breaks its response off keeps nobody waiting', async () => {
    let runs = 0
    const port = await serveApp((_, res) => void (++runs === 1 ? res.destroy() : res.send('x')))
    await expect(get(port, '/p')).rejects.toThrow('socket hang up')
    const begun = performance.now()
    expect((await get(port, '/p')).text).toBe('x')
    // It would be given up after 5 s.
    expect(performance.now() - begun).toBeLessThan(4_000)
  })
})

function gate() {
  let open = () => {}
  const wait = new Promise<void>((resolve) => {
    open = resolve
  })
  return { wait, open: () => open() }
}

async function sendAndEnd(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  controller.enqueue(Buffer.from('12345'))
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
  controller.close()
}
