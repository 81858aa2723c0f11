import type { Redis } from '../redis/redis.ts'
import { inspectBucket } from './inspect.ts'
import type { AnalyticsKeys } from './keys.ts'
import { countVisitors } from './reader.ts'
import type { Bucket, TierName } from './tiers.ts'
import { readTop } from './top.ts'

/** One figure of one bucket, as a row of a table. */
export interface AnalyticsRow {
  /** When its bucket begins, in ms since 1970, and how long it lasts. */
  readonly atMs: number
  readonly durationMs: number
  readonly tier: TierName
  /** `event`: how often; `sum`: of a field; `hits` and `visitors` of a dimension; `item`: hits of one of its top items. */
  readonly kind: 'event' | 'sum' | 'hits' | 'visitors' | 'item'
  /** Of the event or the dimension. */
  readonly name: string
  /** The field of a sum, the item of `item`; else ''. */
  readonly detail: string
  readonly value: number
  /** `value` is off by at most so much, of an item. Visitors are estimates: one standard error is 0.81 %. */
  readonly error: number
}

/** Every figure of these buckets, the oldest first; a bucket at a time, so that any number of them takes little memory. */
export async function* readRows(
  redis: Redis,
  keys: AnalyticsKeys,
  buckets: readonly Bucket[],
  kept: number,
): AsyncGenerator<AnalyticsRow> {
  for (const bucket of buckets)
    for (let part = 0; part < keys.spread; part++) yield* rowsOf(redis, keys, part, bucket, kept)
}

async function* rowsOf(
  redis: Redis,
  keys: AnalyticsKeys,
  part: number,
  bucket: Bucket,
  kept: number,
): AsyncGenerator<AnalyticsRow> {
  const { events, sums, dimensions } = await inspectBucket(redis, keys, part, bucket)
  const { tier, atMs } = bucket
  const row = (kind: AnalyticsRow['kind'], name: string, value: number, detail = '', error = 0): AnalyticsRow => ({
    ...{ atMs, durationMs: tier.ms, tier: tier.name, kind, name, detail, value, error },
  })
  for (const [event, count] of events) yield row('event', event, count)
  for (const { event, field, sum } of sums) yield row('sum', event, sum, field)
  for (const [dimension, hits] of dimensions) {
    yield row('hits', dimension, hits)
    const visitors = await countVisitors(redis, [keys.visitors(part, bucket, dimension)])
    if (visitors > 0) yield row('visitors', dimension, visitors)
    for (const { item, count, error } of await readTop(redis, keys, dimension, [bucket], kept, kept))
      yield row('item', dimension, count, item, error)
  }
}
