/** What we ask of whoever moves the money. Every verb may be repeated with the same key and answers the same. */

import type { Card } from './card.ts'

export type Decline = 'declined' | 'insufficient-funds' | 'not-a-test-card'

export type Authorisation =
  | { readonly status: 'authorised' }
  | { readonly status: 'declined'; readonly reason: Decline }

export interface Charge {
  /** Ours, one for each attempt to pay: the provider's idempotency key. */
  readonly key: string
  readonly amount: bigint
  readonly currency: string
  readonly card: Card
}

export interface PaymentProvider {
  /** Reserves the money on the card. Nothing is taken yet. */
  authorise(charge: Charge): Promise<Authorisation>
  /** Takes what was authorised. */
  capture(key: string): Promise<void>
  /** Lets go what was authorised. */
  void(key: string): Promise<void>
  /** What became of a charge whose answer we never saw. */
  lookup(key: string): Promise<'unknown' | 'authorised' | 'declined' | 'captured' | 'voided'>
}

/** The bank says that it can do nothing just now, or was not asked: nothing was done. What it does not say may have been done. */
export class BankAwayError extends Error {
  override readonly name = 'BankAwayError'
  /** When to come again, where that is known. */
  readonly retryAfterMs: number | undefined

  constructor(why: string, retryAfterMs?: number, options?: ErrorOptions) {
    super(`the bank does nothing now: ${why}`, options)
    this.retryAfterMs = retryAfterMs
  }
}
