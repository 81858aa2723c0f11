/** How coarse time is kept. Buckets begin at multiples of their length since 1970, in UTC. */
export const TIERS = [
  { name: 'minute', letter: 'm', ms: 60_000 },
  { name: 'hour', letter: 'h', ms: 3_600_000 },
  { name: 'day', letter: 'd', ms: 86_400_000 },
] as const

export type Tier = (typeof TIERS)[number]
export type TierName = Tier['name']

/** For how long each tier's buckets are kept after they ended, in ms. */
export type Keep = Readonly<Record<TierName, number>>

export interface Bucket {
  readonly tier: Tier
  readonly atMs: number
}

/** Buckets that follow each other, and the time that they span: at least what was asked for, as far as it is kept. */
export interface Cover {
  readonly fromMs: number
  readonly toMs: number
  readonly buckets: readonly Bucket[]
}

export const floorTo = (atMs: number, ms: number): number => atMs - (((atMs % ms) + ms) % ms)

export const isKept = (tier: Tier, atMs: number, nowMs: number, keep: Keep): boolean =>
  floorTo(atMs, tier.ms) + tier.ms + keep[tier.name] > nowMs

/**
 * The fewest buckets that cover a time. It is widened to whole buckets of the finest tier that is still kept at each of its ends; where the
 * end is now, a bucket under way is whole, since nothing of it lies ahead.
 *
 * tiers  which may be used, the finest first
 */
export function coverOf(
  fromMs: number,
  toMs: number,
  nowMs: number,
  keep: Keep,
  tiers: readonly Tier[] = TIERS,
): Cover {
  const coarsest = tiers.at(-1) as Tier
  const oldestMs = nowMs - keep[coarsest.name]
  const startMs = Math.max(fromMs, oldestMs)
  const first = tiers.find((tier) => isKept(tier, startMs, nowMs, keep)) ?? coarsest
  const buckets: Bucket[] = []
  const isOpen = toMs >= nowMs
  let atMs = floorTo(startMs, first.ms)
  const beginMs = atMs
  while (atMs < toMs) {
    const fitting = tiers.filter((tier) => atMs % tier.ms === 0 && isKept(tier, atMs, nowMs, keep))
    const tier = fitting.findLast(({ ms }) => isOpen || atMs + ms <= toMs) ?? fitting[0] ?? coarsest
    buckets.push({ tier, atMs })
    atMs += tier.ms
  }
  return { fromMs: beginMs, toMs: Math.min(atMs, Math.max(toMs, nowMs)), buckets }
}
