/**
 * Orders, payments and sales in SQL. Each verb is one transaction, and each moves a state only from where the caller
 * believes it is; who comes second moves nothing and is told so. That is what makes every step repeatable.
 *
 * Whoever works on an order has its lock, and the lock's fence stands in the order: `open` and `take` put it there, unless
 * a higher one is there already, and every later statement asks for it. So one who was stopped in the middle, and lost
 * the lock, writes nothing over what the next one did.
 */

import type { Database, Row } from '../database/database.ts'
import type { Card } from '../payment/card.ts'
import type { Claim, Order, Payment } from './order.ts'

export interface NewOrder {
  readonly number: string
  readonly claim: Claim
  readonly prices: readonly bigint[]
  readonly currency: string
  /** Of whom, if he is logged in. */
  readonly account: string | undefined
  /** Where the receipt is wanted. */
  readonly receiptTo: string | undefined
  readonly fence: bigint
}

export interface NewPayment {
  readonly id: string
  readonly card: Card
}

export type Ledger = ReturnType<typeof createLedger>

export function createLedger(db: Database) {
  /**
   * The one order of this hold: ours with its first payment, or the one that was there. Its fence is the higher one: if that is not the
   * caller's, somebody else works on it.
   */
  async function open(order: NewOrder, payment: NewPayment): Promise<{ order: Order; ours: boolean }> {
    const { number, claim, prices, currency, account, receiptTo, fence } = order
    const { eventId, holdId, customer, seats } = claim
    const amount = prices.reduce((sum, price) => sum + price, 0n)
    const [, , rows] = await db.transaction([
      {
        text: `insert into orders (number, event_id, hold_id, customer, seats, prices, amount, currency, account, fence, receipt_to)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
               on conflict (event_id, hold_id) do update set fence = excluded.fence where orders.fence < excluded.fence`,
        values: [
          ...[number, eventId, holdId, customer, seats, prices, amount, currency, account ?? null, fence],
          receiptTo ?? null,
        ],
      },
      {
        text: `insert into payments (id, order_number, attempt, amount, currency, card_brand, card_last4)
               select $2, number, attempt, amount, currency, $3, $4 from orders where number = $1`,
        values: [number, payment.id, payment.card.brand, payment.card.last4],
      },
      { text: 'select * from orders where event_id = $1 and hold_id = $2', values: [eventId, holdId] },
    ])
    const row = rows?.[0]
    if (row === undefined) throw new Error(`Order ${number} was not written.`)
    return { order: toOrder(row), ours: row.number === number }
  }

  /** Takes an order over, as it is now; undefined when somebody with a higher fence has it. */
  async function take(number: string, fence: bigint): Promise<Order | undefined> {
    const [row] = await db.query('update orders set fence = $2 where number = $1 and fence < $2 returning *', [
      number,
      fence,
    ])
    return row === undefined ? undefined : toOrder(row)
  }

  /** Another card for a declined order, of whoever pays now. False when somebody else moved it meanwhile. */
  async function retry(
    order: Order,
    payment: NewPayment,
    by: Pick<NewOrder, 'account' | 'receiptTo'>,
  ): Promise<boolean> {
    const rows = await db.query(
      `with again as (
         update orders set state = 'pending', attempt = attempt + 1, account = coalesce($6, account),
           receipt_to = coalesce($8, receipt_to)
         where number = $1 and state = 'declined' and attempt = $2 and fence = $7
         returning number, attempt, amount, currency
       )
       insert into payments (id, order_number, attempt, amount, currency, card_brand, card_last4)
       select $3, number, attempt, amount, currency, $4, $5 from again returning id`,
      [
        ...[order.number, order.attempt, payment.id, payment.card.brand, payment.card.last4],
        ...[by.account ?? null, order.fence, by.receiptTo ?? null],
      ],
    )
    return rows.length > 0
  }

  /** False when somebody else has the order now, who may have given the attempt up. */
  async function recordAuthorised(id: string, fence: bigint): Promise<boolean> {
    const rows = await db.query(
      `update payments p set state = 'authorised' from orders o
       where p.id = $1 and p.state = 'new' and o.number = p.order_number and o.fence = $2 returning p.id`,
      [id, fence],
    )
    return rows.length > 0
  }

  /** The attempt ended without money: the bank declined it, or (`voided`) it was given up. */
  async function recordNoMoney(id: string, state: 'declined' | 'voided', reason: string, fence: bigint): Promise<void> {
    await db.query(
      `with p as (
         update payments p set state = $2, reason = $3 from orders o
         where p.id = $1 and p.state = 'new' and o.number = p.order_number and o.fence = $4
         returning p.order_number, p.attempt
       )
       update orders o set state = 'declined' from p
       where o.number = p.order_number and o.attempt = p.attempt and o.state = 'pending'`,
      [id, state, reason, fence],
    )
  }

  /**
   * The seats are his: order paid, its sales written and a receipt owed, together. A second call writes nothing, nor does one whose fence is not
   * the order's.
   * Throws a unique violation when a seat was sold to another order; then nothing of it is written.
   */
  async function sell(order: Order): Promise<{ written: boolean; soldOut: boolean }> {
    const [written, soldOut] = await db.transaction([
      {
        text: `with moved as (
                 update orders set state = 'paid', settled_at = now()
                 where number = $1 and state = 'pending' and fence = $2
                 returning number, event_id, seats, prices, receipt_to
               ), owed as (
                 insert into receipts (order_number, address) select number, receipt_to from moved
               )
               insert into sales (event_id, seat_id, order_number, price)
               select m.event_id, s.seat_id, m.number, s.price
               from moved m, unnest(m.seats, m.prices) as s (seat_id, price)
               returning seat_id`,
        values: [order.number, order.fence],
      },
      {
        text: `update events set status = 'sold-out'
               where id = $1 and status = 'on-sale' and seats <= (select count(*) from sales where event_id = $1)
               returning id`,
        values: [order.eventId],
      },
    ])
    return { written: (written?.length ?? 0) > 0, soldOut: (soldOut?.length ?? 0) > 0 }
  }

  /** False when somebody else has moved it, or has it now. */
  async function refuse(order: Order, state: 'expired' | 'gone' | 'conflict'): Promise<boolean> {
    const rows = await db.query(
      `update orders set state = $2, settled_at = now()
       where number = $1 and state = 'pending' and fence = $3 returning number`,
      [order.number, state, order.fence],
    )
    return rows.length > 0
  }

  async function recordCaptured(id: string): Promise<void> {
    await db.query(`update payments set state = 'captured' where id = $1 and state = 'authorised'`, [id])
  }

  async function recordVoided(id: string, reason: string): Promise<void> {
    await db.query(
      `update payments set state = 'voided', reason = $2 where id = $1 and state in ('new', 'authorised')`,
      [id, reason],
    )
  }

  async function order(number: string): Promise<Order | undefined> {
    const [row] = await db.query('select * from orders where number = $1', [number])
    return row === undefined ? undefined : toOrder(row)
  }

  /** The order of a hold, if it came so far. */
  async function orderOf(eventId: string, holdId: string): Promise<Order | undefined> {
    const [row] = await db.query('select * from orders where event_id = $1 and hold_id = $2', [eventId, holdId])
    return row === undefined ? undefined : toOrder(row)
  }

  /** Of an account all, on whichever device they were made; of a browser those that are nobody's. */
  async function ordersOf(customer: string, account?: string): Promise<Order[]> {
    const rows = await db.query(
      `select * from orders where (customer = $1 and account is null) or account = $2
       order by created_at desc limit 50`,
      [customer, account ?? null],
    )
    return rows.map(toOrder)
  }

  /** The payment of the order's present attempt. */
  async function payment(of: Order): Promise<Payment | undefined> {
    const [row] = await db.query('select * from payments where order_number = $1 and attempt = $2', [
      of.number,
      of.attempt,
    ])
    return row === undefined ? undefined : toPayment(row)
  }

  /** Orders whose end is not known: left by a crash, or by a server that did not answer. */
  async function pending(olderThanMs: number): Promise<Order[]> {
    const rows = await db.query(
      `select * from orders where state = 'pending' and created_at <= now() - make_interval(secs => $1)
       order by created_at limit 500`,
      [olderThanMs / 1_000],
    )
    return rows.map(toOrder)
  }

  /** Money that is still reserved though the order has ended: to be captured if it was paid, else let go. */
  async function unfinishedPayments(): Promise<{ payment: Payment; earned: boolean }[]> {
    const rows = await db.query(
      `select p.*, (o.state = 'paid' and o.attempt = p.attempt) as earned from payments p join orders o on o.number = p.order_number
       where p.state = 'authorised' and (o.state <> 'pending' or o.attempt <> p.attempt)
       order by p.created_at limit 500`,
    )
    return rows.map((row) => ({ payment: toPayment(row), earned: row.earned as boolean }))
  }

  /** What was paid for an event, to lay out its seats again as they were. */
  async function paidOrders(eventId: string): Promise<{ order: Order; payment: string }[]> {
    const rows = await db.query(
      `select o.*, p.id as payment from orders o
       join payments p on p.order_number = o.number and p.attempt = o.attempt
       where o.event_id = $1 and o.state = 'paid' order by o.settled_at`,
      [eventId],
    )
    return rows.map((row) => ({ order: toOrder(row), payment: row.payment as string }))
  }

  return {
    open,
    take,
    retry,
    recordAuthorised,
    recordNoMoney,
    sell,
    refuse,
    recordCaptured,
    recordVoided,
    order,
    orderOf,
    ordersOf,
    payment,
    pending,
    unfinishedPayments,
    paidOrders,
  }
}

export function toOrder(row: Row): Order {
  return {
    number: row.number as string,
    eventId: row.event_id as string,
    holdId: row.hold_id as string,
    customer: row.customer as string,
    account: row.account as string | null,
    seats: row.seats as string[],
    prices: row.prices as bigint[],
    amount: row.amount as bigint,
    currency: row.currency as string,
    state: row.state as Order['state'],
    attempt: row.attempt as number,
    fence: row.fence as bigint,
    createdAt: row.created_at as Date,
    settledAt: row.settled_at as Date | null,
  }
}

function toPayment(row: Row): Payment {
  return {
    id: row.id as string,
    orderNumber: row.order_number as string,
    attempt: row.attempt as number,
    amount: row.amount as bigint,
    currency: row.currency as string,
    state: row.state as Payment['state'],
    cardBrand: row.card_brand as string,
    cardLast4: row.card_last4 as string,
    reason: row.reason as string | null,
    createdAt: row.created_at as Date,
  }
}
