// Each door, with a real server on loopback: what the framework does to a response is part of what is tested.
import { createServer } from 'node:http'
import { connect as connectSocket } from 'node:net'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import express, { type RequestHandler } from 'express'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { type Cache, connect, type Holdfast } from '../../index.ts'
import { startServer, type TestServer, testNamespace } from '../../testing/index.ts'
import { cacheResponse as expressCache } from '../express.ts'
import { type Ask, DOORS, type Got, get, type Handler, type Opened, type Options, portOf } from './doors.fixture.ts'

let redis: TestServer
let hf: Holdfast
let cache: Cache<unknown>
const open: Opened[] = []

beforeAll(async () => {
  redis = await startServer()
})
beforeEach(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.parse('2030-01-01T00:00:00Z') })
  hf = await connect(redis.url, { namespace: testNamespace('doors') })
  cache = hf.cache('pages', { ttl: '1h' })
})
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(open.splice(0).map((one) => one.close()))
  await hf.close()
})
afterAll(() => redis.stop())

const settled = async () => {
  for (let round = 0; round < 8; round++) {
    await new Promise((resolve) => setImmediate(resolve))
    await cache.peek('')
  }
}

describe.each(Object.keys(DOORS))('the door of %s', (name) => {
  let asked: Ask[]
  const start = async (handler: Handler, options: Options = {}) => {
    asked = []
    const opened = await (DOORS[name] as (typeof DOORS)['express'])(cache, options, (ask) => {
      asked.push(ask)
      return handler(ask)
    })
    open.push(opened)
    return (path: string, headers?: Record<string, string>, method?: string) => get(opened.port, path, headers, method)
  }
  const statusOf = ({ headers }: Got) => headers['cache-status']
  const LASTING = { 'cache-control': 'max-age=60', 'content-type': 'text/plain; charset=utf-8' }

  it('answers the second from the first, whole, with headers of middleware before it', async () => {
    const ask = await start(({ url }) => ({ headers: { ...LASTING, 'x-own': 'a' }, body: `page ${url}` }))
    const first = await ask('/p?a=1')
    await settled()
    const second = await ask('/p?a=1')
    for (const got of [first, second]) {
      expect([got.status, got.text, got.headers['x-own'], got.headers['x-before']]).toEqual([
        200,
        'page /p?a=1',
        'a',
        'yes',
      ])
      expect(got.headers['content-length']).toBe('11')
      expect(got.headers['content-type']).toBe('text/plain; charset=utf-8')
      expect(got.headers.etag).toBe(first.headers.etag)
    }
    expect(first.headers.etag).toBeDefined()
    expect([statusOf(first), statusOf(second)]).toEqual([
      'Holdfast; fwd=miss; fwd-status=200; stored',
      expect.stringMatching(/^Holdfast; hit; ttl=(59|60)$/),
    ])
    expect(asked).toHaveLength(1)
    const head = await ask('/p?a=1', {}, 'HEAD')
    expect([head.status, head.text, head.headers['content-length']]).toEqual([200, '', '11'])
    const known = await ask('/p?a=1', { 'if-none-match': first.headers.etag as string })
    expect([known.status, known.text, asked.length]).toEqual([304, '', 1])
  })

  it('asks the handler for the whole when the first has it already, and answers him 304', async () => {
    const ask = await start(() => ({ headers: { ...LASTING, etag: '"v1"' }, body: 'body' }))
    const known = await ask('/p', { 'if-none-match': '"v1"' })
    expect([known.status, known.text]).toEqual([304, ''])
    expect(asked[0]?.headers['if-none-match']).toBeUndefined()
    await settled()
    expect((await ask('/p')).text).toBe('body')
    expect(asked).toHaveLength(1)
  })

  it('runs the handler once for many, and for each where its answer is for one', async () => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const ask = await start(
      async ({ url }) => {
        await released
        return { headers: url === '/all' ? LASTING : { 'set-cookie': `n=${asked.length}` }, body: 'x' }
      },
      { ttl: '1m' },
    )
    const all = Array.from({ length: 10 }, () => ask('/all'))
    const each = Array.from({ length: 10 }, () => ask('/each'))
    await vi.waitFor(() => expect(asked.map(({ url }) => url).sort()).toEqual(['/all', '/each']))
    release()
    expect((await Promise.all([...all, ...each])).map(({ text }) => text)).toEqual(Array(20).fill('x'))
    expect(asked.filter(({ url }) => url === '/all')).toHaveLength(1)
    expect(asked.filter(({ url }) => url === '/each')).toHaveLength(10)
  })

  it('gives bytes and large streams as they are, and stores what is not too large', async () => {
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256))
    const type = { ...LASTING, 'content-type': 'application/octet-stream' }
    const ask = await start(
      ({ url }) => {
        const body =
          url === '/stream' ? Readable.from(chunksOf(bytes)) : url === '/small' ? bytes.subarray(0, 5_000) : bytes
        return { headers: type, body }
      },
      { maxBytes: 60_000 },
    )
    for (const path of ['/small', '/bytes', '/stream']) {
      for (let i = 0; i < 2; i++) {
        const got = await ask(path)
        expect(got.bytes.equals(path === '/small' ? bytes.subarray(0, 5_000) : bytes)).toBe(true)
        await settled()
      }
      expect(asked.splice(0).length, path).toBe(path === '/small' ? 1 : 2)
    }
  })

  it('serves those who wait, though the client whose request runs the handler has gone', async () => {
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const ask = await start(async () => {
      await released
      return { headers: LASTING, body: `run ${asked.length}` }
    })
    const leaving = connectSocket(portIn(open), '127.0.0.1')
    leaving.write(`GET /p HTTP/1.1\r\nhost: 127.0.0.1:${portIn(open)}\r\n\r\n`)
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    const waiting = [ask('/p'), ask('/p')]
    leaving.destroy()
    await new Promise((resolve) => leaving.once('close', resolve))
    await settled()
    release()
    expect((await Promise.all(waiting)).map(({ text }) => text)).toEqual(['run 1', 'run 1'])
    await settled()
    expect(statusOf(await ask('/p'))).toContain('Holdfast; hit')
    expect(asked).toHaveLength(1)
  })

  it('stores a stream, though its reader is slow or leaves, or serves those who wait themselves', async () => {
    const source = new Readable({ read() {} })
    const ask = await start(({ url }) => ({ headers: LASTING, body: asked.length === 1 ? source : `whole ${url}` }))
    const leaving = connectSocket(portIn(open), '127.0.0.1')
    leaving.write(`GET /p HTTP/1.1\r\nhost: 127.0.0.1:${portIn(open)}\r\n\r\n`)
    source.push('first ')
    await new Promise((resolve) => leaving.once('data', resolve))
    const waiting = ask('/p')
    leaving.destroy()
    await new Promise((resolve) => setImmediate(resolve))
    source.push('second')
    source.push(null)
    expect(['first second', 'whole /p']).toContain((await waiting).text)
  })

  it('stores nothing of a body that is shorter than its length', async () => {
    const source = new Readable({ read() {} })
    const ask = await start(() => ({
      headers: { ...LASTING, 'content-length': '10' },
      body: asked.length === 1 ? source : '0123456789',
    }))
    const cut = ask('/p').catch(() => undefined)
    source.push('01234')
    await vi.waitFor(() => expect(asked).toHaveLength(1))
    await settled()
    source.push(null)
    await cut
    await settled()
    expect((await ask('/p')).text).toBe('0123456789')
  })

  it('makes anew behind what it serves stale, once', async () => {
    let turn = 0
    let release = () => {}
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const ask = await start(
      async () => {
        if (++turn > 1) await released
        return { body: `turn ${turn}` }
      },
      { ttl: '1m', stale: { whileRevalidate: '1h' } },
    )
    await ask('/p')
    await settled()
    vi.setSystemTime(Date.now() + 61_000)
    for (const got of await Promise.all([ask('/p'), ask('/p')])) {
      expect(got.text).toBe('turn 1')
      expect(statusOf(got)).toContain('stale-while-revalidate')
    }
    release()
    while ((await ask('/p')).text !== 'turn 2') await settled()
    expect(turn).toBe(2)
  })

  it('goes on to the handler where the same cache stands twice, under the options of the outer one', async () => {
    let turn = 0
    const ask = await start(() => ({ body: `turn ${++turn}` }), {
      ttl: '1m',
      stale: { whileRevalidate: '1h' },
      twice: true,
    })
    const first = await ask('/p')
    expect([first.text, statusOf(first)]).toEqual(['turn 1', 'Holdfast; fwd=miss; fwd-status=200; stored'])
    await settled()
    expect(statusOf(await ask('/p'))).toMatch(/^Holdfast; hit; ttl=(59|60)$/)
    vi.setSystemTime(Date.now() + 61_000)
    expect((await ask('/p')).text).toBe('turn 1')
    await vi.waitFor(async () => expect((await ask('/p')).text).toBe('turn 2'))
    expect(turn).toBe(2)
  })

  it('gives to the error handler what `tags` throws, and what is wrong with its answer', async () => {
    vi.spyOn(console, 'error').mockImplementation(() => {})
    let wrong: unknown = 'abc'
    const ask = await start(
      ({ url }) => ({ headers: { 'x-own': 'a' }, body: url === '/s' ? Readable.from(['x']) : 'x' }),
      {
        ttl: '1m',
        tags: () => {
          if (wrong instanceof Error) throw wrong
          return wrong as string[]
        },
      },
    )
    for (wrong of ['abc', [5], ['x'.repeat(600)], new Error('no user')])
      for (const path of ['/p', '/s']) {
        const got = await ask(path)
        expect([got.status, got.headers['x-before']]).toEqual([500, 'yes'])
        expect(got.text).not.toBe('x')
      }
    wrong = ['page']
    expect((await ask('/p')).text).toBe('x')
  })

  it('leaves each request what middleware before has set for it, and stores what the handler made of it', async () => {
    const ask = await start(({ url }) => ({ headers: url === '/own' ? { 'x-request': 'own' } : {}, body: 'x' }), {
      ttl: '1m',
      stale: { whileRevalidate: '1h' },
    })
    const first = (await ask('/p')).headers['x-request']
    await settled()
    const hit = await ask('/p')
    expect(statusOf(hit)).toContain('hit')
    expect(Number(hit.headers['x-request'])).toBe(Number(first) + 1)
    vi.setSystemTime(Date.now() + 61_000)
    await ask('/p')
    await vi.waitFor(async () => expect(statusOf(await ask('/p'))).not.toContain('stale'))
    const [one, other] = [await ask('/p'), await ask('/p')]
    expect(Number(other.headers['x-request'])).toBe(Number(one.headers['x-request']) + 1)
    await ask('/own')
    await settled()
    expect((await ask('/own')).headers['x-request']).toBe('own')
  })

  it('asks a handler whether what it has still holds', async () => {
    const ask = await start(({ headers }) =>
      headers['if-none-match'] === '"v1"'
        ? { status: 304, headers: { ...LASTING, etag: '"v1"' } }
        : { headers: { ...LASTING, etag: '"v1"' }, body: 'body' },
    )
    await ask('/p')
    await settled()
    vi.setSystemTime(Date.now() + 61_000)
    const got = await ask('/p')
    expect([got.status, got.text, statusOf(got)]).toEqual([200, 'body', 'Holdfast; fwd=stale; fwd-status=304; stored'])
    expect(asked).toHaveLength(2)
  })

  it('serves what is stale when the handler throws, and its failure where nothing is', async () => {
    let isDown = false
    const ask = await start(() => {
      if (isDown) throw Object.assign(new Error('down'), { expose: false })
      return { headers: { 'cache-control': 'max-age=60, stale-if-error=600' }, body: 'fine' }
    })
    vi.spyOn(console, 'error').mockImplementation(() => {})
    await ask('/p')
    await settled()
    isDown = true
    vi.setSystemTime(Date.now() + 61_000)
    const stale = await ask('/p')
    expect([stale.status, stale.text]).toEqual([200, 'fine'])
    expect(statusOf(stale)).toBe('Holdfast; fwd=stale; fwd-status=500; detail=stale-if-error')
    const failed = await ask('/other')
    expect(failed.status).toBe(500)
    expect(statusOf(failed)).toContain('fwd-status=500')
    isDown = false
    expect((await ask('/other')).text).toBe('fine')
  })

  it('leaves Range, other methods and what is for one alone to the handler; a POST invalidates', async () => {
    const ask = await start(({ method, headers }) => ({
      headers: method === 'GET' && headers.cookie === undefined ? LASTING : {},
      body: `${asked.length}`,
    }))
    expect((await ask('/p', { range: 'bytes=0-1' })).headers['cache-status']).toBe('Holdfast; fwd=bypass; detail=range')
    expect((await ask('/p')).text).toBe('2')
    await settled()
    expect((await ask('/p', { cookie: 'a=1' })).text).toBe('3')
    expect((await ask('/p')).text).toBe('2')
    const posted = await ask('/p', {}, 'POST')
    expect([posted.text, statusOf(posted)]).toEqual(['4', 'Holdfast; fwd=method'])
    expect((await ask('/p')).text).toBe('5')
  })

  it('takes no Host that would spell another URL, and none from a proxy that anybody may play', async () => {
    const ask = await start(({ headers }) => ({
      headers: LASTING,
      body: `host ${headers.host} ${headers['x-forwarded-host']}`,
    }))
    const host = `127.0.0.1:${portIn(open)}`
    await ask('/p', { 'x-forwarded-host': 'evil.test' })
    await settled()
    expect((await ask('/p')).text).toBe(`host ${host} evil.test`)
    for (const odd of [`${host}/p?x=`, `${host}#`, 'a b', 'user@x']) {
      const got = await ask('/', { host: odd })
      // Refused by the framework, or left to the handler.
      if (got.status === 200) expect(statusOf(got)).toMatch(/fwd=bypass; detail=url|fwd=miss/)
      await settled()
    }
    const keys = await redis.command<string[]>('KEYS', '*:cache:*')
    expect(keys.filter((key) => /evil|user@|x=/.test(key))).toEqual([])
  })
})

it('stays out of the way of compression, before it or behind it', async () => {
  const packing: RequestHandler = (req, res, next) => {
    const { end } = res
    // As middleware that compresses does: it takes the end of a response in its own hands.
    res.end = ((chunk?: unknown, encoding?: unknown, done?: unknown) => {
      if (!req.headers['accept-encoding']?.includes('gzip') || res.getHeader('content-encoding') !== undefined)
        return end.call(res, chunk as string, encoding as 'utf8', done as () => void)
      const packed = gzipSync(Buffer.from(chunk as string))
      res.setHeader('content-encoding', 'gzip')
      res.setHeader('content-length', packed.length)
      res.vary('Accept-Encoding')
      return end.call(res, packed, 'utf8', done as () => void)
    }) as typeof res.end
    next()
  }
  for (const isOutside of [true, false]) {
    await cache.clear()
    const app = express()
    let runs = 0
    const pages = expressCache(cache, { ttl: '1m' })
    app.get('/p', ...(isOutside ? [packing, pages] : [pages, packing]), (_, res) => void res.send(`run ${++runs}`))
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const port = portOf(server)
    open.push({ port, close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) })
    for (let i = 0; i < 2; i++) {
      const packed = await get(port, '/p', { 'accept-encoding': 'gzip' })
      expect(packed.headers['content-encoding']).toBe('gzip')
      expect(String(gunzipSync(packed.bytes))).toBe('run 1')
      await settled()
      const plain = await get(port, '/p')
      expect(plain.headers['content-encoding']).toBeUndefined()
      expect(plain.text).toBe(isOutside ? 'run 1' : 'run 2')
      await settled()
    }
    expect(runs).toBe(isOutside ? 1 : 2)
  }
})

const portIn = (opened: readonly Opened[]): number => (opened.at(-1) as Opened).port

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i += 10_000) yield bytes.subarray(i, i + 10_000)
}
