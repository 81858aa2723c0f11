/**
 * What an order is, and the states it goes through:
 *
 *   pending ──▶ paid                          seats confirmed, sales written, money taken
 *      │ ▲ └──▶ expired | gone | conflict     no seats: the money is let go
 *      ▼ │
 *   declined                                  the bank said no; another card may be tried while the hold lives
 */

export type OrderState = 'pending' | 'paid' | 'declined' | 'expired' | 'gone' | 'conflict'

export interface Order {
  /** What the customer reads out: 'BX-7KQ2-M9HT'. */
  readonly number: string
  readonly eventId: string
  readonly holdId: string
  readonly customer: string
  /** Whose it is, of those who log in; null is the browser's that held the seats. */
  readonly account: string | null
  readonly seats: readonly string[]
  readonly prices: readonly bigint[]
  readonly amount: bigint
  readonly currency: string
  readonly state: OrderState
  readonly attempt: number
  /** Of the lock under which it was worked on last: who has a lower one writes nothing any more. */
  readonly fence: bigint
  readonly createdAt: Date
  readonly settledAt: Date | null
}

export type PaymentState = 'new' | 'authorised' | 'declined' | 'captured' | 'voided'

export interface Payment {
  readonly id: string
  readonly orderNumber: string
  readonly attempt: number
  readonly amount: bigint
  readonly currency: string
  readonly state: PaymentState
  readonly cardBrand: string
  readonly cardLast4: string
  readonly reason: string | null
  readonly createdAt: Date
}

/** Seats that are held for a customer, as the desk gave them out. Whoever carries it must keep it unforged. */
export interface Claim {
  readonly eventId: string
  readonly holdId: string
  readonly customer: string
  readonly seats: readonly string[]
  readonly expiresAtMs: number
}
