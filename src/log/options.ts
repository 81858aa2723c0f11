import { checkBoolean, checkFunction, checkInteger, checkKnown, checkName, checkSignal } from '../base/check.ts'
import { LONGEST_TIMER_MS } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import type { LogEntry } from './entry.ts'

export interface LogOptions<T = unknown> {
  /** What may be removed, at the old end. Default: nothing, ever. */
  readonly retention?: RetentionOptions<T>
  /** How long an `id` that an appender gave is remembered, at least. Default `'10m'`. */
  readonly dedupe?: Duration
}

export interface RetentionOptions<T = unknown> {
  /** Older entries may go. */
  readonly maxAge?: Duration
  /** Of more entries than this the oldest may go, 1 to 1 billion. */
  readonly maxLength?: number
  /** Gets entries before they go, in order, up to 100 at once and by one process of the fleet; they stay until it has answered. */
  readonly archive?: (entries: readonly LogEntry<T>[]) => Promise<unknown> | unknown
  /** How often each process that uses the log looks for what may go. Default `'5s'`. */
  readonly every?: Duration
}

export interface AppendOptions {
  /** What the entry is about; any text of at most 512 bytes. */
  readonly key?: string
  /** The appender's own id: appended once, however often it is tried, for as long as `dedupe` says. */
  readonly id?: string
}

export interface AppendManyOptions<T> {
  readonly key?: (data: T, index: number) => string
  readonly id?: (data: T, index: number) => string
}

/** Where to begin: with the first entry there is, with what comes from now on, with an entry's id, or with a moment. */
export type LogPoint = 'first' | 'now' | Date | (string & {})

export interface GroupOptions {
  /** Where a group begins that does not exist yet. Default `'first'`. One that exists goes on where it stands. */
  readonly from?: LogPoint
  /** Give up what this group has not done when it is older than this, if `retention` would remove it. Default: never. */
  readonly dropAfter?: Duration
  /** Dead entries that are kept; beyond, the oldest go. 1 to 10 million, default 10,000. */
  readonly keepDead?: number
  readonly retry?: {
    /** Tries in all before an entry is dead. Default 5. */
    readonly attempts?: number
    /** Wait before the second try; doubles, with jitter. Default `'1s'`. */
    readonly base?: Duration
    /** Longest wait. Default `'5m'`. */
    readonly max?: Duration
  }
}

export interface ProcessOptions {
  /** Most handlers at work at once in this process. Default 1. */
  readonly concurrency?: number
  /**
   * `true`: one after another in the whole fleet, and none before the one before it is done or dead: other processes stand by. Default true
   * where `concurrency` is 1, and only there possible. `'key'`: the same among the entries of one `key`, while others run; those without a
   * key run as they come. In every process of the group the same.
   */
  readonly ordered?: boolean | 'key'
  /** How long this process may be silent before others get what it works on. Default `'15s'`. */
  readonly lease?: Duration
  /** How long a handler may take: then its signal fires, and that counts as a failure. Default `'5m'`. */
  readonly timeout?: Duration
  /** Told of each failure of a handler, and of Redis. Default: nobody. */
  readonly onError?: (error: unknown, entries: readonly LogEntry<unknown>[]) => void
}

export interface ProcessBatchOptions extends ProcessOptions {
  /** Most entries that a handler is given at once, 1 to 1,000. Default 100. */
  readonly batch?: number
}

export interface ReadOptions {
  /** The first entry of the answer, be it there or not. Default `'first'`. */
  readonly from?: 'first' | Date | (string & {})
  /** In place of `from`: begins right after this id. */
  readonly after?: string
  /** Most entries, 1 to 10,000. Default 100. */
  readonly limit?: number
  readonly signal?: AbortSignal
}

export interface IterateOptions {
  readonly from?: LogPoint
  readonly after?: string
  /** Go on with what is appended later. Default false: ends at the end. */
  readonly follow?: boolean
  readonly signal?: AbortSignal
}

export interface ResolvedLogOptions {
  readonly maxAgeMs: number
  readonly maxLength: number
  readonly archive: ((entries: readonly LogEntry<never>[]) => unknown) | undefined
  readonly everyMs: number
  readonly dedupeMs: number
}

export function resolveLogOptions<T>(options: LogOptions<T> = {}): ResolvedLogOptions {
  checkKnown('', options, ['retention', 'dedupe'])
  const { retention = {} } = options
  checkKnown('retention', retention, ['maxAge', 'maxLength', 'archive', 'every'])
  const { maxAge, maxLength, archive, every = '5s' } = retention
  return {
    maxAgeMs: maxAge === undefined ? -1 : toMs(maxAge, 'retention.maxAge'),
    maxLength: maxLength === undefined ? -1 : checkInteger('retention.maxLength', maxLength, 1, 1_000_000_000),
    archive: checkFunction('retention.archive', archive as ResolvedLogOptions['archive']),
    everyMs: toMs(every, 'retention.every'),
    dedupeMs: toMs(options.dedupe ?? '10m', 'dedupe', { min: 1_000 }),
  }
}

export interface ResolvedGroupOptions {
  /** As `log/open` takes it. */
  readonly from: string
  readonly dropMs: number
  readonly keepDead: number
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
}

export function resolveGroupOptions(options: GroupOptions = {}): ResolvedGroupOptions {
  checkKnown('', options, ['from', 'dropAfter', 'retry', 'keepDead'])
  const { from = 'first', dropAfter, retry = {}, keepDead = 10_000 } = options
  checkKnown('retry', retry, ['attempts', 'base', 'max'])
  return {
    from: checkPoint(from),
    keepDead: checkInteger('keepDead', keepDead, 1, 1e7),
    dropMs: dropAfter === undefined ? -1 : toMs(dropAfter, 'dropAfter'),
    attempts: checkInteger('retry.attempts', retry.attempts ?? 5, 1, 1_000),
    baseMs: toMs(retry.base ?? '1s', 'retry.base'),
    maxMs: toMs(retry.max ?? '5m', 'retry.max'),
  }
}

/** A point as scripts take it. */
export const checkPoint = (from: unknown): string => (from === 'first' || from === 'now' ? from : toId('from', from))

export interface ResolvedProcessOptions {
  readonly concurrency: number
  readonly batch: number
  readonly order: 'none' | 'all' | 'key'
  readonly leaseMs: number
  readonly timeoutMs: number
  readonly onError: (error: unknown, entries: readonly LogEntry<unknown>[]) => void
}

/** Entries that one consumer works on at most: so many are looked through by one call when an answer was lost. */
const MOST_HELD = 1_000

export function resolveProcessOptions(options: ProcessBatchOptions = {}, batches: boolean): ResolvedProcessOptions {
  const known = ['concurrency', 'ordered', 'lease', 'timeout', 'onError']
  checkKnown('', options, batches ? [...known, 'batch'] : known)
  const concurrency = checkInteger('concurrency', options.concurrency ?? 1, 1, 1_000)
  const { ordered = concurrency === 1 } = options
  const order = ordered === 'key' ? 'key' : checkBoolean('ordered', ordered) ? 'all' : 'none'
  if (order === 'all' && concurrency > 1)
    throw new ConfigError('ordered', "false or 'key', since concurrency is above 1", ordered)
  const batch = batches ? checkInteger('batch', options.batch ?? 100, 1, MOST_HELD) : 1
  if (concurrency * batch > MOST_HELD)
    throw new ConfigError('batch', `at most ${Math.floor(MOST_HELD / concurrency)}, with that concurrency`, batch)
  return {
    concurrency,
    batch,
    order,
    leaseMs: toMs(options.lease ?? '15s', 'lease', { min: 100, max: LONGEST_TIMER_MS }),
    timeoutMs: toMs(options.timeout ?? '5m', 'timeout', { max: LONGEST_TIMER_MS }),
    onError: checkFunction('onError', options.onError) ?? (() => {}),
  }
}

/** A point in a log as the id that is the first from there on. */
export function toId(option: string, point: unknown): string {
  if (point instanceof Date && Number.isFinite(point.getTime())) return `${Math.max(0, Math.ceil(point.getTime()))}-0`
  if (typeof point === 'string' && /^\d{1,16}-\d{1,16}$/.test(point)) return point
  throw new ConfigError(option, "'first', 'now', an id such as 1700000000000-0, or a Date", point)
}

export function checkRead(options: ReadOptions): {
  readonly start: string
  readonly limit: number
  readonly signal: AbortSignal | undefined
} {
  checkKnown('options', options, ['from', 'after', 'limit', 'signal'])
  const { from = 'first', after, limit = 100, signal } = options
  return {
    start: startOf(from, after),
    limit: checkInteger('limit', limit, 1, 10_000),
    signal: checkSignal(signal),
  }
}

/** The start of a range, as XRANGE takes it. */
export function startOf(from: unknown, after: unknown): string {
  if (after !== undefined) return `(${toId('after', after)}`
  return from === 'first' ? '-' : toId('from', from)
}

export function checkAppend(options: AppendOptions): void {
  checkKnown('options', options, ['key', 'id'])
  if (options.key !== undefined) checkName('key', options.key)
  if (options.id !== undefined) checkName('id', options.id)
}
