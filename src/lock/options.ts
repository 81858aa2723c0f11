import { checkBoolean, checkInteger, checkKnown, checkName, checkOneOf } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'

export interface LockOptions {
  /** How long the lock outlives a holder that died or was cut off. While he lives it is extended by itself. 10 ms or more, default `'30s'`. */
  readonly ttl?: Duration
  /** How long `acquire` and `run` wait for it. 0: not at all. Default `'10s'`. */
  readonly wait?: Duration
  /** Who this is, for those who look at the lock: at most 100 bytes of one line. Default none. */
  readonly owner?: string
  /** `'manual'`: the lease is extended by `extend` alone. Default `'auto'`. */
  readonly extend?: 'auto' | 'manual'
}

export interface SemaphoreOptions extends LockOptions {
  /** How many may be held at a time, by all. 1 to 1,000,000. */
  readonly permits: number
}

export interface AcquireOptions {
  /** How long to wait for it. Default: as the lock was made with. */
  readonly wait?: Duration
  /** Stops waiting, with `signal.reason`; the place in line is given up at once. */
  readonly signal?: AbortSignal
}

export interface PermitOptions extends AcquireOptions {
  /** How many permits to take at once. Default 1. */
  readonly permits?: number
}

export interface LeaderOptions {
  /**
   * Told when this process has become the leader: start what the leader does, or do it until `signal` fires. An error in it ends the
   * term, and somebody else is elected.
   */
  readonly onElected: (term: Term) => Promise<void> | void
  /** Told when a term has ended: lost, resigned or closed. */
  readonly onLost?: (reason: Error) => void
  /** Told of an error in `onElected` or `onLost`, or why Redis could not be asked. Default: a warning of the process for the first two. */
  readonly onError?: (error: unknown) => void
  /** So long after a leader died another takes its place, at most. 10 ms or more, default `'15s'`. */
  readonly ttl?: Duration
  /** Who this is, for those who look. Default none. */
  readonly owner?: string
}

/** One time of being the leader. */
export interface Term {
  /** Higher than that of every leader before. */
  readonly fence: bigint
  /** Fires when this process is not the leader any more, or may not be. */
  readonly signal: AbortSignal
}

export interface OnceOptions {
  /** How long the result is kept: until then nobody runs it again. */
  readonly ttl: Duration
  /** What the request was, such as a hash of its body: the same key with another fingerprint is refused. Default none. */
  readonly fingerprint?: string
  /** So long after whoever runs it died another may. While he lives it is extended by itself. 10 ms or more, default `'30s'`. */
  readonly lease?: Duration
  /** How long to wait for somebody else's result. Default `'1m'`. */
  readonly wait?: Duration
  /** Keep an error as the result, too. Default false: the next caller runs it again. */
  readonly keepErrors?: boolean
  /** Stops waiting for somebody else's result, with `signal.reason`. */
  readonly signal?: AbortSignal
}

export interface CheckedLock {
  readonly ttlMs: number
  readonly waitMs: number
  readonly owner: string
  readonly renewed: boolean
}

const NAMES = ['ttl', 'wait', 'owner', 'extend']
export const MOST_PERMITS = 1_000_000

export function checkLockName(name: unknown): string {
  return checkName('name', name)
}

export function checkLockOptions(options: LockOptions = {}, more: readonly string[] = []): CheckedLock {
  checkKnown('', options, [...NAMES, ...more])
  const { ttl = '30s', wait = '10s', owner = '', extend = 'auto' } = options
  return {
    ttlMs: toMs(ttl, 'ttl', { min: 10 }),
    waitMs: toMs(wait, 'wait', { min: 0 }),
    owner: checkOwner(owner),
    renewed: checkOneOf('extend', extend, ['auto', 'manual']) === 'auto',
  }
}

export function checkSemaphoreOptions(options: SemaphoreOptions): CheckedLock & { readonly permits: number } {
  if (options === undefined) throw new ConfigError('options', 'an object with at least { permits }', options)
  const checked = checkLockOptions(options, ['permits'])
  return { ...checked, permits: checkInteger('permits', options.permits, 1, MOST_PERMITS) }
}

export function checkAcquire(
  options: AcquireOptions | undefined,
  usualWaitMs: number,
  more: readonly string[] = [],
): { readonly waitMs: number; readonly signal: AbortSignal | undefined } {
  if (options === undefined) return { waitMs: usualWaitMs, signal: undefined }
  checkKnown('', options, ['wait', 'signal', ...more])
  const { wait, signal } = options
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new ConfigError('signal', 'an AbortSignal', signal)
  signal?.throwIfAborted()
  return { waitMs: wait === undefined ? usualWaitMs : toMs(wait, 'wait', { min: 0 }), signal }
}

export function checkPermits(options: PermitOptions | undefined, most: number): number {
  return options?.permits === undefined ? 1 : checkInteger('permits', options.permits, 1, most)
}

function checkOwner(owner: unknown): string {
  // One line of the lock's value is his.
  if (typeof owner !== 'string' || Buffer.byteLength(owner) > 100 || /[\p{Cc}\p{Surrogate}]/u.test(owner))
    throw new ConfigError('owner', 'a text of at most 100 bytes on one line', owner)
  return owner
}

export function checkLockNames(names: unknown): readonly string[] {
  if (!Array.isArray(names) || names.length === 0 || names.length > 100)
    throw new ConfigError('names', 'a list of 1 to 100 names', names)
  // Everybody takes them in this order: two who want the same never wait for each other in a circle.
  return [...new Set(names.map(checkLockName))].sort()
}

export function checkLeaderOptions(options: LeaderOptions): CheckedLock {
  if (options === undefined) throw new ConfigError('options', 'an object with at least { onElected }', options)
  checkKnown('', options, ['onElected', 'onLost', 'onError', 'ttl', 'owner'])
  for (const name of ['onElected', 'onLost', 'onError'] as const)
    if (typeof options[name] !== 'function' && (name === 'onElected' || options[name] !== undefined))
      throw new ConfigError(name, 'a function', options[name])
  const { ttl = '15s', owner = '' } = options
  return checkLockOptions({ ttl, owner })
}

export interface CheckedOnce {
  readonly ttlMs: number
  readonly fingerprint: string
  readonly leaseMs: number
  readonly waitMs: number
  readonly keepErrors: boolean
  readonly signal: AbortSignal | undefined
}

export function checkOnce(options: OnceOptions): CheckedOnce {
  if (options === undefined) throw new ConfigError('options', 'an object with at least { ttl }', options)
  checkKnown('', options, ['ttl', 'fingerprint', 'lease', 'wait', 'keepErrors', 'signal'])
  const { ttl, fingerprint = '', lease = '30s', wait = '1m', keepErrors = false, signal } = options
  if (typeof fingerprint !== 'string' || Buffer.byteLength(fingerprint) > 512)
    throw new ConfigError('fingerprint', 'a string of at most 512 bytes', fingerprint)
  signal?.throwIfAborted()
  return {
    ttlMs: toMs(ttl, 'ttl'),
    fingerprint,
    leaseMs: toMs(lease, 'lease', { min: 10 }),
    waitMs: toMs(wait, 'wait', { min: 0 }),
    keepErrors: checkBoolean('keepErrors', keepErrors),
    signal,
  }
}
