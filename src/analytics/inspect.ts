import type { Key } from '../redis/keyspace.ts'
import { unescapeName } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { AnalyticsKeys } from './keys.ts'
import { type Bucket, floorTo, TIERS, type TierName } from './tiers.ts'

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
