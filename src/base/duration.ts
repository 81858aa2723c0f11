import { ConfigError } from './errors.ts'

/** How long: a number of milliseconds, or words: `'250ms' '10s' '5m' '1h' '7d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** 2^53 ms would overflow Redis' own arithmetic on deadlines; a century is beyond any use. */
const LONGEST_MS = 100 * 365 * 86_400_000

export interface DurationBounds {
  /** Smallest value allowed, in ms. Default 1. */
  readonly min?: number
  /** Largest value allowed, in ms. Default a century. */
  readonly max?: number
}

const FORM = "a number of milliseconds or a duration such as '250ms', '10s', '5m', '1h' or '7d'"

/** A duration as whole milliseconds, or a ConfigError that names `option`. */
export function toMs(value: Duration, option: string, bounds: DurationBounds = {}): number {
  const { min = 1, max = LONGEST_MS } = bounds
  const ms = typeof value === 'number' ? value : parse(value)
  if (!Number.isFinite(ms)) throw new ConfigError(option, FORM, value)
  const rounded = Math.round(ms)
  if (rounded < min || rounded > max)
    throw new ConfigError(option, `a duration of ${words(min)} to ${words(max)}`, value)
  return rounded
}

/** As it may be written: in the longest unit that it is whole in. */
function words(ms: number): string {
  const [unit, size] = Object.entries(UNITS).findLast(([, size]) => ms >= size && ms % size === 0) ?? ['ms', 1]
  return `'${ms / size}${unit}'`
}

function parse(text: unknown): number {
  if (typeof text !== 'string') return Number.NaN
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim())
  return match === null ? Number.NaN : Number(match[1]) * (UNITS[match[2] as string] as number)
}
