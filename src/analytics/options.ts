import { checkBoolean, checkInteger, checkKnown, checkText } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { floorTo, isKept, type Keep, TIERS } from './tiers.ts'

/** What a mark may carry, at most 64: numbers up to 10^15 are summed by name, all of it is shown by `recent`, strings up to 1,024 letters. */
export type EventFields = Readonly<Record<string, string | number | boolean | null | undefined>>

export interface AnalyticsOptions {
  /** For how long buckets are kept after they ended. Default minutes `'6h'`, hours `'14d'`, days `'400d'`. */
  readonly keep?: { readonly minute?: Duration; readonly hour?: Duration; readonly day?: Duration }
  /** Slots over which one name is spread, 1 to 64: for a name that is too hot for one server. Another number begins anew. Default 1. */
  readonly spread?: number
  /** Items that the top list of a bucket keeps, 10 to 10,000; the same in all processes. What it says is off by at most hits / items. Default 500. */
  readonly items?: number
  /** Items of a bucket whose visitors are counted one by one, 0 to 100,000. Default 5,000. */
  readonly uniqueItems?: number
  /** Newest events that are kept of each, 0 to 100,000. Default 1,000. */
  readonly recent?: number
  /** Visitors of an event and a bucket by whom funnels are counted, 0 to 16,384: exact up to so many, sampled above. Default 1,024. */
  readonly sample?: number
  /** When what was counted is sent: after so long, or so many. Default every `'1s'`, at 5,000 marks. */
  readonly flush?: { readonly every?: Duration; readonly count?: number }
  /** Marks that this process keeps while Redis is away, 100 to 10 million; what comes beyond is dropped, and counted. Default 100,000. */
  readonly buffer?: number
}

export interface MarkOptions {
  /** Who: any string, of which only a hash leaves the process. */
  readonly visitor?: string
  /** When, in ms since 1970 or a Date. Default now, by the server's clock. */
  readonly at?: number | Date
  /** Wait until it is stored, and learn by an error that it is not yet. Default false. */
  readonly sync?: boolean
}

export interface WindowOptions {
  /** How far back from `until`; widened to whole buckets, see `docs/analytics.md`. */
  readonly window: Duration
  /** The end, in ms since 1970 or a Date. Default now. */
  readonly until?: number | Date
}

export interface SeriesOptions extends WindowOptions {
  /** Time between two points, whole minutes. Default the finest that is kept for the whole window. */
  readonly step?: Duration
  /** Whose sum to tell. Default none. */
  readonly field?: string
}

export interface RateOptions extends WindowOptions {
  /** Per how long. Default `'1s'`. */
  readonly per?: Duration
}

export interface ExportOptions extends WindowOptions {
  /** Which buckets to tell. Default the finest that are kept for the whole window. */
  readonly tier?: 'minute' | 'hour' | 'day'
}

export interface ResolvedAnalyticsOptions {
  readonly keep: Keep
  readonly spread: number
  readonly items: number
  readonly uniqueItems: number
  readonly recent: number
  readonly sample: number
  readonly flushMs: number
  readonly flushCount: number
  readonly buffer: number
}

const KNOWN = ['keep', 'spread', 'items', 'uniqueItems', 'recent', 'sample', 'flush', 'buffer']

export function resolveAnalyticsOptions(options: AnalyticsOptions = {}): ResolvedAnalyticsOptions {
  checkKnown('', options, KNOWN)
  const { keep = {}, flush = {} } = options
  checkKnown('keep', keep, ['minute', 'hour', 'day'])
  checkKnown('flush', flush, ['every', 'count'])
  const longest = { max: 3_650 * 86_400_000 }
  const minute = toMs(keep.minute ?? '6h', 'keep.minute', { min: 60_000, ...longest })
  // A coarser tier that goes before a finer one would tell less of yesterday than of last year.
  const hour = toMs(keep.hour ?? '14d', 'keep.hour', { min: Math.max(minute, 3_600_000), ...longest })
  const day = toMs(keep.day ?? '400d', 'keep.day', { min: Math.max(hour, 86_400_000), ...longest })
  return {
    keep: { minute, hour, day },
    spread: checkInteger('spread', options.spread ?? 1, 1, 64),
    items: checkInteger('items', options.items ?? 500, 10, 10_000),
    uniqueItems: checkInteger('uniqueItems', options.uniqueItems ?? 5_000, 0, 100_000),
    recent: checkInteger('recent', options.recent ?? 1_000, 0, 100_000),
    sample: checkInteger('sample', options.sample ?? 1_024, 0, 16_384),
    flushMs: toMs(flush.every ?? '1s', 'flush.every', { min: 10, max: 3_600_000 }),
    flushCount: checkInteger('flush.count', flush.count ?? 5_000, 1, 10_000_000),
    buffer: checkInteger('buffer', options.buffer ?? 100_000, 100, 10_000_000),
  }
}

export interface CheckedMark {
  readonly visitor: string | undefined
  readonly atMs: number
  readonly sync: boolean
}

export function checkMark(options: MarkOptions | undefined, nowMs: number): CheckedMark {
  if (options === undefined) return { visitor: undefined, atMs: nowMs, sync: false }
  checkKnown('options', options, ['visitor', 'at', 'sync'])
  const { visitor, at, sync = false } = options
  if (visitor !== undefined && typeof visitor !== 'string') throw new ConfigError('visitor', 'a string', visitor)
  return { visitor, atMs: at === undefined ? nowMs : checkAt('at', at), sync: checkBoolean('sync', sync) }
}

function checkAt(option: string, at: unknown): number {
  const ms = at instanceof Date ? at.getTime() : at
  if (typeof ms !== 'number' || !(Math.abs(ms) <= 8.64e15))
    throw new ConfigError(option, 'ms since 1970, or a Date', at)
  return Math.floor(ms)
}

export interface Span {
  readonly fromMs: number
  readonly toMs: number
  readonly nowMs: number
}

/** The time that a reader is asked for. `more`: what else its options may have. */
export function checkWindow(options: WindowOptions, nowMs: number, keep: Keep, more: readonly string[] = []): Span {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('options', "an object with at least { window: '1h' }", options)
  checkKnown('options', options, ['window', 'until', ...more])
  const windowMs = toMs(options.window, 'window', { min: 1, max: keep.day })
  const toUntilMs = options.until === undefined ? nowMs : Math.min(checkAt('until', options.until), nowMs)
  return { fromMs: toUntilMs - windowMs, toMs: toUntilMs, nowMs }
}

/** Points of one series, and buckets that one is read from. */
const MOST_BUCKETS = 20_000

export interface Steps {
  readonly stepMs: number
  readonly tier: (typeof TIERS)[number]
  /** The start of the first step: at or before that of the window, or, where that is not kept whole any more, of the next one. */
  readonly fromMs: number
  readonly count: number
}

/** The steps of a series, and the coarsest tier that each is a whole number of. */
export function checkSteps(step: Duration | undefined, span: Span, keep: Keep): Steps {
  const { toMs: endMs, nowMs } = span
  const fromMs = Math.max(span.fromMs, nowMs - keep.day)
  const kept = TIERS.filter((tier) => isKept(tier, fromMs, nowMs, keep))
  const finest = kept[0] ?? TIERS[2]
  const stepMs = step === undefined ? finest.ms : toMs(step, 'step', { min: 60_000 })
  const tier = kept.findLast(({ ms }) => stepMs % ms === 0)
  if (tier === undefined)
    throw new ConfigError('step', `whole ${finest.name}s, which is what is kept for all of this window`, step)
  let startMs = floorTo(fromMs, stepMs)
  if (!isKept(tier, startMs, nowMs, keep)) startMs += stepMs
  const count = Math.max(0, Math.ceil((endMs - startMs) / stepMs))
  if ((count * stepMs) / tier.ms > MOST_BUCKETS)
    throw new ConfigError('step', `so many steps that the window takes at most ${MOST_BUCKETS} ${tier.name}s`, step)
  return { stepMs, tier, fromMs: startMs, count }
}

const MOST_FIELDS = 64
const MOST_LETTERS = 1_024

/** Fields as they are kept: what is undefined is left out, and a long string cut, for what a visitor types is no error of ours. */
export function checkFields(fields: EventFields | undefined): EventFields {
  if (fields === undefined) return NO_FIELDS
  if (typeof fields !== 'object' || fields === null || Array.isArray(fields))
    throw new ConfigError('fields', 'an object of numbers, strings and booleans', fields)
  const names = Object.keys(fields)
  if (names.length > MOST_FIELDS) throw new ConfigError('fields', `at most ${MOST_FIELDS} fields`, fields)
  let long: Record<string, string> | undefined
  for (const name of names) {
    const value = fields[name]
    checkText('fields', name)
    if (typeof value === 'number' ? Math.abs(value) <= 1e15 : isWord(value)) continue
    if (typeof value !== 'string')
      throw new ConfigError(`fields.${name}`, 'a number of at most 10^15, a string, true, false or null', value)
    long ??= Object.create(null) as Record<string, string>
    long[name] = `${value.slice(0, MOST_LETTERS - 1).replace(/[\ud800-\udbff]$/, '')}…`
  }
  // What the caller does with its object afterwards is its own affair.
  return { ...fields, ...long }
}

const NO_FIELDS: EventFields = {}
const isWord = (value: unknown): boolean =>
  value == null || typeof value === 'boolean' || (typeof value === 'string' && value.length <= MOST_LETTERS)
