import { checkInteger, checkKnown } from '../../base/check.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'

/** Connections of one's own, to each server apart. None is opened before somebody asks for one. */
export interface PoolOptions {
  /** So many of those that were opened stay open, however idle. Default 0. */
  readonly min?: number
  /** So many at the same time, 1 to 1000; who comes later waits. Default 8. */
  readonly max?: number
  /** How long one waits for a connection. Default: the instance's `timeout`. */
  readonly acquireTimeout?: Duration
  /** A connection that nobody has used for so long is closed. 10 ms to a day, default `'30s'`. */
  readonly idle?: Duration
}

export interface PoolSettings {
  readonly min: number
  readonly max: number
  readonly acquireMs: number
  readonly idleMs: number
}

const DAY_MS = 86_400_000

export function resolvePoolOptions(options: PoolOptions | undefined, timeoutMs: number): PoolSettings {
  checkKnown('pool', options, ['min', 'max', 'acquireTimeout', 'idle'])
  const { min = 0, max = 8, acquireTimeout, idle = '30s' } = options ?? {}
  const most = checkInteger('pool.max', max, 1, 1_000)
  if (checkInteger('pool.min', min, 0, 1_000) > most)
    throw new ConfigError('pool.min', `at most pool.max, which is ${most}`, min)
  return {
    min,
    max: most,
    acquireMs: toMs(acquireTimeout ?? timeoutMs, 'pool.acquireTimeout', { max: DAY_MS }),
    idleMs: toMs(idle, 'pool.idle', { min: 10, max: DAY_MS }),
  }
}
