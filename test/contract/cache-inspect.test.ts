import type { Cache, CacheOptions } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { STREAM_BOUND_MS } from '../../src/redis/subscriber.ts'
import { gate } from './cache-deferred.ts'
import { keepInMemory } from './cache-memory.ts'
import { Place } from './place.ts'

const place = new Place()

const make = async <T = unknown>(options: Partial<CacheOptions<T>> = {}): Promise<Cache<T>> =>
  (await place.connect()).cache<T>('it', { ttl: '1m', ...options })
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`
const NONE = { absent: 0, tag: 0, schema: 0, undecodable: 0, foreign: 0, fenced: 0 }

describe('why a read misses', () => {
  const plantList = (_: unknown, id: string) => place.command('RPUSH', entryKey(id), 'x')
  /** Each with what makes it so; a load follows every look. */
  const reasons: [string, (cache: Cache<unknown>, id: string) => Promise<unknown>][] = [
    ['absent', async () => {}],
    ['tag', async (cache, id) => [await cache.set(id, 1), await cache.invalidateTag('t')]],
    ['schema', async (_, id) => (await make({ encoding: { version: '1' } })).set(id, 1)],
    [
      'undecodable',
      async (_, id) =>
        (await make<unknown>({ encoding: { codec: { name: 'x', encode: String, decode: Number } } })).set(id, 1),
    ],
    ['foreign', (_, id) => place.command('SET', entryKey(id), '{"a":1}')],
    ['foreign', plantList],
  ]

  it.each(reasons)('is counted and explained: %s', async (reason, plant) => {
    const cache = await make({ tags: ['t'] })
    const expected = { ...NONE }
    const lookMany = (id: string): Promise<unknown> => cache.getMany([id], () => ['loaded'])
    for (const look of [(id: string) => cache.peek(id), (id: string) => cache.get(id, () => 'loaded'), lookMany]) {
      await plant(cache, 'k')
      expect(await cache.explain('k')).toMatchObject({ key: entryKey('k'), verdict: 'miss', why: reason })
      await look('k')
      // An MGET says of a key that is no text what it says of none.
      const seen = look === lookMany && plant === plantList ? 'absent' : reason
      expected[seen as keyof typeof NONE]++
      expect(cache.stats.missesBy).toEqual(expected)
      await cache.delete('k')
    }
    expect(cache.stats.misses).toBe(3)
  })

  it('is counted as well while nearly all miss and the lease is asked for at once', async () => {
    const cache = await make({ tags: ['t'] })
    for (let i = 0; i < 20; i++) await cache.get(`k${i}`, () => i)
    await cache.invalidateTag('t')
    await place.command('SET', entryKey('k1'), 'foreign')
    for (let i = 0; i < 20; i++) await cache.get(`k${i}`, () => i)
    expect(cache.stats.missesBy).toEqual({ ...NONE, absent: 20, tag: 19, foreign: 1 })
    expect(cache.stats).toMatchObject({ misses: 40, loads: 40 })
  })
})

describe('explain', () => {
  it('tells what is stored, and looks without changing anything', async () => {
    const cache = await make({
      tags: ['t', 'u'],
      encoding: { codec: 'msgpack', compress: true },
      expiry: { stale: '1m' },
    })
    await cache.get('k', () => 'x'.repeat(5_000))
    await cache.invalidateTag('u')
    const before = cache.stats
    const told = await cache.explain('k')
    expect(told).toMatchObject({
      verdict: 'miss',
      why: 'tag',
      memory: 'none',
      lease: undefined,
      fence: undefined,
      stored: {
        codec: 'msgpack',
        compressed: true,
        schemaMatches: true,
        tags: [
          { tag: 't', stands: true },
          { tag: 'u', stands: false },
        ],
      },
    })
    const { bytes = 0, freshMs = 0, leftMs = 0, ageMs = -1 } = told.stored ?? {}
    expect(bytes).toBeLessThan(300)
    expect(freshMs).toBeLessThanOrEqual(60_000)
    expect(freshMs).toBeGreaterThan(30_000)
    expect(leftMs).toBeGreaterThan(freshMs)
    expect(ageMs).toBeLessThan(30_000)
    expect(cache.stats).toEqual(before)
    expect(await cache.explain('nothing')).toMatchObject({ verdict: 'miss', why: 'absent', stored: undefined })
    await cache.set('k', 1)
    expect(await cache.explain('k')).toMatchObject({ verdict: 'hit', why: undefined })
  })

  it('tells a stale value', async () => {
    const cache = await make({ ttl: 1, expiry: { stale: '1m' } })
    await cache.set('k', 1)
    await vi.waitFor(async () => expect(await cache.explain('k')).toMatchObject({ verdict: 'stale', why: undefined }))
  })

  it('tells that this process loads it, also when that load ends while it looks', async () => {
    const cache = await make()
    const slow = gate<number>()
    const got = cache.get('k', slow.load)
    await slow.began
    const told = cache.explain('k')
    slow.fail(new Error('no'))
    await expect(got).rejects.toThrow('no')
    expect((await told).lease).toMatchObject({ holder: 'this process' })
  })

  it('tells who loads it and who changes it', async () => {
    const [cache, other] = await Promise.all([make(), make()])
    const slow = gate<number>()
    const got = cache.get('k', slow.load)
    await slow.began
    expect((await cache.explain('k')).lease).toMatchObject({ holder: 'this process' })
    const { lease } = await other.explain('k')
    expect(lease?.holder).toBe('another')
    expect(lease?.leftMs).toBeGreaterThan(0)
    slow.answer(1)
    await got
    expect((await other.explain('k')).lease).toBeUndefined()
    await cache.mutate('k', async () => {
      const { fence } = await other.explain('k')
      expect(fence?.changes).toBe(1)
      expect(fence?.leftMs).toBeGreaterThan(0)
    })
    expect((await other.explain('k')).fence).toBeUndefined()
  })
})

describe('the memory tier', () => {
  it('says how it stands with an entry, why it did not answer, and how far behind it may be', async () => {
    const cache = await make<number>({ memory: { maxEntries: 10 }, tags: ['t'] })
    await keepInMemory(cache, 'k', 1)
    expect(await cache.explain('k')).toMatchObject({ verdict: 'hit', memory: 'kept' })
    expect(cache.staleness()).toMatchObject({ boundMs: STREAM_BOUND_MS, why: expect.stringContaining('on') })
    expect(await cache.explain('other')).toMatchObject({ memory: 'absent' })
    const { misses } = cache.stats.memory
    await cache.invalidateTag('t')
    expect(await cache.explain('k')).toMatchObject({ verdict: 'miss', why: 'tag', memory: 'tag' })
    await cache.peek('k')
    await cache.peek('other')
    expect(cache.stats.memory.misses).toEqual({ ...misses, tag: misses.tag + 1, absent: misses.absent + 1 })
  })

  it('is off, and bounds nothing, while the stream is not confirmed or there is none', async () => {
    const cache = await make<number>({ memory: { ttl: 500 } })
    // Its keys were not listened to until now.
    expect(cache.staleness()).toMatchObject({ boundMs: 0, why: expect.stringContaining('off') })
    await keepInMemory(cache, 'k', 1)
    expect(cache.staleness().boundMs).toBe(500)
    expect((await make()).staleness()).toMatchObject({ boundMs: 0, why: expect.stringContaining('no memory') })
  })
})
