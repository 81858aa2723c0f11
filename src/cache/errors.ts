import { describe, HoldfastError } from '../base/errors.ts'

/** A loader took longer than it may. No timeout of Redis: nothing is said of whether that answers. */
export class LoadTimeoutError extends HoldfastError {
  static override readonly kind = 'LoadTimeoutError'

  readonly cache: string
  readonly timeoutMs: number

  constructor(cache: string, timeoutMs: number) {
    super('LOAD_TIMEOUT', `cache '${cache}': its loader gave no answer within ${timeoutMs} ms`, { retryable: true })
    this.cache = cache
    this.timeoutMs = timeoutMs
  }
}

/** What `mutate` ran has ended well, and that no older value is cached could not be confirmed. */
export class MutationError extends HoldfastError {
  static override readonly kind = 'MutationError'

  /** What the change answered. */
  readonly answer: unknown

  constructor(ids: readonly string[], answer: unknown, cause: unknown) {
    const named = ids.slice(0, 3).map(describe).join(', ')
    const which = ids.length > 3 ? `${named} and ${ids.length - 3} more` : named
    super('MUTATION_UNCONFIRMED', `cache.mutate: the change was made; an older value of ${which} may be cached`, {
      cause,
    })
    this.answer = answer
  }
}

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
