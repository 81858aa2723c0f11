import { checkBoolean, checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { LONGEST_WINDOW_MS, MINUTE_MS } from './tiers.ts'

export interface MonitorOptions {
  /** Writes how long the operations of this process take to Redis too, as metrics named `holdfast.cache.get`. Default false. */
  readonly publish?: boolean
  /** How long what `time` measured waits in this process, at most: what a crash loses. Default `'10s'`. */
  readonly flush?: Duration
}

/** What happened to one metric, to be added. */
export interface MetricSample {
  /** How often. Default: as many as `values`, else 1; 0 where only `errors` are told. */
  readonly count?: number
  /** The sum of all `count` values: where there is more than one they count as equal ones. Default 0. */
  readonly value?: number
  /** The values one by one, in place of `count` and `value`. */
  readonly values?: readonly number[]
  /** How often it failed; these are not among `count`. Default 0. */
  readonly errors?: number
}

export interface StatsOptions {
  /** How far back, 1 minute to 90 days. Default `'1h'`. */
  readonly window?: Duration
}

export interface ResolvedMonitorOptions {
  readonly publish: boolean
  readonly flushMs: number
}

export function resolveMonitorOptions(options: MonitorOptions | undefined): ResolvedMonitorOptions {
  checkKnown('monitor', options, ['publish', 'flush'])
  return {
    publish: checkBoolean('monitor.publish', options?.publish ?? false),
    flushMs: toMs(options?.flush ?? '10s', 'monitor.flush', { min: 10, max: MINUTE_MS }),
  }
}

/** A sample as values that each came so often, and errors. */
export interface Resolved {
  readonly values: readonly (readonly [value: number, times: number])[]
  readonly errors: number
}

const MOST_COUNT = 1_000_000_000_000

export function resolveSample(name: string, sample: MetricSample): Resolved {
  const at = (option: string) => `metrics.${name}.${option}`
  if (typeof sample !== 'object' || sample === null)
    throw new ConfigError(`metrics.${name}`, 'an object of count, value, values and errors', sample)
  checkKnown(`metrics.${name}`, sample, ['count', 'value', 'values', 'errors'])
  const { values, value } = sample
  const errors = checkInteger(at('errors'), sample.errors ?? 0, 0, MOST_COUNT)
  if (values !== undefined) {
    if (!Array.isArray(values) || sample.count !== undefined || value !== undefined)
      throw new ConfigError(at('values'), 'an array of numbers, without count and value', values)
    // Not `map` of its own, which leaves holes.
    return { values: Array.from(values, (one, i) => [checkValue(at(`values[${i}]`), one), 1]), errors }
  }
  const least = value === undefined && errors > 0 ? 0 : 1
  const count = checkInteger(at('count'), sample.count ?? least, 0, MOST_COUNT)
  if (value !== undefined && count === 0)
    throw new ConfigError(at('count'), 'at least 1, where there is a value', count)
  return { values: count === 0 ? [] : [[checkValue(at('value'), value ?? 0) / count, count]], errors }
}

export function checkValue(option: string, value: unknown): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 9e12))
    throw new ConfigError(option, 'a number of 0 to 9e12', value)
  return value
}

export function resolveWindow(options: StatsOptions | undefined): number {
  checkKnown('options', options, ['window'])
  return toMs(options?.window ?? '1h', 'window', { min: MINUTE_MS, max: LONGEST_WINDOW_MS })
}
