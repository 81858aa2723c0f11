/**
 * The ticket desk: holds, releases and sells. Pages, simulated buyers and the sale of `--once` all come here.
 *
 * Three parties must agree on every sale and any of them, or this process, may fail between two steps: the bank, the
 * seat map in Redis, and the order in SQL. The order of the steps keeps two promises: no customer pays without getting
 * the seats, and no seat goes to two customers.
 *
 *   1  SQL    order 'pending' and its payment 'new', written together; unique (event, hold), so a repeated request
 *             finds the order instead of making another
 *   2  bank   authorise, under the payment's id: money is reserved, not taken
 *   3  SQL    payment 'authorised'. From here on the order is carried forward, never back, by whoever finds it
 *   4  Redis  confirm the hold. The one decision about the seats: one atomic step, by the server's clock. Where another
 *             server may take over, it is asked for again until every replica has it, for so long as a customer waits:
 *             after that SQL alone has what a failover may forget, and refuses the seat to whoever comes next
 *        'confirmed'          5a SQL   order 'paid', its sales and a receipt that is due, together; unique (event, seat)
 *                                      would refuse a seat that another order has: then nothing is written and the money
 *                                      is let go
 *                             6a bank  capture, and SQL payment 'captured'
 *        'expired' | 'gone'   5b SQL   order refused
 *                             6b bank  void, and SQL payment 'voided'
 *        'paused', or no answer: the order stays 'pending'; nobody knows yet, so nothing is taken and nothing let go
 *
 * One at a time works on an order, under its lock, whose fence stands in the order and is asked for by every statement: two servers
 * do not ask the bank at once, and one that was stopped in the middle and lost the lock writes nothing over what the next one did. A
 * request that is sent twice is answered once more what it was answered before (`hf.once`).
 *
 * Every step may be repeated: the bank answers the same key with the same words, a confirmed hold is confirmed again, and
 * SQL moves a state only from the one before. So recovery (`settle`) is nothing but going on from the step that is
 * recorded. Taking the money comes last: a crash before it is mended by capturing, and the opposite order
 * would need a refund.
 */

import { setTimeout as wait } from 'node:timers/promises'
import { type HeldLock, type Holdfast, LockTimeoutError } from 'holdfast'
import { isUniqueViolation } from '../database/database.ts'
import type { Figures } from '../figures/figures.ts'
import type { Card } from '../payment/card.ts'
import { awayForMs } from '../payment/careful-bank.ts'
import type { Decline, PaymentProvider } from '../payment/provider.ts'
import type { Night, Nights } from '../seating/nights.ts'
import { SEATS_PER_CUSTOMER } from '../seating/nights.ts'
import type { Ledger } from './ledger.ts'
import { orderNumber, paymentId } from './number.ts'
import type { Claim, Order } from './order.ts'

export interface HoldRequest {
  readonly eventId: string
  readonly customer: string
  readonly seats: readonly string[]
  /** The caller's own word for this request: the same again means the same hold. */
  readonly key: string
  readonly holdMs?: number
}

export interface PayOptions {
  /** Whose the order will be; left out, it is the browser's that held the seats. */
  readonly account?: string
  /** The address that the receipt goes to; left out, it is kept here. */
  readonly receiptTo?: string
  /** The caller's own word for this request: the same again is answered the same, whichever process it comes to. */
  readonly submit?: string
}

export type HoldAnswer =
  | { readonly status: 'held'; readonly claim: Claim }
  | { readonly status: 'taken'; readonly taken: readonly string[] }
  /** `ended`: this very request was made before, and its hold is over. */
  | { readonly status: 'limit' | 'invalid' | 'no-event' | 'paused' | 'closed' | 'ended' }

export type PayAnswer =
  | { readonly status: 'paid'; readonly order: Order }
  | { readonly status: 'declined'; readonly reason: NotPaid; readonly order: Order }
  /** The bank takes nothing just now, and nothing was taken; the seats stay held for as long as they were. */
  | { readonly status: 'paused'; readonly retryAfterMs: number; readonly order: Order }
  | { readonly status: 'expired' | 'gone' | 'conflict'; readonly order: Order }
  /** Not known yet: it settles by itself, and the order says how. */
  | { readonly status: 'settling'; readonly order: Order }
  | { readonly status: 'no-event' }

/** Why an attempt to pay ended without money: the bank's word, one that never came to it, or a bank that took none. */
export type NotPaid = Decline | 'abandoned' | 'paused'

/** What has just been done, for tests that stop the world there. */
export type Step = 'ordered' | 'authorised' | 'recorded' | 'confirmed' | 'sold' | 'captured'

export interface DeskOptions {
  readonly hf: Pick<Holdfast, 'lock' | 'once'>
  readonly nights: Nights
  readonly ledger: Ledger
  readonly bank: PaymentProvider
  readonly figures: Figures
  /** Told of each sale that is on record: a receipt is owed for it. */
  readonly onSold?: (order: Order) => void
  /** Told when an event has sold its last seat. */
  readonly onSoldOut?: (eventId: string) => Promise<void>
  readonly onFault?: (error: unknown, what: string) => void
  readonly onStep?: (step: Step, order: Order) => void | Promise<void>
}

export type Desk = ReturnType<typeof createDesk>

/** How long a customer has to pay. */
export const HOLD_MS = 10 * 60_000

/** How long a sale waits for replicas that are away: longer than it takes to replace a server and bring it back. */
const DURABLE_WITHIN_MS = 15_000
const ASK_AGAIN_MS = 100

/** How long a payment is closed to others when whoever works on it dies, or cannot say that he is done. */
const LEASE_MS = 4_000
/** Longer than all steps of a payment together. Who waits longer is told that it is being settled. */
const WAIT_MS = DURABLE_WITHIN_MS + 5_000
/** How long a request that comes again is answered what it was answered before: until nobody can pay any more. */
const ANSWER_KEPT_MS = HOLD_MS

/** An attempt whose card never reached the bank is given up after this long. */
const ABANDON_MS = 60_000

export function createDesk(options: DeskOptions) {
  const { hf, nights, ledger, bank, figures } = options
  const step = options.onStep ?? (() => {})

  async function hold(request: HoldRequest): Promise<HoldAnswer> {
    const night = await nights.open(request.eventId)
    if (night === undefined) return { status: 'no-event' }
    if (night.startsAt.getTime() <= Date.now()) return { status: 'closed' }
    if (request.seats.some((seat) => !night.byId.has(seat))) return refused('invalid')
    if (request.seats.length > SEATS_PER_CUSTOMER) return refused('limit')
    // The customer is part of the id, so that nobody can touch a hold by guessing another's word for it.
    const id = `${request.customer}.${request.key}`
    const ask = (seats: Night['seats']) =>
      figures.time('hold', () =>
        seats.hold({ id, customer: request.customer, seats: [...request.seats], for: request.holdMs ?? HOLD_MS }),
      )
    let held = await ask(night.seats)
    if (held.status === 'no-event') {
      const again = await nights.reopen(night)
      if (again !== undefined) held = await ask(again.seats)
    }
    if (held.status === 'taken') return { ...refused('taken'), taken: held.taken }
    if (held.status === 'no-event') return { status: 'no-event' }
    if (held.status !== 'held') return refused(held.status)
    if (held.ended === 'released' || held.ended === 'expired') return { status: 'ended' }
    if (!held.repeated) figures.count('held')
    const { eventId, customer } = request
    return {
      status: 'held',
      claim: { eventId, customer, holdId: id, seats: held.seats, expiresAtMs: held.expiresAtMs },
    }
  }

  function refused<S extends 'taken' | 'limit' | 'invalid' | 'paused'>(status: S): { status: S } {
    figures.count(status)
    return { status }
  }

  /** Gives the seats back, if they are still held. */
  async function release(claim: Claim): Promise<void> {
    const night = await nights.open(claim.eventId)
    if (night === undefined) return
    const { status } = await night.seats.release(claim.holdId)
    if (status === 'released') figures.count('released')
  }

  /** Two requests for one hold are one payment: the second gets the answer of the first. */
  function pay(claim: Claim, card: Card, by: PayOptions = {}): Promise<PayAnswer> {
    return figures.time('pay', async () => {
      if (by.submit === undefined) return payAlone(claim, card, by)
      let mine: PayAnswer | undefined
      const run = async () => {
        mine = await payAlone(claim, card, by)
        return mine
      }
      const answer = await hf
        .once(`payment:${claim.eventId}:${claim.holdId}:${by.submit}`, run, { ttl: ANSWER_KEPT_MS })
        .catch((error: unknown) => {
          // It was done and is written in SQL, whether or not Redis could keep what was answered.
          if (mine === undefined) throw error
          return mine
        })
      if (mine !== undefined) return mine
      figures.count('repeatedPayments')
      return answer.status === 'settling' || answer.status === 'paused' ? payAlone(claim, card, by) : answer
    })
  }

  async function payAlone(claim: Claim, card: Card, by: PayOptions): Promise<PayAnswer> {
    const night = await nights.open(claim.eventId)
    if (night === undefined) return { status: 'no-event' }
    const lock = lockOf(claim)
    const held = await lock.acquire({ wait: WAIT_MS }).catch((error: unknown) => {
      if (error instanceof LockTimeoutError) return undefined
      throw error
    })
    if (held === undefined) {
      const order = await ledger.orderOf(claim.eventId, claim.holdId)
      if (order === undefined) throw new Error('somebody pays for this hold, and has not come as far as an order')
      return { status: 'settling', order }
    }
    try {
      return await payOnce(night, claim, card, by, held)
    } finally {
      await letGoOf(held)
    }
  }

  const lockOf = ({ eventId, holdId }: { readonly eventId: string; readonly holdId: string }) =>
    hf.lock(`payment:${eventId}:${holdId}`, { ttl: LEASE_MS })

  /** What cannot be released ends with its lease. */
  async function letGoOf(held: HeldLock): Promise<void> {
    await held.release().catch((error: unknown) => options.onFault?.(error, 'letting go of a payment'))
  }

  async function payOnce(
    night: Night,
    claim: Claim,
    card: Card,
    { account, receiptTo }: PayOptions,
    { fence, signal }: HeldLock,
  ): Promise<PayAnswer> {
    const prices = claim.seats.map((seat) => nights.priceOf(night, seat))
    const number = orderNumber()
    const payment = { id: paymentId(number), card }
    const by = { account, receiptTo }
    const opened = await ledger.open({ number, claim, prices, currency: night.currency, ...by, fence }, payment)
    const { order } = opened
    if (opened.ours) return guarded(order, () => charge(night, order, payment, signal))
    figures.count('repeatedPayments')
    if (order.customer !== claim.customer) return { status: 'gone', order }
    if (order.fence !== fence || order.state !== 'declined') return guarded(order, () => carryOn(order, fence))
    if (!(await ledger.retry(order, payment, by))) return guarded(order, () => carryOn(order, fence))
    const present = { ...((await ledger.order(order.number)) ?? order), fence }
    return guarded(present, () => charge(night, present, payment, signal))
  }

  /** After the order is written, a fault is no answer: the order is carried on later, from what is recorded. */
  async function guarded(order: Order, work: () => Promise<PayAnswer>): Promise<PayAnswer> {
    try {
      return await work()
    } catch (error) {
      figures.count('faults')
      options.onFault?.(error, `paying order ${order.number}`)
      figures.count('settling')
      return { status: 'settling', order }
    }
  }

  async function charge(
    night: Night,
    order: Order,
    payment: { id: string; card: Card },
    signal: AbortSignal,
  ): Promise<PayAnswer> {
    await step('ordered', order)
    signal.throwIfAborted()
    const { amount, currency } = order
    const verdict = await bank
      .authorise({ key: payment.id, amount, currency, card: payment.card })
      .catch((error: unknown) => away(error, (retryAfterMs) => ({ status: 'paused' as const, retryAfterMs })))
    await step('authorised', order)
    if (verdict.status === 'paused') {
      await ledger.recordNoMoney(payment.id, 'voided', 'paused', order.fence)
      figures.count('paymentsPaused')
      return { ...verdict, order: { ...order, state: 'declined' } }
    }
    if (verdict.status === 'declined') {
      await ledger.recordNoMoney(payment.id, 'declined', verdict.reason, order.fence)
      figures.count('declined')
      return { status: 'declined', reason: verdict.reason, order: { ...order, state: 'declined' } }
    }
    if (!(await ledger.recordAuthorised(payment.id, order.fence))) return overtaken(order, payment.id)
    await step('recorded', order)
    return finish(night, order, payment.id)
  }

  /** Somebody else has the order now, by a higher fence: if he gave this attempt up, the money is let go; else he has the answer. */
  async function overtaken(order: Order, payment: string): Promise<PayAnswer> {
    const present = (await ledger.order(order.number)) ?? order
    const now = await ledger.payment(present)
    if (now?.id === payment && now.state !== 'voided') return outcome(present)
    await bank.void(payment)
    return { status: 'declined', reason: 'abandoned', order: present }
  }

  /** The money is reserved and that is recorded: from here on there is one way, and anybody may walk it. */
  async function finish(night: Night, order: Order, payment: string): Promise<PayAnswer> {
    const confirmed = await figures.time('confirm', () => confirm(night, order, payment))
    await step('confirmed', order)
    if (confirmed.status === 'paused') {
      figures.count('settling')
      return { status: 'settling', order }
    }
    if (confirmed.status !== 'confirmed') return letGo(order, payment, confirmed.status)
    // Nothing here can bring this about. Where it is so all the same, nobody may guess which side is right.
    if (confirmed.payment !== payment || !sameSeats(confirmed.seats, order.seats))
      throw new Error(`the hold of order ${order.number} was sold otherwise: for ${confirmed.payment}`)
    try {
      const { written, soldOut } = await ledger.sell(order)
      if (written) {
        figures.count('paid')
        figures.count('seatsSold', order.seats.length)
        options.onSold?.(order)
      }
      // Written before, or by somebody else; what is not written is not to be paid for.
      else if ((await ledger.order(order.number))?.state !== 'paid') return outcome(order)
      await step('sold', order)
      if (soldOut) await options.onSoldOut?.(order.eventId)
    } catch (error) {
      if (!isUniqueViolation(error)) throw error
      options.onFault?.(error, `a seat of order ${order.number} was sold before`)
      return letGo(order, payment, 'conflict')
    }
    // Sold is sold: what a bank that is away cannot take now is taken when it is back (`settler.ts`).
    const captured = await bank.capture(payment).then(
      () => true,
      (error: unknown) => away(error, () => false),
    )
    if (captured) await ledger.recordCaptured(payment)
    await step('captured', order)
    return outcome((await ledger.order(order.number)) ?? order)
  }

  /** Confirmed, and, where that is asked for, at home with every replica. The answer of a server that died is not believed. */
  async function confirm(night: Night, order: Order, payment: string) {
    const until = Date.now() + DURABLE_WITHIN_MS
    for (;;) {
      const answer = await night.seats.confirm(order.holdId, { payment })
      if (answer.status !== 'confirmed' || answer.durable || !nights.durable) return answer
      if (Date.now() < until) await wait(ASK_AGAIN_MS)
      else {
        figures.count('undurable')
        return answer
      }
    }
  }

  async function letGo(order: Order, payment: string, state: 'expired' | 'gone' | 'conflict'): Promise<PayAnswer> {
    if (!(await ledger.refuse(order, state))) return outcome((await ledger.order(order.number)) ?? order)
    await bank.void(payment)
    await ledger.recordVoided(payment, state)
    figures.count(state)
    return outcome((await ledger.order(order.number)) ?? order)
  }

  /** Goes on with an order from the step that is recorded, unless somebody is at work on it. */
  async function settle(order: Order): Promise<PayAnswer> {
    const held = await lockOf(order).tryAcquire()
    if (held === undefined) return { status: 'settling', order }
    try {
      const present = await ledger.take(order.number, held.fence)
      return present === undefined ? { status: 'settling', order } : await carryOn(present, held.fence)
    } finally {
      await letGoOf(held)
    }
  }

  /** The same under a lock that is held. */
  async function carryOn(order: Order, fence: bigint): Promise<PayAnswer> {
    if (order.state !== 'pending' || order.fence !== fence) return outcome(order)
    const payment = await ledger.payment(order)
    if (payment === undefined) return outcome(order)
    const night = await nights.open(order.eventId)
    if (night === undefined) return { status: 'no-event' }
    if (payment.state === 'authorised') return finish(night, order, payment.id)
    if (payment.state === 'new') {
      const seen = await bank.lookup(payment.id)
      if (seen === 'authorised' || seen === 'captured') {
        await ledger.recordAuthorised(payment.id, fence)
        return finish(night, order, payment.id)
      }
      if (seen === 'declined') await ledger.recordNoMoney(payment.id, 'declined', 'declined', fence)
      // The card number was never kept, so an attempt that did not reach the bank cannot be made again by us.
      else if (Date.now() - payment.createdAt.getTime() > ABANDON_MS)
        await ledger.recordNoMoney(payment.id, 'voided', 'abandoned', fence)
      else return { status: 'settling', order }
    }
    return outcome((await ledger.order(order.number)) ?? order)
  }

  async function outcome(order: Order): Promise<PayAnswer> {
    if (order.state === 'pending') return { status: 'settling', order }
    if (order.state !== 'declined') return { status: order.state, order }
    const reason = (await ledger.payment(order))?.reason
    return { status: 'declined', reason: (reason ?? 'abandoned') as NotPaid, order }
  }

  return { hold, release, pay, settle }
}

/** What a bank that did nothing comes to; any other error is thrown on. */
function away<T>(error: unknown, so: (retryAfterMs: number) => T): T {
  const retryAfterMs = awayForMs(error)
  if (retryAfterMs === undefined) throw error
  return so(retryAfterMs)
}

function sameSeats(a: readonly string[], b: readonly string[]): boolean {
  return [...a].sort().join() === [...b].sort().join()
}
