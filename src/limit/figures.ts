import type { Bounds, Rule } from './rules.ts'

/** A rule's state at one moment: three numbers, whose meaning is that of `lua/parts/rule.lua` and `kept.lua`. */
export type State = readonly [x: number, y: number, z: number]

/** What one rule says. */
export interface RuleFigures {
  readonly name: string
  readonly algorithm: Rule['algorithm']
  /** False when this rule refuses. */
  readonly allowed: boolean
  readonly limit: number
  /** What could be admitted now, after this call. */
  readonly remaining: number
  readonly perMs: number
  /** When the same cost will be admitted, if nothing else is; 0 when it is now. Of `concurrency`: at the latest, by permits that end by themselves. */
  readonly retryAfterMs: number
  /** When the whole limit is there again, if nothing else is admitted. */
  readonly resetMs: number
}

/** The figures of one rule. `cost` fits if it has been taken, or would be admitted; `taken`: the state is that after it. */
export function figuresOf(
  rule: Rule,
  bounds: Bounds,
  state: State,
  nowUs: number,
  cost: number,
  taken: boolean,
): RuleFigures {
  const { left, retryUs, resetUs } = measure(rule, bounds, state, nowUs, taken ? 0 : cost)
  const { name, algorithm, perMs } = rule
  return {
    ...{ name, algorithm, allowed: taken || retryUs === 0, limit: bounds.limit, perMs },
    ...{ remaining: Math.max(0, left), retryAfterMs: taken ? 0 : msUp(retryUs), resetMs: msUp(resetUs) },
  }
}

/** Whole ms, rounded up: who comes back then is not too early. */
const msUp = (us: number): number => Math.max(0, Math.ceil(us / 1_000))

interface Measure {
  readonly left: number
  readonly retryUs: number
  readonly resetUs: number
}

function measure(
  { algorithm, perUs: per }: Rule,
  { limit, most }: Bounds,
  [x, y, z]: State,
  now: number,
  cost: number,
): Measure {
  switch (algorithm) {
    case 'fixed': {
      const resetUs = y > 0 ? x + per - now : 0
      return { left: most - y, retryUs: y + cost > most ? Math.max(1, resetUs) : 0, resetUs }
    }
    case 'gcra':
    case 'bucket': {
      const over = y + cost * per - most * per
      return {
        left: exactly((most * per - y) / per, (n) => y + n * per <= most * per),
        retryUs: over > 0 ? Math.ceil(over / limit) : 0,
        resetUs: Math.ceil(y / limit),
      }
    }
    case 'sliding':
      return slidingMeasure(per, most, x, y, z, now, cost)
    case 'log':
      return { left: most - x, retryUs: y > 0 ? Math.max(1, y - now) : 0, resetUs: x > 0 ? z + per - now : 0 }
    case 'concurrency':
      return {
        left: most - x,
        retryUs: x + cost > most ? Math.max(1, y - now) : 0,
        resetUs: x > 0 ? Math.max(0, z - now) : 0,
      }
  }
}

/** The whole number at `about` that fits as the scripts reckon: beyond 2^53 a division may round past it. */
function exactly(about: number, fits: (n: number) => boolean): number {
  const n = Math.floor(about)
  return fits(n + 1) ? n + 1 : fits(n) ? n : n - 1
}

function slidingMeasure(
  per: number,
  most: number,
  window: number,
  current: number,
  past: number,
  now: number,
  cost: number,
): Measure {
  const elapsed = Math.max(0, now - window)
  const used = past * (per - elapsed) + current * per
  const resetUs = current > 0 ? 2 * per - elapsed : past > 0 ? per - elapsed : 0
  let retryUs = 0
  if (used + cost * per > most * per) {
    const free = most - current - cost
    // Within this window, as the past one fades; or within the next, as this one does.
    retryUs =
      free >= 0
        ? Math.ceil(per - (free * per) / past) - elapsed
        : per - elapsed + Math.max(0, Math.ceil(per - ((most - cost) * per) / current))
    retryUs = Math.max(1, retryUs)
  }
  const fits = (n: number) => past * (per - elapsed) + (current + n) * per <= most * per
  return { left: exactly((most * per - used) / per, fits), retryUs, resetUs }
}
