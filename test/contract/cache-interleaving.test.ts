import { AsyncResource } from 'node:async_hooks'
import type { Cache, CacheOptions, LoadContext } from 'holdfast'
import { describe, expect, it } from 'vitest'
import { STREAM_BOUND_MS } from '../../src/redis/subscriber.ts'
import { drive, expectNone, SEED, type Subject, tagsOf } from './cache-drive.ts'
import { type Row, seeded } from './cache-history.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['row'] })

/** In full on one server, as the user who may do all; elsewhere a part: what differs there is met in the first hundreds. */
const share = (rounds: number): number => Math.round(place.isMain ? rounds * 0.25 : rounds / 30)

/** The same cache in `count` instances: as many processes, as far as the cache can tell. */
async function fleet(count: number, options: Partial<CacheOptions<Row>>): Promise<Cache<Row>[]> {
  const made = await Promise.all(Array.from({ length: count }, () => place.connect()))
  return made.map((hf) => hf.cache<Row>('row', { ttl: '1m', tags: tagsOf, ...options }))
}

/** A subject whose loaders do all that a loader may, and who forgives a load that took too long. */
function versatile(cache: Cache<Row>, seed: number): Subject {
  const random = seeded(seed)
  const load = async (read: () => Promise<Row>, { stale, setTags, skip, setTtl, notModified }: LoadContext) => {
    const early = random() < 0.5
    const row = await read()
    setTags(tagsOf(row))
    if (early) setTtl(1 + Math.floor(random() * 5))
    if (random() < 0.05) skip()
    const isSame = stale?.version === row.version && stale?.group === row.group
    return isSame && random() < 0.8 ? notModified() : row
  }
  const forgive = (error: { code?: string }) => {
    if (error.code !== 'LOAD_TIMEOUT') throw error
    return undefined
  }
  return {
    get: (id, read) => cache.get(id, (_, context) => load(read, context)).catch(forgive) as Promise<Row>,
    getMany: (ids, read) =>
      cache
        .getMany(ids, async (missing, { setTags, skip }) => {
          const rows = await read(missing)
          for (const row of rows) {
            setTags(row.id, tagsOf(row))
            if (random() < 0.05) skip(row.id)
          }
          return rows
        })
        .catch((error) => forgive(error) ?? new Map()),
    peek: (id) => cache.peek(id),
    set: (id, row) => cache.set(id, row, { tags: tagsOf(row) }),
    delete: (id) => cache.delete(id),
    invalidateTag: (tag) => cache.invalidateTag(tag),
    invalidatePattern: (pattern) => cache.invalidatePattern(pattern),
    clear: () => cache.clear(),
  }
}

describe('a cache under interleaved reads, loads, writes and invalidations', () => {
  const stale = { ttl: 2, expiry: { stale: '1m' } } as const
  it.each<[string, number, Partial<CacheOptions<Row>>]>([
    ['one loader per process', 3_000, {}],
    ['one loader per fleet', 3_000, { stampede: 'fleet' }],
    ['one loader per process, stale values served meanwhile', 1_500, stale],
    ['one loader per fleet, stale values served meanwhile', 1_500, { ...stale, stampede: 'fleet' }],
    ['writes that persist first', 1_000, { write: { mode: 'through', persist: () => new Promise(setImmediate) } }],
    ['entries that live for milliseconds', 1_000, { ttl: 3, expiry: { jitter: 1 } }],
  ])('never serves a value older than an acknowledged invalidation: %s', async (_, rounds, options) => {
    const subjects = await fleet(3, options)
    expectNone(await drive({ subjects: subjects as Subject[], rounds: share(rounds), seed: SEED }), SEED)
  })

  it('never serves a value older than the stated bound with the memory tier, its stream being killed now and then', async () => {
    const subjects = await fleet(3, { memory: { maxEntries: 100 } })
    const history = await drive({
      subjects: subjects as Subject[],
      rounds: share(5_000),
      seed: SEED,
      boundMs: STREAM_BOUND_MS,
      disturb: () => place.killListeners(),
    })
    expectNone(history, SEED)
    expect(subjects.reduce((sum, { stats }) => sum + stats.hits.memory, 0)).toBeGreaterThan(share(500))
  })

  it.each<[string, number, Partial<CacheOptions<Row>>]>([
    ['one loader per process', 1_000, { stampede: 'process' }],
    ['one loader per fleet', 1_000, { stampede: 'fleet' }],
  ])(
    'never serves one by what loaders may do: late, waited for, kept as it was, with tags of their own, %s',
    async (_, rounds, { stampede }) => {
      const loader = { softTimeout: 2, hardTimeout: 8 }
      const caches = await fleet(3, { ...stale, tags: [], stampede: stampede as 'process', loader })
      const subjects = caches.map((cache, i) => versatile(cache, SEED + i))
      expectNone(await drive({ subjects, rounds: share(rounds), seed: SEED }), SEED)
      if (place.isMain) expect(caches.reduce((sum, { stats }) => sum + stats.loadTimeouts, 0)).toBeGreaterThan(0)
    },
  )

  it.each(['process', 'fleet'] as const)(
    'never serves one by refreshing before the end, with one loader per %s',
    async (stampede) => {
      const subjects = await fleet(3, { ttl: 300, expiry: { early: 1_000 }, stampede })
      expectNone(await drive({ subjects: subjects as Subject[], rounds: share(1_000), seed: SEED }), SEED)
    },
  )

  it('never serves one that this process had invalidated within a request, however long that is', async () => {
    const hf = await place.connect()
    const cache = hf.cache<Row>('row', { ttl: '1m', tags: tagsOf })
    let end: () => void = () => {}
    const ended = new Promise<void>((resolve) => {
      end = resolve
    })
    const subjects: Subject[] = []
    const requests = [1, 2, 3].map(() =>
      hf.perRequest(() => {
        const inside = new AsyncResource('request')
        subjects.push({
          get: (id, load) => inside.runInAsyncScope(() => cache.get(id, load)),
          getMany: (ids, load) => inside.runInAsyncScope(() => cache.getMany(ids, load)),
          peek: (id) => inside.runInAsyncScope(() => cache.peek(id)),
          set: (id, row) => cache.set(id, row),
          delete: (id) => cache.delete(id),
          invalidateTag: (tag) => inside.runInAsyncScope(() => cache.invalidateTag(tag)),
          invalidatePattern: (pattern) => cache.invalidatePattern(pattern),
          clear: () => inside.runInAsyncScope(() => cache.clear()),
        })
        return ended
      }),
    )
    expectNone(await drive({ subjects, rounds: share(1_500), seed: SEED }), SEED)
    expect(cache.stats.hits.request).toBeGreaterThan(0)
    end()
    await Promise.all(requests)
  })
})
