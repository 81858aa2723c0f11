import type { Cache, CacheOptions } from 'holdfast'
import { describe, expect, it } from 'vitest'
import { STREAM_BOUND_MS } from '../../src/redis/subscriber.ts'
import { drive, expectNone, SEED, type Subject, tagsOf } from './cache-drive.ts'
import type { Row } from './cache-history.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['row'] })

/** In full on one server, as the user who may do all; elsewhere a part: what differs there is met in the first hundreds. */
const share = (rounds: number): number => (place.isMain ? rounds : rounds / 15)

/** The same cache in `count` instances: as many processes, as far as the cache can tell. */
async function fleet(count: number, options: Partial<CacheOptions<Row>>): Promise<Cache<Row>[]> {
  const made = await Promise.all(Array.from({ length: count }, () => place.connect()))
  return made.map((hf) => hf.cache<Row>('row', { ttl: '1m', tags: tagsOf, ...options }))
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
})
