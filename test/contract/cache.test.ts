import type { CacheOptions, Holdfast } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { deferred, gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const NAMES = ['it', 'one', 'many', 'orders', 'products', 'stale process', 'stale fleet', 'n', 'fleet']
const place = new Place({ caches: NAMES })
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

const make = <T = unknown>(options: Partial<CacheOptions<T>> = {}) =>
  hf.cache<T>('it', { ttl: '1m', ...options } as CacheOptions<T>)
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`

describe('get', () => {
  it('loads once for all who ask while it loads, and answers from Redis after', async () => {
    const load = vi.fn(async (id: string) => `loaded ${id}`)
    const cache = make({ load })
    expect(new Set(await Promise.all(Array.from({ length: 100 }, () => cache.get('k'))))).toEqual(new Set(['loaded k']))
    expect(await cache.get('k')).toBe('loaded k')
    expect(load).toHaveBeenCalledOnce()
    expect(load).toHaveBeenCalledWith('k', { signal: expect.any(AbortSignal) })
    expect(cache.stats).toMatchObject({ loads: 1, hits: { redis: 1 } })
  })

  it('answers undefined where there is neither a value nor a loader', async () => {
    expect(await make().get('k')).toBeUndefined()
  })

  it("stops waiting when its caller's signal fires; the others get the value", async () => {
    const cache = make()
    const slow = gate<string>()
    const leaving = new AbortController()
    const left = cache.get('k', slow.load, { signal: leaving.signal })
    const stays = cache.get('k', slow.load)
    await slow.began
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    slow.answer('v')
    expect(await stays).toBe('v')
    expect(await cache.peek('k')).toBe('v')
  })

  it('begins nothing for a caller whose signal has fired', async () => {
    const load = vi.fn(() => 1)
    await expect(make().get('k', load, { signal: AbortSignal.abort('over') })).rejects.toBe('over')
    expect(make().stats.misses).toBe(0)
    expect(await make().peek('k')).toBeUndefined()
    expect(load).not.toHaveBeenCalled()
  })

  it.each([
    ['id', () => make().get(7 as never)],
    ['id', () => make().get('x'.repeat(5_000))],
    ['ttl', () => make().get('k', () => 1, { ttl: 'soon' as never })],
    ['tags', () => make().get('k', () => 1, { tags: 'one' as never })],
    ['tags[1]', () => make().get('k', () => 1, { tags: ['fine', 5 as never] })],
    ['tags', () => make({ tags: () => undefined as never }).get('k', () => 1)],
    ['tags[0]', () => make({ tags: () => [5 as never] }).get('k', () => 1)],
  ])('rejects with a ConfigError that names %s', async (option, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  })

  it('rejects for all with the place of what cannot be stored', async () => {
    const cache = make()
    const got = Promise.all([cache.get('k', () => ({ run: () => 1 })), cache.get('k')])
    await expect(got).rejects.toMatchObject({ code: 'VALUE_UNWRITABLE', path: '$.run' })
    expect(await cache.peek('k')).toBeUndefined()
  })
})

describe('getMany', () => {
  it('answers a Map of every id, each once, in the order asked', async () => {
    const cache = make()
    await cache.set('b', 'B')
    const load = vi.fn((ids: readonly string[]) => ids.map((id) => id.toUpperCase()))
    const found = await cache.getMany(['c', 'b', 'a', 'c', 'b'], load)
    expect([...found]).toEqual([
      ['c', 'C'],
      ['b', 'B'],
      ['a', 'A'],
    ])
    expect(load).toHaveBeenCalledOnce()
    expect(load.mock.calls[0]?.[0]).toEqual(['c', 'a'])
    expect(await cache.peek('a')).toBe('A')
  })

  it('answers an empty Map for no ids, and asks nobody', async () => {
    const load = vi.fn(() => [])
    expect((await make().getMany([], load)).size).toBe(0)
    expect(load).not.toHaveBeenCalled()
  })

  it('takes a Map from the loader; what is not in it is undefined and not cached', async () => {
    const cache = make()
    const found = await cache.getMany(['a', 'b'], () => new Map([['b', null]]))
    expect([...found]).toEqual([
      ['a', undefined],
      ['b', null],
    ])
    expect(await place.keys(`*${place.namespace}:cache:*`)).toEqual([entryKey('b')])
  })

  it.each([
    ['an array of the wrong length', () => [1]],
    ['no array', () => 5 as never],
    ['nothing', () => undefined as never],
  ])('refuses %s from the loader', async (_, load) => {
    await expect(make().getMany(['a', 'b'], load)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'loadMany' })
    expect(await make().get('a', () => 'well')).toBe('well')
  })

  it('uses load for each where there is no loadMany, and loadMany where there is no load', async () => {
    const one = hf.cache<string>('one', { ttl: '1m', load: (id) => `one ${id}` })
    expect([...(await one.getMany(['a', 'b'])).values()]).toEqual(['one a', 'one b'])
    const many = hf.cache<string>('many', { ttl: '1m', loadMany: (ids) => ids.map((id) => `many ${id}`) })
    expect(await many.get('a')).toBe('many a')
  })

  it('shares loads with get, either way', async () => {
    const cache = make<string>()
    const slow = gate<string>()
    const got = cache.get('a', slow.load)
    await slow.began
    const many = cache.getMany(['a', 'b'], (ids) => ids.map((id) => `many ${id}`))
    // It has looked, on every server.
    await vi.waitFor(() => expect(cache.stats.misses).toBe(3))
    slow.answer('one')
    expect(await got).toBe('one')
    expect([...(await many).values()]).toEqual(['one', 'many b'])
    const slowMany = gate<string[]>()
    const both = cache.getMany(['c', 'd'], slowMany.load)
    await slowMany.began
    const boarding = cache.get('c', () => 'never')
    slowMany.answer(['C', 'D'])
    expect(await boarding).toBe('C')
    expect((await both).size).toBe(2)
  })

  it('gives every caller the very error of a failing loader, and tries again', async () => {
    const cache = make()
    const error = new Error('no')
    const failing = gate<never[]>()
    const many = cache.getMany(['a', 'b'], failing.load)
    await failing.began
    const all = Promise.allSettled([many, cache.get('a', () => 'never'), cache.get('b', () => 'never')])
    failing.fail(error)
    const calls = await all
    expect(calls.map((call) => (call as PromiseRejectedResult).reason)).toEqual([error, error, error])
    expect((await cache.getMany(['a', 'b'], () => [1, 2])).get('b')).toBe(2)
  })

  it('reads and loads more ids than one script takes', async () => {
    const cache = make<number>()
    const ids = Array.from({ length: 1_000 }, (_, i) => `k${i}`)
    await cache.getMany(ids, (missing) => missing.map(Number.parseInt as never))
    const load = vi.fn()
    expect((await cache.getMany(ids, load)).size).toBe(1_000)
    expect(load).not.toHaveBeenCalled()
    expect(await place.keys(`{${place.namespace}:cache:it:*`)).toHaveLength(1_000)
  })
})

describe('the bound on loads', () => {
  it('is kept, and nested loads do not wait for their own parent', async () => {
    const cache = make<number>({ loader: { concurrency: 3 } })
    let running = 0
    let most = 0
    await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        cache.get(`k${i}`, async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setTimeout(resolve, 2))
          running--
          return i
        }),
      ),
    )
    expect(most).toBe(3)
    const nested = await Promise.all(
      Array.from({ length: 5 }, (_, i) => cache.get(`n${i}`, async () => 1 + (await cache.get(`inner${i}`, () => i)))),
    )
    expect(nested).toEqual([1, 2, 3, 4, 5])
  })

  it('does not hold a load for which one at work waits, in this cache or by way of another', {
    timeout: 5_000,
  }, async () => {
    const load = (id: string) => ({ queued: 1, 'also queued': 2, p: 3 })[id] as number
    const orders = hf.cache<number>('orders', { ttl: '1m', load, loader: { concurrency: 1 } })
    const products = hf.cache<number>('products', { ttl: '1m', load, loader: { concurrency: 1 } })
    const [go, first, second] = [deferred(), deferred(), deferred()]
    const outer = orders.get('outer', async () => {
      first.resolve()
      await go.promise
      return (await orders.get('queued')) + (await products.get('p'))
    })
    const other = products.get('holds', async () => {
      second.resolve()
      await go.promise
      return orders.get('also queued')
    })
    await Promise.all([first.promise, second.promise])
    const queued = [orders.get('queued'), orders.get('also queued'), products.get('p')]
    // All of them have their leases and wait for their turn.
    await vi.waitFor(async () => expect(await place.keys(`lease:*${place.namespace}*`)).toHaveLength(5))
    await new Promise(setImmediate)
    go.resolve()
    expect(await Promise.all([outer, other, ...queued])).toEqual([4, 2, 1, 2, 3])
  })
})

describe('expiry', () => {
  it('serves a stale value at once while one load refreshes it behind, and when that fails', async () => {
    for (const stampede of ['process', 'fleet'] as const) {
      const cache = hf.cache<string>(`stale ${stampede}`, { ttl: 1, expiry: { stale: '1m' }, stampede })
      await cache.set('k', 'old')
      await new Promise((resolve) => setTimeout(resolve, 5))
      const fail = vi.fn(async () => {
        throw new Error('no')
      })
      expect(await cache.get('k', fail)).toBe('old')
      await vi.waitFor(() => expect(cache.stats.loadFailures).toBe(1))
      expect((await cache.getMany(['k'], fail as never)).get('k')).toBe('old')
      await vi.waitFor(() => expect(cache.stats.loadFailures).toBe(2))
      const slow = gate<string>()
      expect(await Promise.all(Array.from({ length: 20 }, () => cache.get('k', slow.load)))).toEqual(
        Array(20).fill('old'),
      )
      await slow.began
      expect(await cache.get('k', slow.load)).toBe('old')
      slow.answer('new')
      await vi.waitFor(async () => expect(await cache.peek('k')).toBe('new'))
      expect(slow.calls).toBe(1)
      await cache.delete('k')
      expect(await cache.peek('k')).toBeUndefined()
    }
  })

  it('cuts each life by up to the share that jitter says', async () => {
    const cache = make({ ttl: '100s', expiry: { jitter: 0.2 } })
    const lives: number[] = []
    for (let i = 0; i < 100; i++) {
      await cache.set(`k${i}`, i)
      lives.push(await place.command<number>('PTTL', entryKey(`k${i}`)))
    }
    expect(Math.min(...lives)).toBeGreaterThan(79_000)
    expect(Math.max(...lives)).toBeLessThanOrEqual(100_000)
    expect(Math.max(...lives) - Math.min(...lives)).toBeGreaterThan(10_000)
  })
})

describe('set with write: through', () => {
  it('persists first, trying again, and then caches', async () => {
    const persist = vi.fn<(id: string, value: string) => Promise<void>>()
    persist.mockRejectedValueOnce(new Error('once')).mockRejectedValueOnce(new Error('twice')).mockResolvedValue()
    const cache = make<string>({ write: { mode: 'through', persist, retry: { attempts: 3, base: 1 } } })
    await cache.set('k', 'v')
    expect(persist.mock.calls).toEqual([
      ['k', 'v'],
      ['k', 'v'],
      ['k', 'v'],
    ])
    expect(await cache.peek('k')).toBe('v')
  })

  it('caches nothing when persisting fails, and passes its error on', async () => {
    const error = new Error('no')
    const persist = vi.fn(() => Promise.reject(error))
    const cache = make<string>({ write: { mode: 'through', persist, retry: { attempts: 2, base: 1 } } })
    await expect(cache.set('k', 'v')).rejects.toBe(error)
    expect(persist).toHaveBeenCalledTimes(2)
    expect(await cache.peek('k')).toBeUndefined()
    expect(await place.keys(`*${place.namespace}:cache:*`)).toEqual([])
  })

  it.each(['before', 'after'] as const)(
    'keeps no value that the database has not last, of two writes that overlap: the slow one is written %s the other',
    async (order) => {
      const database = new Map<string, string>()
      const [begun, go] = [deferred(), deferred()]
      const persist = async (id: string, value: string) => {
        if (value === 'slow') {
          if (order === 'before') database.set(id, value)
          begun.resolve()
          await go.promise
          if (order === 'before') return
        }
        database.set(id, value)
      }
      const other = await place.connect()
      const options = { ttl: '1m', write: { mode: 'through', persist } } as const
      const [a, b] = [hf.cache<string>('it', options), other.cache<string>('it', options)]
      await a.set('k', 'old')
      const slow = a.set('k', 'slow')
      await begun.promise
      await b.set('k', 'quick')
      go.resolve()
      await slow
      expect([undefined, database.get('k')]).toContain(await b.peek('k'))
      expect(await b.get('k', (id) => database.get(id) as string)).toBe(database.get('k'))
    },
  )

  it('keeps no value that was loaded while it persisted, and is a hit when nothing came between', async () => {
    const database = new Map([['k', 'old']])
    const [begun, go] = [deferred(), deferred()]
    const persist = async (id: string, value: string) => {
      begun.resolve()
      await go.promise
      database.set(id, value)
    }
    const cache = make<string>({ write: { mode: 'through', persist } })
    const set = cache.set('k', 'new')
    await begun.promise
    expect(await cache.get('k', (id) => database.get(id) as string)).toBe('old')
    go.resolve()
    await set
    expect(await cache.get('k', (id) => database.get(id) as string)).toBe('new')
    await cache.set('k', 'newer')
    expect(await cache.peek('k')).toBe('newer')
  })
})

describe('a name', () => {
  it('with the same options is the same cache, and with others a ConfigError', () => {
    const options = { ttl: '1m', tags: ['a'], load: (id: string) => id } as const
    const cache = hf.cache<string>('n', options)
    expect(hf.cache<string>('n', { ...options, ttl: 60_000 })).toBe(cache)
    for (const other of [{ ttl: '2m' }, { tags: ['b'] }, { stampede: 'fleet' }, { load: () => 'x' }] as const)
      expect(() => hf.cache<string>('n', { ...options, ...other })).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID' }),
      )
  })
})

describe('close', () => {
  it('ends gets whose loads are at work, tells their loaders, and refuses later calls', {
    timeout: 5_000,
  }, async () => {
    const own = await place.connect()
    const cache = own.cache<string>('fleet', { ttl: '1m', stampede: 'fleet' })
    const told = deferred()
    const began = deferred()
    const got = cache.get('k', (_, { signal }) => {
      signal.addEventListener('abort', () => told.resolve())
      began.resolve()
      return new Promise(() => {})
    })
    got.catch(() => {})
    await began.promise
    await own.close()
    await told.promise
    await expect(got).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    for (const call of [
      cache.get('k', () => 'v'),
      cache.peek('k'),
      cache.getMany(['k']),
      cache.set('k', 'v'),
      cache.delete('k'),
      cache.clear(),
    ])
      await expect(call).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  })
})
