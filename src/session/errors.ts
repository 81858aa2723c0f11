import { HoldfastError } from '../base/errors.ts'

/** A session's data would have more bytes than `maxBytes`. Nothing was written. */
export class SessionTooLargeError extends HoldfastError {
  static override readonly kind = 'SessionTooLargeError'

  /** Bytes of names and values that it would have. */
  readonly bytes: number
  readonly maxBytes: number

  constructor(operation: string, bytes: number, maxBytes: number) {
    super('SESSION_TOO_LARGE', `${operation}: expected data of at most ${maxBytes} bytes, and it would have ${bytes}`)
    this.bytes = bytes
    this.maxBytes = maxBytes
  }
}
