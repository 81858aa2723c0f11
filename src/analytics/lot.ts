import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import { type AnalyticsKeys, fields } from './keys.ts'
import type { ResolvedAnalyticsOptions } from './options.ts'
import type { Mark } from './pending.ts'
import { TOKEN } from './recent.ts'
import { type Bucket, floorTo, isKept, TIERS, type Tier } from './tiers.ts'

/** Visitors of an event are sampled where a window of them may be wanted: a minute has few of them, and there are many minutes. */
export const SAMPLED: readonly Tier[] = TIERS.slice(1)
/** The first and the last time of a visitor in a sample are known to this share of its bucket. */
export const MOMENTS = 1_024

/** What one run of `lua/add` is given, but for its number: the same at each attempt. */
export interface Lot {
  readonly more: readonly Key[]
  readonly rest: readonly string[]
}

/** Marks of one part as the words of a script. */
export function lotOf(
  marks: readonly Mark[],
  part: number,
  keys: AnalyticsKeys,
  options: ResolvedAnalyticsOptions,
  nowMs: number,
): Lot {
  const more: Key[] = []
  const ends: string[] = []
  const ops: string[] = []
  const known = new Map<Key, number>()

  /** The number of the first of these keys among the script's; they stand side by side. */
  const place = (group: readonly Key[], groupEnds: readonly number[]): string => {
    const [first] = group as [Key]
    const at = known.get(first) ?? more.length + 2
    if (!known.has(first)) {
      known.set(first, at)
      more.push(...group)
      ends.push(...groupEnds.map(String))
    }
    return String(at)
  }
  const bucketsOf = (minuteMs: number, tiers: readonly Tier[] = TIERS): readonly Bucket[] =>
    tiers
      .filter((tier) => isKept(tier, minuteMs, nowMs, options.keep))
      .map((tier) => ({ tier, atMs: floorTo(minuteMs, tier.ms) }))
  const endsOf = (buckets: readonly Bucket[]) =>
    buckets.map(({ tier, atMs }) => atMs + tier.ms + options.keep[tier.name])
  const op = (
    kind: string,
    buckets: readonly Bucket[],
    keyOf: (bucket: Bucket) => Key,
    ...words: readonly string[]
  ) => {
    if (buckets.length > 0) ops.push(kind, place(buckets.map(keyOf), endsOf(buckets)), String(buckets.length), ...words)
  }
  const countsOf = (bucket: Bucket) => keys.counts(part, bucket)

  const addEvent = ({ minuteMs, name, count, sums, visitors }: Mark) => {
    const buckets = bucketsOf(minuteMs)
    if (count > 0) op('c', buckets, countsOf, fields.event(name), String(count))
    for (const [field, by] of sums) op('f', buckets, countsOf, fields.sum(name, field), String(by))
    if (visitors.size === 0) return
    const sampled = bucketsOf(minuteMs, SAMPLED)
    const words = [...visitors].flatMap(([id, { rank, firstMs, lastMs }]) => [
      ...[id, String(rank)],
      ...sampled.flatMap(({ tier, atMs }) =>
        [firstMs, lastMs].map((ms) => String(Math.floor(((ms - atMs) * MOMENTS) / tier.ms))),
      ),
    ])
    op(
      's',
      sampled,
      (bucket) => keys.sample(part, bucket, name),
      String(options.sample),
      String(visitors.size),
      ...words,
    )
  }
  const addDimension = ({ minuteMs, name, count, visitors }: Mark) => {
    const buckets = bucketsOf(minuteMs)
    if (count > 0) op('c', buckets, countsOf, fields.dimension(name), String(count))
    if (visitors.size > 0)
      op('u', buckets, (bucket) => keys.visitors(part, bucket, name), String(visitors.size), ...visitors.keys())
  }
  const addItem = ({ minuteMs, name, item, count, visitors }: Mark) => {
    const buckets = bucketsOf(minuteMs)
    if (buckets.length === 0) return
    if (count > 0)
      op('t', buckets, (bucket) => keys.top(part, bucket, name), String(options.items), item, String(count))
    if (visitors.size === 0 || options.uniqueItems === 0) return
    const group = [...buckets.map((bucket) => keys.visitors(part, bucket, name, item)), ...buckets.map(countsOf)]
    const at = place(group, [...endsOf(buckets), ...endsOf(buckets)])
    const counter = [String(options.uniqueItems), fields.items(name), String(visitors.size)]
    ops.push('i', at, String(buckets.length), ...counter, ...visitors.keys())
  }
  const addRecent = ({ name, recent }: Mark) => {
    if (recent.length === 0) return
    const at = place([keys.recent(part, name)], [Math.ceil(nowMs) + options.keep.day])
    const words = recent.flatMap(({ atMs, fields }) => [String(atMs), `${randomId(TOKEN)}${JSON.stringify(fields)}`])
    ops.push('r', at, '1', String(options.recent), String(recent.length), ...words)
  }
  const add = { event: addEvent, dimension: addDimension, item: addItem, recent: addRecent } as const
  for (const mark of marks) add[mark.kind](mark)
  return { more, rest: [...ends, ...ops] }
}
