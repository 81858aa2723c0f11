import { HoldfastError } from '../../base/errors.ts'

/** A change that would lose data or service, or that the cluster as it is does not allow. Nothing was changed. */
export class ChangeRefusedError extends HoldfastError {
  static override readonly kind = 'ChangeRefusedError'

  readonly operation: string

  constructor(operation: string, why: string) {
    super('CHANGE_REFUSED', `${operation}: ${why}`)
    this.operation = operation
  }
}

/** A change that stopped between two of its steps. What was done stays done; `fix()` closes what is open. */
export class ChangeUnfinishedError extends HoldfastError {
  static override readonly kind = 'ChangeUnfinishedError'

  readonly operation: string
  /** Steps that were done: slots that have their new owner. */
  readonly done: number
  readonly total: number

  constructor(operation: string, done: number, total: number, why: string, cause?: unknown) {
    super('CHANGE_UNFINISHED', `${operation}: stopped after ${done} of ${total} slots: ${why}`, { cause })
    this.operation = operation
    this.done = done
    this.total = total
  }
}

/** The nodes did not come to agree in time. What was asked for was asked: it may still happen. */
export class NotAgreedError extends HoldfastError {
  static override readonly kind = 'NotAgreedError'

  readonly sent = true
  readonly operation: string
  /** What was missing at the last look. */
  readonly missing: string

  constructor(operation: string, timeoutMs: number, missing: string) {
    super('TIMEOUT', `${operation}: not within ${timeoutMs} ms; at the last look: ${missing}`, { retryable: true })
    this.operation = operation
    this.missing = missing
  }
}
