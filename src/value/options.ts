import { checkFunction, checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'

export interface ValueOptions {
  /** How long a value lasts after each write. Default: until it is deleted. */
  readonly ttl?: Duration
  /** Entries that the log keeps, 1 to 1 million; older ones go. Default 1,000. */
  readonly keepLog?: number
}

export interface ValueCallOptions {
  /** Stops waiting with `signal.reason`; a write that was sent may stand. */
  readonly signal?: AbortSignal
}

export interface ValueSetOptions extends ValueCallOptions {
  /** How long this value lasts. Default: the value's `ttl`; without one, until it is deleted. */
  readonly ttl?: Duration
}

export interface UpdateOptions<T, Entry> extends ValueCallOptions {
  /** Tries after the first, while others change the value in between, 0 to 10,000. Default 10. */
  readonly retries?: number
  /** How long the new value lasts. Default: the value's `ttl`; without one, as long as the old one would have. */
  readonly ttl?: Duration
  /** What to write into the log in the same step: nothing for `undefined`. Runs once a try. */
  readonly log?: (before: T | undefined, after: T) => Entry | undefined
}

export interface LogOptions extends ValueCallOptions {
  /** Most entries to read, 1 to 10,000; the newest ones. Default 100. */
  readonly limit?: number
}

/** What a script understands beside a time in ms. */
const LASTS = 0
const KEEPS = -1

export interface ResolvedValueOptions {
  readonly ttlMs: number | undefined
  readonly keepLog: number
}

export function resolveValueOptions(options: ValueOptions = {}): ResolvedValueOptions {
  checkKnown('', options, ['ttl', 'keepLog'])
  return {
    ttlMs: options.ttl === undefined ? undefined : toMs(options.ttl, 'ttl'),
    keepLog: checkInteger('keepLog', options.keepLog ?? 1_000, 1, 1_000_000),
  }
}

export function checkSet(options: ValueSetOptions, usualMs: number | undefined): number {
  checkKnown('options', options, ['ttl', 'signal'])
  return options.ttl === undefined ? (usualMs ?? LASTS) : toMs(options.ttl, 'ttl')
}

export function checkUpdate(
  options: UpdateOptions<never, unknown>,
  usualMs: number | undefined,
): { readonly retries: number; readonly ttlMs: number } {
  checkKnown('options', options, ['retries', 'ttl', 'log', 'signal'])
  checkFunction('log', options.log)
  return {
    retries: checkInteger('retries', options.retries ?? 10, 0, 10_000),
    ttlMs: options.ttl === undefined ? (usualMs ?? KEEPS) : toMs(options.ttl, 'ttl'),
  }
}

export function checkLog(options: LogOptions): number {
  checkKnown('options', options, ['limit', 'signal'])
  return checkInteger('limit', options.limit ?? 100, 1, 10_000)
}
