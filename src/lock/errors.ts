import { HoldfastError } from '../base/errors.ts'

/** The lock could not be had in the time given for it. */
export class LockTimeoutError extends HoldfastError {
  static override readonly kind = 'LockTimeoutError'

  /** The lock's name. */
  readonly lock: string
  readonly waitMs: number

  constructor(lock: string, waitMs: number, why = 'another holds it') {
    super('LOCK_TIMEOUT', `lock '${lock}': not had within ${waitMs} ms, ${why}`, { retryable: true })
    this.lock = lock
    this.waitMs = waitMs
  }
}

/** A lock that was held is not held any more, or may not be: its work must stop. */
export class LockLostError extends HoldfastError {
  static override readonly kind = 'LockLostError'

  /** The lock's name. */
  readonly lock: string
  /** Of the grant that was lost; undefined where there is none. */
  readonly fence: bigint | undefined

  constructor(lock: string, fence: bigint | undefined, why: string, cause?: unknown) {
    super('LOCK_LOST', `lock '${lock}': ${why}`, { cause })
    this.lock = lock
    this.fence = fence
  }
}

/** The key stands for another request than this one. */
export class OnceConflictError extends HoldfastError {
  static override readonly kind = 'OnceConflictError'

  readonly key: string

  constructor(key: string) {
    super('ONCE_CONFLICT', `once '${key}': the key was used with another fingerprint, so for another request`)
    this.key = key
  }
}

/** What ran under the key failed, and its error was kept. */
export class OnceFailedError extends HoldfastError {
  static override readonly kind = 'OnceFailedError'

  readonly key: string
  /** Name, message and code of the error that was thrown where it ran. */
  readonly failure: OnceFailure

  constructor(key: string, failure: OnceFailure) {
    super('ONCE_FAILED', `once '${key}': it failed with ${failure.name}: ${failure.message}`)
    this.key = key
    this.failure = failure
  }
}

export interface OnceFailure {
  readonly name: string
  readonly message: string
  readonly code?: string
}
