import type { Redis } from '../redis/redis.ts'
import type { AnalyticsKeys } from './keys.ts'
import { listsScript } from './lua.generated.ts'
import { cut } from './reader.ts'
import type { Bucket } from './tiers.ts'

export interface TopItem {
  readonly item: string
  readonly count: number
  /** `count` is off by at most so much, up or down; 0 where no bucket had more items than it keeps. */
  readonly error: number
}

/** Lists of one script. */
const LISTS = 8
/** Entries of all lists that one answer is made of. */
const ENTRIES = 50_000
const READING = { operation: 'analytics.top', repeat: true }

interface List {
  readonly part: number
  readonly bucket: Bucket
  /** By how much any count of this list may be off: the least one, where the list is full. */
  readonly error: number
  /** False where more items stand in it than were read. */
  readonly whole: boolean
  readonly counts: Map<string, number>
}

/** The items with the most hits of a time, from the lists of its buckets, on all parts. */
export async function readTop(
  redis: Redis,
  keys: AnalyticsKeys,
  dimension: string,
  buckets: readonly Bucket[],
  n: number,
  kept: number,
): Promise<readonly TopItem[]> {
  const places = Array.from({ length: keys.spread }, (_, part) => buckets.map((bucket) => ({ part, bucket })))
  const each = Math.min(kept, Math.max(4 * n, Math.floor(ENTRIES / Math.max(1, buckets.length * keys.spread))))
  const lots = places.flatMap((part) => cut(part, LISTS))
  const lists = (await Promise.all(lots.map((lot) => readLists(redis, keys, dimension, lot, each, kept)))).flat()
  const best = rank(lists, keys).slice(0, lists.every(({ whole }) => whole) ? n : 2 * n)
  await complete(redis, keys, dimension, lists, best)
  return rank(lists, keys, new Set(best.map(({ item }) => item))).slice(0, n)
}

async function readLists(
  redis: Redis,
  keys: AnalyticsKeys,
  dimension: string,
  lot: readonly { readonly part: number; readonly bucket: Bucket }[],
  most: number,
  kept: number,
): Promise<readonly List[]> {
  const lists = lot.map(({ part, bucket }) => keys.top(part, bucket, dimension))
  const [, replies] = await listsScript.run(redis, { lists }, { most }, READING)
  return lot.map((place, i) => {
    const [card, least, ...words] = replies[i] as readonly string[]
    const counts = new Map<string, number>()
    for (let at = 0; at < words.length; at += 2) counts.set(words[at] as string, Number(words[at + 1]))
    return { ...place, error: Number(card) >= kept ? Number(least) : 0, whole: Number(card) <= most, counts }
  })
}

/** Every item by the sum of its counts. `only`: of these alone. */
function rank(lists: readonly List[], keys: AnalyticsKeys, only?: ReadonlySet<string>): readonly TopItem[] {
  const sums = new Map<string, number>()
  for (const { counts } of lists)
    for (const [item, count] of counts) if (only?.has(item) ?? true) sums.set(item, (sums.get(item) ?? 0) + count)
  // An item stands in the lists of one part alone.
  const errors = new Map<number, number>()
  for (const { part, error } of lists) errors.set(part, (errors.get(part) ?? 0) + error)
  return [...sums]
    .map(([item, count]) => ({ item, count, error: errors.get(keys.partOf(item)) ?? 0 }))
    .sort((a, b) => b.count - a.count || (a.item < b.item ? -1 : 1))
}

/** Looks the best items up where they stand too low in a list to have been read. */
async function complete(
  redis: Redis,
  keys: AnalyticsKeys,
  dimension: string,
  lists: readonly List[],
  best: readonly TopItem[],
): Promise<void> {
  await Promise.all(
    lists.map(async ({ part, bucket, whole, counts }) => {
      const items = best.map(({ item }) => item).filter((item) => keys.partOf(item) === part && !counts.has(item))
      if (whole || items.length === 0) return
      const key = keys.top(part, bucket, dimension)
      const scores = (await redis.call(key, 'ZMSCORE', [key, ...items], READING)) as readonly (string | null)[]
      for (const [i, score] of scores.entries()) if (score !== null) counts.set(items[i] as string, Number(score))
    }),
  )
}
