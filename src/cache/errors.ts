import { HoldfastError } from '../base/errors.ts'

/** Too much is written and not persisted, and the system of record takes no more. Nothing was written. */
export class WriteBehindFullError extends HoldfastError {
  static override readonly kind = 'WriteBehindFullError'

  readonly cache: string
  /** Ids that are not persisted, in the place of this one. */
  readonly dirty: number
  /** How long ago the oldest of them was written first. */
  readonly oldestMs: number

  constructor(cache: string, dirty: number, oldestMs: number, cause: unknown) {
    const so = `${dirty} writes beside this one are not persisted, the oldest for ${oldestMs} ms`
    super('WRITE_BEHIND_FULL', `cache '${cache}': ${so}; nothing was written`, { retryable: true, cause })
    this.cache = cache
    this.dirty = dirty
    this.oldestMs = oldestMs
  }
}

/** `persist` took longer than `write.timeout`. */
export class PersistTimeoutError extends HoldfastError {
  static override readonly kind = 'PersistTimeoutError'

  readonly cache: string
  readonly timeoutMs: number

  constructor(cache: string, timeoutMs: number) {
    super('PERSIST_TIMEOUT', `cache '${cache}': persist gave no answer within ${timeoutMs} ms`, { retryable: true })
    this.cache = cache
    this.timeoutMs = timeoutMs
  }
}
