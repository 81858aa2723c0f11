import { HoldfastError } from '../base/errors.ts'

/** The breaker is open: the call was not made. */
export class BreakerOpenError extends HoldfastError {
  static override readonly kind = 'BreakerOpenError'

  readonly breaker: string
  /** After how long a call may be tried again; another may be the one who tries. */
  readonly retryAfterMs: number

  constructor(breaker: string, retryAfterMs: number) {
    super('BREAKER_OPEN', `breaker '${breaker}': open, no call for another ${retryAfterMs} ms`, { retryable: true })
    this.breaker = breaker
    this.retryAfterMs = retryAfterMs
  }
}
