import { checkFunction, checkInteger, checkKnown, checkOneOf } from '../base/check.ts'
import { LONGEST_TIMER_MS } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'

export type WriteOptions<T> = WriteThroughOptions<T> | WriteBehindOptions<T>

export interface WriteThroughOptions<T> {
  /** `'through'`: `set` persists first, then caches; if persisting fails, nothing is cached. */
  readonly mode: 'through'
  readonly persist: (id: string, value: T) => Promise<unknown> | unknown
  readonly retry?: WriteRetryOptions
}

export interface WriteBehindOptions<T> {
  /** `'behind'`: `set` and `delete` are on record in Redis at once, seen by all readers, and persisted a little later. */
  readonly mode: 'behind'
  /**
   * Writes some entries to the system of record: the latest of each id, all or none. May come twice, and should write only where its version
   * is above the one that is there.
   */
  readonly persist: (
    entries: readonly WrittenEntry<T>[],
    context: { readonly signal: AbortSignal },
  ) => Promise<unknown> | unknown
  readonly batch?: {
    /** Most entries at once, 1 to 1,000. Default 100. */
    readonly size?: number
    /** How long after the first write of an id it is persisted; what is written meanwhile is one write with it. Default `'100ms'`. */
    readonly delay?: Duration
  }
  /** `attempts`: by itself, while the system of record takes others, before it is given up. Default 10, `'100ms'` and `'30s'`. */
  readonly retry?: WriteRetryOptions
  /** What fails by itself is given up when it was written so long ago, also while the system of record takes nothing. Default `'1h'`. */
  readonly giveUpAfter?: Duration
  /** How long `persist` may take: then its signal fires, and that counts as a failure. Default `'30s'`. */
  readonly timeout?: Duration
  /** How old a write may grow that is not persisted. Then writes persist what is there first, and wait for that. Default `'1m'`. */
  readonly maxDirtyAge?: Duration
  /** How many ids may be written and not persisted, about: an eighth of it in each of eight places. Default 10,000. */
  readonly maxDirtyCount?: number
  /** Told of what `persist` throws, and of Redis. Default: nobody. */
  readonly onError?: (error: unknown) => void
}

export interface WriteRetryOptions {
  /** Tries in all. Default 3. */
  readonly attempts?: number
  /** Wait before the first repeat; doubles, with jitter. Default `'50ms'`. */
  readonly base?: Duration
  /** Longest wait. Default `'2s'`. */
  readonly max?: Duration
}

/** A write that is to be persisted. */
export type WrittenEntry<T> = Written<T> & {
  readonly id: string
  /** Above that of every write of this id before it. Below 2^53 until the year 2255. */
  readonly version: bigint
}

/** `deleted` tells whether there is a value. */
type Written<T> = { readonly deleted: false; readonly value: T } | { readonly deleted: true; readonly value: undefined }

export interface ResolvedWrite {
  readonly mode: 'through' | 'behind'
  readonly persist: (...args: never[]) => unknown
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
  /** With `'behind'`. */
  readonly behind: ResolvedBehind | undefined
}

export interface ResolvedBehind {
  readonly batch: number
  readonly delayMs: number
  readonly timeoutMs: number
  readonly giveUpMs: number
  readonly oldestMs: number
  readonly most: number
  readonly onError: (error: unknown) => void
}

export function resolveWrite<T>(write: WriteOptions<T> | undefined): ResolvedWrite | undefined {
  if (write === undefined) return undefined
  const behind = ['batch', 'timeout', 'giveUpAfter', 'maxDirtyAge', 'maxDirtyCount', 'onError']
  checkOneOf('write.mode', (write as typeof write | null)?.mode, ['through', 'behind'])
  const isBehind = write.mode === 'behind'
  checkKnown('write', write, ['mode', 'persist', 'retry', ...(isBehind ? behind : [])])
  if (typeof write.persist !== 'function')
    throw new ConfigError('write.persist', `a function (${isBehind ? 'entries' : 'id, value'})`, write.persist)
  const { retry = {} } = write
  checkKnown('write.retry', retry, ['attempts', 'base', 'max'])
  return {
    mode: write.mode,
    persist: write.persist as (...args: never[]) => unknown,
    attempts: checkInteger('write.retry.attempts', retry.attempts ?? (isBehind ? 10 : 3), 1, 1_000),
    baseMs: toMs(retry.base ?? (isBehind ? '100ms' : '50ms'), 'write.retry.base'),
    maxMs: toMs(retry.max ?? (isBehind ? '30s' : '2s'), 'write.retry.max'),
    behind: isBehind ? resolveBehind(write) : undefined,
  }
}

function resolveBehind<T>(write: WriteBehindOptions<T>): ResolvedBehind {
  const { batch = {}, timeout = '30s', giveUpAfter = '1h' } = write
  const { maxDirtyAge = '1m', maxDirtyCount = 10_000 } = write
  checkKnown('write.batch', batch, ['size', 'delay'])
  return {
    batch: checkInteger('write.batch.size', batch.size ?? 100, 1, 1_000),
    delayMs: toMs(batch.delay ?? '100ms', 'write.batch.delay', { min: 0 }),
    timeoutMs: toMs(timeout, 'write.timeout', { max: LONGEST_TIMER_MS }),
    giveUpMs: toMs(giveUpAfter, 'write.giveUpAfter'),
    oldestMs: toMs(maxDirtyAge, 'write.maxDirtyAge'),
    most: checkInteger('write.maxDirtyCount', maxDirtyCount, 8, 10_000_000),
    onError: checkFunction('write.onError', write.onError) ?? NOBODY,
  }
}

const NOBODY = () => {}
