import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import type { AnalyticsKeys } from './keys.ts'
import { MOMENTS } from './lot.ts'
import { fillScript } from './lua.generated.ts'
import { cut } from './reader.ts'
import type { Bucket } from './tiers.ts'

export interface FunnelStep {
  readonly event: string
  /** Visitors who came as far as this, in the order of the steps. */
  readonly visitors: number
  /** Of those of the first step, 0 to 1. */
  readonly share: number
  /** One standard error of `visitors`; 0 where all of them are known. */
  readonly error: number
}

const STEP = 1_048_576
const RANKS = 2 ** 32
const SAMPLES = 256
const READING = { operation: 'analytics.funnel', repeat: true }

/** From when to when a visitor was seen in one bucket, in ms, and how exactly that is known. */
type Times = readonly [firstMs: number, lastMs: number]

interface Sample {
  readonly step: number
  readonly bucket: Bucket
  readonly key: Key
}

/**
 * How many visitors did one thing after the other.
 *
 * Every sample holds the visitors of the lowest ranks, and a visitor has the same rank in each. So up to the rank at which the first of them
 * is full all are complete: below it visitors are followed one by one, and the counts are scaled to all.
 */
export async function readFunnel(
  redis: Redis,
  keys: AnalyticsKeys,
  events: readonly string[],
  buckets: readonly Bucket[],
  most: number,
): Promise<readonly FunnelStep[]> {
  const samples = events.flatMap((event, step) =>
    buckets.map((bucket) => ({ step, bucket, key: keys.sample(keys.partOf(event), bucket, event) })),
  )
  const limit = await lowestEnd(redis, keys, events, samples, most)
  const seen = new Map<string, Times[][]>()
  // In lots, so that no more than some of the samples are on the way at once.
  for (const lot of cut(samples, 32))
    await Promise.all(
      lot.map(async (sample) => {
        const args = [sample.key, '-inf', `(${limit * STEP}`, 'BYSCORE', 'WITHSCORES']
        note(seen, sample, events.length, await redis.call(sample.key, 'ZRANGE', args, READING))
      }),
    )
  const reached = events.map(() => 0)
  for (const times of seen.values()) {
    const steps = stepsOf(times)
    for (let step = 0; step < steps; step++) (reached[step] as number)++
  }
  const share = limit / RANKS
  return events.map((event, step) => {
    const count = reached[step] as number
    return {
      event,
      visitors: Math.round(count / share),
      share: count === 0 ? 0 : count / (reached[0] as number),
      error: Math.round(Math.sqrt(count * (1 - share)) / share),
    }
  })
}

/** The rank below which every sample is complete. */
async function lowestEnd(
  redis: Redis,
  keys: AnalyticsKeys,
  events: readonly string[],
  samples: readonly Sample[],
  most: number,
): Promise<number> {
  const byPart = new Map<number, Key[]>()
  for (const { step, key } of samples) {
    const part = keys.partOf(events[step] as string)
    byPart.set(part, [...(byPart.get(part) ?? []), key])
  }
  const lots = [...byPart.values()].flatMap((part) => cut(part, SAMPLES))
  const fills = await Promise.all(lots.map((lot) => fillScript.run(redis, { samples: lot }, {}, READING)))
  let limit = RANKS
  for (const [, ...words] of fills)
    for (const [card, highest] of cut(words.map(Number), 2) as readonly (readonly [number, number])[])
      if (card >= most) limit = Math.min(limit, Math.floor(highest / STEP))
  return Math.max(1, limit)
}

function note(seen: Map<string, Times[][]>, { step, bucket }: Sample, steps: number, reply: Reply): void {
  const words = reply as readonly string[]
  const unit = bucket.tier.ms / MOMENTS
  for (let at = 0; at < words.length; at += 2) {
    const id = words[at] as string
    const times = Number(words[at + 1]) % STEP
    const known = seen.get(id) ?? Array.from({ length: steps }, () => [])
    seen.set(id, known)
    known[step]?.push([bucket.atMs + Math.floor(times / MOMENTS) * unit, bucket.atMs + (times % MOMENTS) * unit])
  }
}

/** How many steps were made one after the other, each at the earliest time that is not before the last one. */
function stepsOf(times: readonly (readonly Times[])[]): number {
  let atMs = Number.NEGATIVE_INFINITY
  for (const [step, marks] of times.entries()) {
    const later = marks.filter(([, lastMs]) => lastMs >= atMs).map(([firstMs]) => Math.max(firstMs, atMs))
    if (later.length === 0) return step
    atMs = Math.min(...later)
  }
  return times.length
}
