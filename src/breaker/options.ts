import { checkBoolean, checkFraction, checkFunction, checkInteger, checkKnown, checkSignal } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import type { Rules } from './rules.ts'

export interface BreakerOptions {
  /** Opens after so many failed calls in a row, 1 to 1 million. Default 5, or none where `failureRate` or `slowCalls` is given. */
  readonly failures?: number
  /** Opens when this share of the calls in the window failed, above 0 to 1. */
  readonly failureRate?: number
  /** Opens when this share of the calls in the window took longer than `over`. */
  readonly slowCalls?: { readonly over: Duration; readonly rate: number }
  /** What `failureRate` and `slowCalls` look at. Default `'10s'`; the last one tenth of it goes at a time. */
  readonly window?: Duration
  /** Calls in the window before a share of it counts, 1 to 1 million. Default 10. */
  readonly minCalls?: number
  /** How long it stays open before one call is tried; and how long that one has before another is tried. Default `'10s'`. */
  readonly cooldown?: Duration
  /**
   * One breaker for the whole fleet, kept in Redis. `timeout`: how long Redis is waited for at most before this process decides alone, by
   * default half a second, never longer than the instance's. Default false: one for this process.
   */
  readonly shared?: boolean | { readonly timeout: Duration }
  /** Which errors mean that what was called fails. Default all; one that does not counts as a success. */
  readonly isFailure?: (error: unknown) => boolean
}

export interface RunOptions<T> {
  /** Answers in place of a call that was refused, or that failed; it is told the error. */
  readonly fallback?: (error: unknown) => T | PromiseLike<T>
  /** Stops waiting with `signal.reason`. That of `AbortSignal.timeout` counts as a failure, any other as nothing. */
  readonly signal?: AbortSignal
}

export interface ResolvedBreakerOptions extends Rules {
  readonly shared: boolean
  /** Of what a shared one asks Redis. */
  readonly sharedTimeoutMs: number
  readonly isFailure: ((error: unknown) => boolean) | undefined
}

const KNOWN = ['failures', 'failureRate', 'slowCalls', 'window', 'minCalls', 'cooldown', 'shared', 'isFailure']
const LONGEST_MS = 86_400_000
/** A breaker must not be slower than what it protects from. */
const SHARED_TIMEOUT_MS = 500

/** `within`: of what these options are an option, for errors. */
export function resolveBreakerOptions(options: BreakerOptions = {}, within = ''): ResolvedBreakerOptions {
  checkKnown(within, options, KNOWN)
  const at = (option: string) => (within === '' ? option : `${within}.${option}`)
  const { failures, failureRate, slowCalls } = options
  checkKnown(at('slowCalls'), slowCalls, ['over', 'rate'])
  const { shared = false } = options
  if (typeof shared === 'object') checkKnown(at('shared'), shared, ['timeout'])
  const isPlain = failureRate === undefined && slowCalls === undefined
  return {
    failures: failures === undefined ? (isPlain ? 5 : 0) : checkInteger(at('failures'), failures, 1, 1_000_000),
    failureRate: failureRate === undefined ? 0 : checkRate(at('failureRate'), failureRate),
    slowRate: slowCalls === undefined ? 0 : checkRate(at('slowCalls.rate'), slowCalls.rate),
    slowMs: slowCalls === undefined ? 0 : toMs(slowCalls.over, at('slowCalls.over')),
    minCalls: checkInteger(at('minCalls'), options.minCalls ?? 10, 1, 1_000_000),
    windowMs: toMs(options.window ?? '10s', at('window'), { min: 10, max: LONGEST_MS }),
    cooldownMs: toMs(options.cooldown ?? '10s', at('cooldown'), { max: LONGEST_MS }),
    shared: typeof shared === 'object' || checkBoolean(at('shared'), shared),
    sharedTimeoutMs:
      typeof shared === 'object' ? toMs(shared.timeout, at('shared.timeout'), { min: 10 }) : SHARED_TIMEOUT_MS,
    isFailure: checkFunction(at('isFailure'), options.isFailure),
  }
}

function checkRate(option: string, value: unknown): number {
  if (checkFraction(option, value) === 0) throw new ConfigError(option, 'a share above 0, to 1', value)
  return value as number
}

export function checkRun(work: unknown, options: RunOptions<unknown> | undefined): void {
  if (typeof work !== 'function') throw new ConfigError('work', 'a function', work)
  checkKnown('options', options, ['fallback', 'signal'])
  checkFunction('fallback', options?.fallback)
  checkSignal(options?.signal)
}
