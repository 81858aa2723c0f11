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
/** Entries of all lists that are read at first, and at most. */
const ENTRIES = 50_000
const MOST_ENTRIES = 1_000_000
/** Items whose missing counts are looked up one by one. */
const MOST_LOOKUPS = 1_000
const READING = { operation: 'analytics.top', repeat: true }

interface List {
  readonly part: number
  readonly bucket: Bucket
  /** By how much any count of this list may be off: the least one, where the list is full. */
  readonly error: number
  /** Most that an item may have which stands in it and was not read; 0 where all were. */
  readonly rest: number
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
  const lots = places.flatMap((part) => cut(part, LISTS))
  const deep = (entries: number) =>
    Math.min(kept, Math.max(4 * n, Math.floor(entries / Math.max(1, buckets.length * keys.spread))))
  for (let each = deep(ENTRIES); ; each = Math.min(4 * each, deep(MOST_ENTRIES))) {
    const lists = (await Promise.all(lots.map((lot) => readLists(redis, keys, dimension, lot, each, kept)))).flat()
    const { items, hidden } = await settle(redis, keys, dimension, lists, n)
    if (hidden === 0) return items
    // As far as is read: what may be missing is within the error.
    if (each >= deep(MOST_ENTRIES)) return items.map((one) => ({ ...one, error: Math.max(one.error, hidden) }))
  }
}

/** The best `n` of what was read. `hidden`: hits that one may have which is not among them and should be; 0 where none can be. */
async function settle(
  redis: Redis,
  keys: AnalyticsKeys,
  dimension: string,
  lists: readonly List[],
  n: number,
): Promise<{ readonly items: readonly TopItem[]; readonly hidden: number }> {
  const seen = rank(lists, keys)
  const rests = sumByPart(lists, ({ rest }) => rest)
  const mostUnread = Math.max(0, ...rests.values())
  if (mostUnread === 0) return { items: seen.slice(0, n), hidden: 0 }
  const best = seen.slice(0, 2 * n)
  await complete(redis, keys, dimension, lists, best)
  const told = rank(lists, keys, new Set(best.map(({ item }) => item)))
  const least = told[n - 1]?.count ?? 0
  // With what they may have where they were not read, these might be among the best, too.
  const mayBe = seen.slice(2 * n).filter(({ item, count }) => count + (rests.get(keys.partOf(item)) ?? 0) > least)
  const others = mayBe.slice(0, MOST_LOOKUPS)
  await complete(redis, keys, dimension, lists, others)
  const items = rank(lists, keys, new Set([...best, ...others].map(({ item }) => item))).slice(0, n)
  const floor = items[n - 1]?.count ?? 0
  const [next] = mayBe.slice(MOST_LOOKUPS)
  const most = Math.max(mostUnread, next === undefined ? 0 : next.count + mostUnread)
  return { items, hidden: most > floor ? most : 0 }
}

function sumByPart(lists: readonly List[], of: (list: List) => number): ReadonlyMap<number, number> {
  const sums = new Map<number, number>()
  for (const list of lists) sums.set(list.part, (sums.get(list.part) ?? 0) + of(list))
  return sums
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
    const rest = Number(card) <= most ? 0 : Number(words.at(-1))
    return { ...place, error: Number(card) >= kept ? Number(least) : 0, rest, counts }
  })
}

/** Every item by the sum of its counts. `only`: of these alone. */
function rank(lists: readonly List[], keys: AnalyticsKeys, only?: ReadonlySet<string>): readonly TopItem[] {
  const sums = new Map<string, number>()
  for (const { counts } of lists)
    for (const [item, count] of counts) if (only?.has(item) ?? true) sums.set(item, (sums.get(item) ?? 0) + count)
  // An item stands in the lists of one part alone.
  const errors = sumByPart(lists, ({ error }) => error)
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
    lists.map(async ({ part, bucket, rest, counts }) => {
      if (rest === 0) return
      const items = best.map(({ item }) => item).filter((item) => keys.partOf(item) === part && !counts.has(item))
      if (items.length === 0) return
      const key = keys.top(part, bucket, dimension)
      const scores = (await redis.call(key, 'ZMSCORE', [key, ...items], READING)) as readonly (string | null)[]
      for (const [i, score] of scores.entries()) if (score !== null) counts.set(items[i] as string, Number(score))
    }),
  )
}
