import type { Key } from '../redis/keyspace.ts'
import { unescapeName } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { AnalyticsKeys } from './keys.ts'
import { type AnalyticsOptions, resolveAnalyticsOptions } from './options.ts'
import { countVisitors } from './reader.ts'
import { type Bucket, coverOf, floorTo, TIERS, type TierName } from './tiers.ts'
import { readTop, type TopItem } from './top.ts'

/** What the hash of one bucket says, of one part. */
export interface BucketRecord {
  readonly events: ReadonlyMap<string, number>
  /** By event and field. */
  readonly sums: readonly { readonly event: string; readonly field: string; readonly sum: number }[]
  /** Hits by dimension. */
  readonly dimensions: ReadonlyMap<string, number>
  /** How many items of a dimension have their visitors counted. */
  readonly items: ReadonlyMap<string, number>
}

/** What the bucket of this moment holds, by part: `spread` of them. */
export async function inspectAnalytics(
  redis: Redis,
  name: string,
  { spread = 1, tier, atMs }: { readonly spread?: number; readonly tier: TierName; readonly atMs: number },
): Promise<readonly BucketRecord[]> {
  const keys = new AnalyticsKeys(redis.keyspace, name, spread)
  const of = TIERS.find((one) => one.name === tier) ?? TIERS[2]
  const bucket = { tier: of, atMs: floorTo(atMs, of.ms) }
  return Promise.all(Array.from({ length: spread }, (_, part) => inspectBucket(redis, keys, part, bucket)))
}

/** What one bucket holds of one part; empty where nothing was counted. */
export async function inspectBucket(
  redis: Redis,
  keys: AnalyticsKeys,
  part: number,
  bucket: Bucket,
): Promise<BucketRecord> {
  const key: Key = keys.counts(part, bucket)
  const reply = await redis.call(key, 'HGETALL', [key], { operation: 'analytics.inspect', repeat: true })
  const words = reply as readonly string[]
  const events = new Map<string, number>()
  const dimensions = new Map<string, number>()
  const items = new Map<string, number>()
  const sums: { event: string; field: string; sum: number }[] = []
  for (let at = 0; at < words.length; at += 2) {
    const [field, value] = [words[at] as string, Number(words[at + 1])]
    const name = field.slice(1)
    if (field[0] === 'e') events.set(name, value)
    else if (field[0] === 'd') dimensions.set(name, value)
    else if (field[0] === 'i') items.set(name, value)
    else {
      const colon = name.indexOf(':')
      sums.push({ event: unescapeName(name.slice(0, colon)), field: name.slice(colon + 1), sum: value })
    }
  }
  return { events, sums, dimensions, items }
}

/** What happened on a site over a time, by name. */
export interface SiteView {
  /** Where the window really begins, in ms of the server's clock. */
  readonly fromMs: number
  readonly toMs: number
  /** By name, those that were most often first, as all below. */
  readonly events: readonly {
    readonly event: string
    readonly count: number
    readonly sums: ReadonlyMap<string, number>
  }[]
  readonly dimensions: readonly {
    readonly dimension: string
    readonly hits: number
    readonly visitors: number
    readonly top: readonly TopItem[]
  }[]
}

export interface SiteOptions {
  readonly windowMs: number
  /** Items of each dimension. Default 5. */
  readonly top?: number
  /** As the program has them, where they are not the defaults. */
  readonly options?: AnalyticsOptions
}

/** Every event and dimension of a site over the last `windowMs`, without knowing their names; writes nothing. */
export async function inspectSite(
  redis: Redis,
  name: string,
  { windowMs, top = 5, options }: SiteOptions,
): Promise<SiteView> {
  const { keep, spread, items } = resolveAnalyticsOptions(options)
  const keys = new AnalyticsKeys(redis.keyspace, name, spread)
  const nowMs = redis.serverNowMs()
  const { fromMs, toMs, buckets } = coverOf(nowMs - windowMs, nowMs, nowMs, keep)
  const events = new Map<string, { count: number; sums: Map<string, number> }>()
  const hits = new Map<string, number>()
  const eventOf = (event: string) => {
    const known = events.get(event) ?? { count: 0, sums: new Map() }
    events.set(event, known)
    return known
  }
  for (let part = 0; part < spread; part++) {
    const found = await Promise.all(buckets.map((bucket) => inspectBucket(redis, keys, part, bucket)))
    for (const { events, sums, dimensions } of found) {
      for (const [event, count] of events) eventOf(event).count += count
      for (const { event, field, sum } of sums) {
        const own = eventOf(event).sums
        own.set(field, (own.get(field) ?? 0) + sum)
      }
      for (const [dimension, count] of dimensions) hits.set(dimension, (hits.get(dimension) ?? 0) + count)
    }
  }
  const dimensions = await Promise.all(
    [...hits].map(async ([dimension, count]) => {
      const visitors = buckets.map((bucket) => keys.visitors(keys.partOf(dimension), bucket, dimension))
      const listed = await readTop(redis, keys, dimension, buckets, top, items)
      return { dimension, hits: count, visitors: await countVisitors(redis, visitors), top: listed }
    }),
  )
  return {
    ...{ fromMs, toMs },
    events: [...events].map(([event, own]) => ({ event, ...own })).sort((a, b) => b.count - a.count),
    dimensions: dimensions.sort((a, b) => b.hits - a.hits),
  }
}
