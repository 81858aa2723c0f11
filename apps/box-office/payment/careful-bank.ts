/**
 * The bank behind a breaker. When it fails several times in a row, on whichever server of the shop, nobody asks it for a while: a customer is told so at
 * once and keeps his seats, and the bank has peace to recover. Then one call is tried, and if that succeeds all are made again.
 */

import type { Breaker } from 'holdfast'
import { BreakerOpenError } from 'holdfast/breaker'
import { BankAwayError, type PaymentProvider } from './provider.ts'

/** Longer than a bank takes that is well; who waits for a payment sees a page that does nothing. */
const ANSWER_WITHIN_MS = 5_000
/** Where the bank itself does not say when to come again. */
const COME_AGAIN_MS = 2_000

export function carefulBank(bank: PaymentProvider, breaker: Breaker, withinMs = ANSWER_WITHIN_MS): PaymentProvider {
  async function ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await breaker.run(work, { signal: AbortSignal.timeout(withinMs) })
    } catch (error) {
      if (error instanceof BreakerOpenError)
        throw new BankAwayError('it is not asked just now', Math.max(error.retryAfterMs, 1), { cause: error })
      throw error
    }
  }
  return {
    authorise: (charge) => ask(() => bank.authorise(charge)),
    capture: (key) => ask(() => bank.capture(key)),
    void: (key) => ask(() => bank.void(key)),
    lookup: (key) => ask(() => bank.lookup(key)),
  }
}

/** Is this bank one that answers nothing, by its own word or the breaker's? Then so long, and nothing was done. */
export function awayForMs(error: unknown): number | undefined {
  return error instanceof BankAwayError ? (error.retryAfterMs ?? COME_AGAIN_MS) : undefined
}
