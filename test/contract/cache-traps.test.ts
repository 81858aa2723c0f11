// The traps of research/cache.md, section 3, by their numbers: each as a rule that holds against a real server.
import type { CacheOptions, Holdfast } from 'holdfast'
import { testNamespace } from 'holdfast/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { keepInMemory } from './cache-memory.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['it', 'it:', '', 'i*'] })
let namespace: string
beforeEach(() => {
  namespace = place.namespace
})
afterEach(() => {
  vi.useRealTimers()
})

const join = (): Promise<Holdfast> => place.connect({ namespace })

/** The same cache in two instances: two processes, as far as it can tell. */
async function two<T = unknown>(options: Partial<CacheOptions<T>> = {}) {
  const [a, b] = await Promise.all([join(), join()])
  const made = { ttl: '1m', ...options } as CacheOptions<T>
  return [a.cache<T>('it', made), b.cache<T>('it', made)] as const
}

/** A namespace as good as new, for the next turn of a test: part of the test's own, so that it is tidied up with it. */
const anew = (): string => `${place.namespace}-${testNamespace()}`

const entryKey = (id: string) => `{${namespace}:cache:it:${id}}`
const leaseKey = (id: string) => `lease:${entryKey(id)}`

const stampedes = ['process', 'fleet'] as const

describe.each(stampedes)('1: with one loader per %s, what was loaded before it is never stored', (stampede) => {
  it.each([
    ['delete', (cache: { delete(id: string): Promise<void> }) => cache.delete('k')],
    [
      'invalidatePattern',
      (cache: { invalidatePattern(glob: string): Promise<number> }) => cache.invalidatePattern('k*'),
    ],
    ['clear', (cache: { clear(): Promise<void> }) => cache.clear()],
    ['set', (cache: { set(id: string, value: unknown): Promise<void> }) => cache.set('k', 'new')],
  ])('after %s, here or in another process', async (verb, invalidate) => {
    const [a, b] = await two({ stampede })
    for (const other of [a, b]) {
      const slow = gate<string>()
      const got = a.get('k', slow.load)
      await slow.began
      await invalidate(other as never)
      slow.answer('old')
      expect(await got).toBe('old')
      expect(await b.get('k', () => 'new')).toBe('new')
      expect(await a.get('k', () => 'new')).toBe('new')
      await other.delete('k')
      expect(verb).toBeTruthy()
    }
  })

  it('after delete, when many are loaded at once', async () => {
    const [a, b] = await two({ stampede })
    const slow = gate<string[]>()
    const got = a.getMany(['k', 'other'], slow.load)
    await slow.began
    await b.delete('k')
    slow.answer(['old', 'fine'])
    expect(await got).toEqual(
      new Map([
        ['k', 'old'],
        ['other', 'fine'],
      ]),
    )
    expect(await b.peek('k')).toBeUndefined()
    expect(await b.peek('other')).toBe('fine')
  })
})

describe.each(stampedes)('2: with one loader per %s', (stampede) => {
  it('what was loaded before its tag was invalidated is never served, be the tag known before the load or after it', async () => {
    for (const tags of [['t'], () => ['t']]) {
      const [a, b] = await two({ stampede, tags })
      for (const other of [a, b]) {
        const slow = gate<string>()
        const got = a.get('k', slow.load)
        await slow.began
        await other.invalidateTag('t')
        slow.answer('old')
        expect(await got).toBe('old')
        expect(await b.get('k', () => 'new')).toBe('new')
        expect(await a.get('k', () => 'never')).toBe('new')
        await other.invalidateTag('t')
        expect(await a.peek('k')).toBeUndefined()
        expect(await b.peek('k')).toBeUndefined()
      }
      namespace = anew()
    }
  })

  it('a tag that is invalidated and cleared while a load runs voids it all the same', async () => {
    const [a, b] = await two({ stampede, tags: () => ['t'] })
    const slow = gate<string>()
    const got = a.get('k', slow.load)
    await slow.began
    // The lease survives: only the tag's epoch and the generation come and go.
    await b.invalidateTag('t')
    for (const key of await place.keys(`{${namespace}:cache:it}:*`)) await place.command('DEL', key)
    slow.answer('old')
    expect(await got).toBe('old')
    expect(await b.peek('k')).toBeUndefined()
  })
})

describe('the memory tier', () => {
  const memory = { maxEntries: 1_000 }

  it('3: keeps no value whose change was told while it was being read', async () => {
    const [a, b] = await two<number>({ memory })
    await keepInMemory(a, 'warm', 0)
    for (let round = 1; round <= 200; round++) {
      const id = `k${round}`
      await b.set(id, 0)
      const reads = [a.get(id, () => -1)]
      const change =
        round % 2 === 0 ? place.command('DEL', entryKey(id)).then(() => b.set(id, round)) : b.set(id, round)
      reads.push(a.get(id, () => -1))
      await Promise.all([...reads, change])
    }
    // The news of the last change are under way at most; nothing older may have stayed.
    await vi.waitFor(async () => {
      for (let round = 191; round <= 200; round++) {
        const [ours, theirs] = [await a.get(`k${round}`, () => -2), await b.peek(`k${round}`)]
        expect(ours === theirs || theirs === undefined).toBe(true)
      }
    })
  })

  it('4: is empty after a gap in the stream, so that no lost invalidation is waited out', async () => {
    const [a, b] = await two<string>({ memory, tags: ['t'] })
    await keepInMemory(a, 'k', 'old')
    await place.killListeners()
    await b.invalidateTag('t')
    await b.set('k', 'new')
    await vi.waitFor(() => expect(a.stats.memory.entries).toBe(0))
    expect(await a.get('k', () => 'never')).toBe('new')
  })

  it('6: stays off until the new connection is tracked', async () => {
    const [a, b] = await two<number>({ memory })
    await keepInMemory(a, 'k', 0)
    for (let round = 1; round <= 20; round++) {
      await place.killListeners()
      await vi.waitFor(() => expect(a.stats.memory.entries).toBe(0))
      // Reads go on at once; whatever they keep must be heard of.
      const reads = Promise.all(Array.from({ length: 5 }, () => a.get('k', () => -1)))
      await b.set('k', round)
      await reads
      await vi.waitFor(async () => expect(await a.get('k', () => -1)).toBe(round), { timeout: 1_000 })
    }
  })

  it('20: gives everyone the same value, and nobody can change it', async () => {
    const [a] = await two<{ list: number[]; at: Date; map: Map<string, number> }>({ memory })
    const value = { list: [1], at: new Date(5), map: new Map([['x', 1]]) }
    await keepInMemory(a, 'k', value)
    const kept = await a.get('k', () => value)
    expect(kept).toStrictEqual(value)
    expect(() => kept.list.push(2)).toThrow(TypeError)
    expect(() => Object.assign(kept, { list: [] })).toThrow(TypeError)
    expect(() => kept.at.setTime(0)).toThrow(TypeError)
    expect(() => kept.map.set('x', 2)).toThrow(TypeError)
    expect(await a.get('k', () => value)).toStrictEqual(value)
  })
})

describe.each(stampedes)('a failing loader, with one loader per %s,', (stampede) => {
  it('8, 9: is called once for twenty callers, who all get that very error, and again by the next', async () => {
    const [a] = await two({ stampede })
    const error = new Error('the database says no')
    let calls = 0
    const fail = async () => {
      calls++
      await new Promise(setImmediate)
      throw error
    }
    const failures = await Promise.allSettled(Array.from({ length: 20 }, () => a.get('k', fail)))
    expect(failures.map((failure) => (failure as PromiseRejectedResult).reason)).toEqual(Array(20).fill(error))
    expect(failures.every((failure) => (failure as PromiseRejectedResult).reason === error)).toBe(true)
    expect(calls).toBe(1)
    await expect(a.get('k', fail)).rejects.toBe(error)
    expect(calls).toBe(2)
    expect(await a.get('k', () => 'well')).toBe('well')
    expect(await a.peek('k')).toBe('well')
  })
})

describe('10: a caller who comes after an invalidation', () => {
  it('does not get what a load that had begun before it brings, invalidated here or elsewhere, by key, tag or pattern', async () => {
    const [a, b] = await two({ tags: ['t'] })
    for (const by of [a, b])
      for (const invalidate of [
        () => by.delete('k'),
        () => by.invalidateTag('t'),
        () => by.invalidatePattern('*'),
        () => by.clear(),
      ]) {
        const slow = gate<string>()
        const early = a.get('k', slow.load)
        await slow.began
        await invalidate()
        const late = a.get('k', () => 'new')
        const many = a.getMany(['k'], (ids) => ids.map(() => 'new'))
        slow.answer('old')
        expect(await early).toBe('old')
        expect(await late).toBe('new')
        expect((await many).get('k')).toBe('new')
        await a.delete('k')
      }
  })
})

describe('11: values', () => {
  it('are hits when they are null, false, 0, an empty text, NaN, -0 or an empty list, the same for the first caller and for all', async () => {
    const [a, b] = await two()
    const values = [
      null,
      false,
      0,
      '',
      Number.NaN,
      -0,
      [],
      {},
      new Date(5),
      10n,
      new Map([[1, new Set([2])]]),
      Buffer.from('x'),
    ]
    for (const [i, value] of values.entries()) {
      let calls = 0
      const load = () => {
        calls++
        return value
      }
      expect(await a.get(`k${i}`, load)).toStrictEqual(value)
      expect(await a.get(`k${i}`, load)).toStrictEqual(value)
      expect(await b.get(`k${i}`, load)).toStrictEqual(value)
      expect(calls).toBe(1)
    }
  })

  it('that are undefined are not cached, and leave no lease behind', async () => {
    for (const stampede of stampedes) {
      const [a, b] = await two({ stampede })
      let calls = 0
      const load = () => {
        calls++
        return undefined
      }
      expect(await a.get('k', load)).toBeUndefined()
      expect(await b.get('k', load)).toBeUndefined()
      expect(calls).toBe(2)
      expect(await place.command('EXISTS', entryKey('k'), leaseKey('k'))).toBe(0)
      await expect(a.set('k', undefined)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'value' })
      namespace = anew()
    }
  })

  it('that are null live as long as nullTtl says', async () => {
    const [a] = await two({ ttl: '1h', expiry: { nullTtl: '5s', stale: '1h' } })
    await a.get('k', () => null)
    expect(await place.command<number>('PTTL', entryKey('k'))).toBeLessThanOrEqual(5_000)
    await a.get('v', () => 1)
    expect(await place.command<number>('PTTL', entryKey('v'))).toBeGreaterThan(3_600_000)
  })
})

describe('12, 13: clear', () => {
  it('removes this cache and nothing else, without KEYS, FLUSH or DEL of many', async () => {
    const hf = await join()
    const it = hf.cache('it', { ttl: '1m', tags: ['t'] })
    const others = [hf.cache('it:', { ttl: '1m' }), hf.cache('', { ttl: '1m' }), hf.cache('i*', { ttl: '1m' })]
    await Promise.all(others.map((cache) => cache.set('k', 1)))
    const foreign = `foreign ${namespace}`
    await place.command('SET', foreign, 1)
    for (const id of ['', 'a', '*', '{x}', 'u:1', 'ü\n', '\\', '[a]']) await it.set(id, 1)
    await it.clear()
    // Nobody who uses these servers sends such a thing.
    for (const witness of place.all)
      expect(await witness.command<string>('INFO', 'commandstats')).not.toMatch(/cmdstat_(keys|flushall|flushdb):/)
    for (const id of ['', 'a', '*', '{x}', 'u:1', 'ü\n', '\\', '[a]']) expect(await it.peek(id)).toBeUndefined()
    for (const cache of others) expect(await cache.peek('k')).toBe(1)
    expect(await place.command('GET', foreign)).toBe('1')
    expect(await place.keys(`{${namespace}:cache:it:*`)).toEqual([])
    expect(await place.keys(`{${namespace}:cache:it}*`)).toEqual([])
  })

  it('keeps every key of an entry, and all tags of a cache, under one hash tag, whatever the id holds', async () => {
    const [a] = await two({ tags: (_, id) => [id, '{x}', '}'] })
    for (const id of ['', '{', '}', '}{', '{}', 'a}b{c']) await a.get(id, () => 1)
    const slow = gate<number>()
    const got = a.get('{}held', slow.load)
    await slow.began
    const keys = await place.keys(`*${namespace}:cache:*`)
    const hashTags = keys.map((key) => /\{([^}]+)\}/.exec(key)?.[1])
    expect(hashTags.every((tag) => tag !== undefined)).toBe(true)
    const ofTags = keys.filter((key) => /:tag:|:generation$/.test(key)).map((key) => /\{([^}]+)\}/.exec(key)?.[1])
    expect(new Set(ofTags).size).toBe(1)
    const lease = keys.find((key) => key.startsWith('lease:')) as string
    expect(lease.slice('lease:'.length)).toMatch(/^\{[^{}]+\}$/)
    slow.answer(1)
    await got
    expect(await place.command('EXISTS', lease.slice('lease:'.length))).toBe(1)
  })
})

describe('15: a tag', () => {
  it('that was evicted means stale, and never revives an old entry', async () => {
    const [a, b] = await two({ tags: ['t'] })
    await a.set('k', 'old')
    await place.command('DEL', `{${namespace}:cache:it}:tag:t`, `{${namespace}:cache:it}:generation`)
    expect(await b.peek('k')).toBeUndefined()
    expect(await b.get('other', () => 1)).toBe(1)
    expect(await a.peek('k')).toBeUndefined()
    expect(await b.get('k', () => 'new')).toBe('new')
  })

  it('that two invalidate at once moves for both', async () => {
    const [a, b] = await two({ tags: ['t'] })
    const epoch = () => place.command('GET', `{${namespace}:cache:it}:tag:t`)
    const epochs = new Set([await epoch()])
    for (let round = 0; round < 50; round++) {
      await a.set('k', round)
      epochs.add(await epoch())
      await Promise.all([a.invalidateTag('t'), b.invalidateTag('t')])
      expect(await a.peek('k')).toBeUndefined()
      expect(await b.peek('k')).toBeUndefined()
      expect(epochs).not.toContain(await epoch())
    }
  })

  it('outlives an entry that was given a longer life than the cache has', async () => {
    const [a] = await two({ ttl: '1s', tags: ['t'] })
    await a.set('k', 1, { ttl: '30d' })
    const [entryMs, tagMs] = [
      await place.command<number>('PTTL', entryKey('k')),
      await place.command<number>('PTTL', `{${namespace}:cache:it}:tag:t`),
    ]
    expect(tagMs).toBeGreaterThan(entryMs)
  })
})

describe('16: clocks', () => {
  it('of processes that differ by a day change nothing', async () => {
    const options = { ttl: '1m', expiry: { stale: '1h' }, tags: ['t'] } as const
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 86_400_000 })
    const ahead = (await join()).cache('it', options)
    vi.setSystemTime(Date.now() - 2 * 86_400_000)
    const behind = (await join()).cache('it', options)
    for (const [writer, reader] of [
      [ahead, behind],
      [behind, ahead],
    ] as const) {
      await writer.get('k', () => 'v')
      expect(await reader.get('k', () => 'never')).toBe('v')
      expect(reader.stats.hits.stale).toBe(0)
      await reader.invalidateTag('t')
      expect(await writer.peek('k')).toBeUndefined()
    }
  })
})

describe('21: bytes of another library or version', () => {
  it.each([
    ['text', ['SET', 'some text']],
    ['an empty text', ['SET', '']],
    ['JSON', ['SET', '{"a":1}']],
    ['a frame of a later version', ['SET', 'hf9@0000000000000{}']],
    ['a frame that was cut short', ['SET', 'hf1D9999999999999{"a":']],
    ['bytes', ['SET', Buffer.from([0xf5, 1, 0, 0xff, 0xfe])]],
    ['a list', ['RPUSH', 'x']],
    ['a hash', ['HSET', 'f', 'v']],
  ])('are a miss and are replaced: %s', async (_, [command, ...args]) => {
    for (const stampede of stampedes) {
      const [a, b] = await two({ stampede, expiry: { stale: '1m' } })
      const plant = () => place.command(String(command), entryKey('k'), ...(args as string[]))
      await plant()
      expect(await a.peek('k')).toBeUndefined()
      expect(await a.getMany(['k'], () => [1])).toEqual(new Map([['k', 1]]))
      expect(await b.peek('k')).toBe(1)
      await place.command('DEL', entryKey('k'))
      await plant()
      expect(await a.get('k', () => 2)).toBe(2)
      expect(await b.peek('k')).toBe(2)
      await place.command('DEL', entryKey('k'))
      await plant()
      await a.delete('k')
      expect(await b.get('k', () => 3)).toBe(3)
      namespace = anew()
    }
  })
})

describe('22: a load that outlives its lease', () => {
  it.each(stampedes)(
    'answers its caller and is not stored over a newer value, with one loader per %s',
    async (stampede) => {
      const [a, b] = await two({ stampede })
      const slow = gate<string>()
      const got = a.get('k', slow.load)
      await slow.began
      await place.command('DEL', leaseKey('k'))
      expect(await b.get('k', () => 'newer')).toBe('newer')
      slow.answer('older')
      expect(await got).toBe('older')
      expect(await a.peek('k')).toBe('newer')
      expect(a.stats.voided).toBe(1)
    },
  )
})
