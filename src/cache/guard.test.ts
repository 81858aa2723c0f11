import { type Breaker, type CacheOptions, connect, type Holdfast } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

let server: TestServer
let hf: Holdfast
let made = 0
let stampede: 'process' | 'fleet' = 'process'

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { namespace: testNamespace('guard') })
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

const make = (options: Partial<CacheOptions<string>>, by = hf) =>
  by.cache<string>(`c${++made}`, { ttl: '1m', stampede, ...options })
const own = (): Breaker => hf.breaker(`cache:c${made}`, BREAKER)
const BREAKER = { failures: 2, cooldown: '1h' } as const
const boom = vi.fn(() => Promise.reject<string>(new Error('boom')))
function deferred<T>() {
  let resolve: (value: T) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve
    reject = onReject
  })
  return { promise, resolve, reject }
}
const turnsStale = () => new Promise((resolve) => setTimeout(resolve, 4))

describe.each(['process', 'fleet'] as const)('with one load per %s', (way) => {
  beforeEach(() => {
    stampede = way
  })

  it('refuses loads once they fail, of every loader and verb, until a trial succeeds', async () => {
    const cache = make({ load: boom, loader: { breaker: BREAKER } })
    for (const id of ['a', 'b']) await expect(cache.get(id)).rejects.toThrow('boom')
    boom.mockClear()
    const open = { code: 'BREAKER_OPEN', breaker: `cache:c${made}`, retryable: true }
    await expect(cache.get('a')).rejects.toMatchObject(open)
    await expect(cache.get('a', boom)).rejects.toMatchObject(open)
    await expect(cache.getMany(['a', 'b'])).rejects.toMatchObject(open)
    await expect(cache.getMany(['a', 'b'], () => expect.unreachable())).rejects.toMatchObject(open)
    await expect(cache.refresh('a')).rejects.toMatchObject(open)
    expect(boom).not.toHaveBeenCalled()
    expect(cache.stats).toMatchObject({ loads: 2, loadFailures: 2, loadsRefused: 6 })
    // What is not loaded needs no source.
    await cache.set('a', 'set')
    expect(await cache.get('a')).toBe('set')
    await own().trip(1)
    await vi.waitFor(async () => expect(await own().state()).toBe('half-open'))
    expect(await cache.get('b', () => 'loaded')).toBe('loaded')
    expect(await cache.getMany(['a', 'b', 'c'], () => ['c'])).toEqual(
      new Map(Object.entries({ a: 'set', b: 'loaded', c: 'c' })),
    )
  })

  it('serves what is stale while it is open, also where a fresh value would be waited for', async () => {
    for (const softTimeout of [0, '1h'] as const) {
      const cache = make({ ttl: 1, expiry: { stale: '1h' }, loader: { breaker: BREAKER, softTimeout } })
      await cache.set('a', 'old')
      await own().trip()
      await turnsStale()
      expect(await cache.get('a', () => 'new')).toBe('old')
      expect(await cache.getMany(['a'], () => ['new'])).toEqual(new Map([['a', 'old']]))
      expect(cache.stats.loads).toBe(0)
    }
  })

  it('answers by the fallback where a load failed, took too long or was refused, keeps nothing of that, and says why', async () => {
    const fallback = vi.fn((id: string, error: unknown) => `${id}: ${(error as { code?: string }).code ?? error}`)
    const cache = make({ loader: { breaker: BREAKER, hardTimeout: 20, fallback } })
    expect(await cache.get('a', boom)).toBe('a: Error: boom')
    expect(await cache.peek('a')).toBeUndefined()
    const heedless = deferred<string>()
    expect(await Promise.all(['x', 'x'].map((id) => cache.get(id, () => heedless.promise)))).toEqual([
      'x: LOAD_TIMEOUT',
      'x: LOAD_TIMEOUT',
    ])
    expect(await own().state()).toBe('open')
    expect(await cache.get('a', () => 'new')).toBe('a: BREAKER_OPEN')
    expect(await cache.getMany(['a', 'b'], () => ['new', 'new'])).toEqual(
      new Map([
        ['a', 'a: BREAKER_OPEN'],
        ['b', 'b: BREAKER_OPEN'],
      ]),
    )
    // What comes late is kept all the same.
    heedless.resolve('late')
    await vi.waitFor(async () => expect(await cache.peek('x')).toBe('late'))
    await own().reset()
    expect(await cache.get('a', () => 'new')).toBe('new')
    await expect(cache.refresh('a', boom)).rejects.toThrow('boom')
    expect(await cache.get('a')).toBe('new')
  })

  it('counts what nobody waits for any more as nothing, and a heedless loader keeps its place', async () => {
    const cache = make({ loader: { breaker: { failures: 1, cooldown: '1h' }, concurrency: 1 } })
    const breaker = hf.breaker(`cache:c${made}`, { failures: 1, cooldown: '1h' })
    const heedless = deferred<string>()
    const leaving = new AbortController()
    const begun = deferred<void>()
    const left = cache.get(
      'a',
      () => {
        begun.resolve()
        return heedless.promise
      },
      { signal: leaving.signal },
    )
    await begun.promise
    leaving.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    const load = vi.fn(() => 'b')
    const next = cache.get('b', load)
    await cache.peek('b')
    expect(load).not.toHaveBeenCalled()
    heedless.reject(new Error('too late to matter'))
    expect(await next).toBe('b')
    expect(breaker.stats).toMatchObject({ state: 'closed', succeeded: 1, failed: 0 })
  })

  it('is one for all caches that are given the same, and others refuse what is none', async () => {
    const database = hf.breaker(`database ${stampede}`, BREAKER)
    const [a, b] = [make({ loader: { breaker: database } }), make({ loader: { breaker: database } })]
    await expect(a.get('k', boom)).rejects.toThrow('boom')
    await expect(b.get('k', boom)).rejects.toThrow('boom')
    await expect(a.get('k', () => 'v')).rejects.toMatchObject({ code: 'BREAKER_OPEN', breaker: `database ${stampede}` })
    const wrong = [
      [{ breaker: 5 }, 'loader.breaker: expected options of a breaker, or one of hf.breaker, received 5'],
      [{ breaker: { failures: 0 } }, 'loader.breaker.failures: expected a whole number of 1 to 1000000, received 0'],
      [{ breaker: { slowCalls: { over: '1s', rate: 0 } } }, 'loader.breaker.slowCalls.rate: expected a share above 0'],
      [{ breaker: { failure: 3 } }, 'loader.breaker.failure'],
      [{ fallback: 'none' }, "loader.fallback: expected a function, received 'none'"],
    ] as const
    for (const [loader, message] of wrong) expect(() => make({ loader: loader as never })).toThrow(message)
  })

  it('answers by the fallback who has nothing but a refresh that fails, and without Redis too', async () => {
    const fallback = (id: string) => `${id} instead`
    const cache = make({ loader: { fallback } })
    const slow = deferred<string>()
    const refreshed = cache.refresh('a', () => slow.promise)
    const got = cache.get('a', () => expect.unreachable())
    await cache.peek('a')
    slow.reject(new Error('boom'))
    await expect(refreshed).rejects.toThrow('boom')
    expect(await got).toBe('a instead')
    await using nowhere = await connect('redis://127.0.0.1:1', { lazy: true, timeout: 50 })
    const alone = make({ loader: { breaker: BREAKER } }, nowhere)
    for (const id of ['a', 'b']) await expect(alone.get(id, boom)).rejects.toThrow('boom')
    await expect(alone.get('c', boom)).rejects.toMatchObject({ code: 'BREAKER_OPEN' })
    const kind = make({ loader: { breaker: BREAKER, fallback } }, nowhere)
    expect(await kind.getMany(['a', 'b'], boom as never)).toEqual(
      new Map([
        ['a', 'a instead'],
        ['b', 'b instead'],
      ]),
    )
  })
})
