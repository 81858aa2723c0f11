import { HoldfastError } from '../base/errors.ts'

/** Others changed the value between reading and writing, at every try. Nothing was written. */
export class ValueConflictError extends HoldfastError {
  static override readonly kind = 'ValueConflictError'

  /** The name of the value. */
  readonly value: string
  /** How often it was tried, the first try included. */
  readonly tries: number

  constructor(value: string, tries: number) {
    super('VALUE_CONFLICT', `value.update: others changed '${value}' at each of ${tries} tries; nothing was written`, {
      retryable: true,
    })
    this.value = value
    this.tries = tries
  }
}
