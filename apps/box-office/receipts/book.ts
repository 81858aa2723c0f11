/**
 * Which receipts are owed, in SQL. A row is written by the statement that makes an order paid (`ledger.sell`), so there is one for each paid order
 * and none for any other, whatever dies when. It says 'due' until the receipt is out, whatever Redis forgets meanwhile.
 */

import type { Database, Row } from '../database/database.ts'
import { toOrder } from '../orders/ledger.ts'
import type { Order } from '../orders/order.ts'

/** `refused`: by the mail server, for good. `failed`: tried as often as we try, or the death of those who tried. */
export type ReceiptState = 'due' | 'sent' | 'refused' | 'failed'

export interface ReceiptRow {
  readonly orderNumber: string
  readonly address: string | null
  readonly state: ReceiptState
  readonly via: 'mail' | 'file' | null
  readonly reason: string | null
}

export interface Taken {
  readonly order: Order
  readonly address: string | undefined
  readonly paidWith: string
}

export type ReceiptBook = ReturnType<typeof createReceiptBook>

export function createReceiptBook(db: Database) {
  return {
    /** Orders whose receipt is due and not yet in the queue, or was put there longer ago than `olderThanMs`, the oldest first. */
    async due(olderThanMs: number, limit: number): Promise<{ number: string; again: boolean }[]> {
      return db.query<{ number: string; again: boolean }>(
        `select order_number as number, queued_at is not null as again from receipts
         where state = 'due' and (queued_at is null or queued_at <= now() - make_interval(secs => $1))
         order by queued_at nulls first, created_at limit $2`,
        [olderThanMs / 1_000, limit],
      )
    },

    async queued(numbers: readonly string[]): Promise<void> {
      await db.query('update receipts set queued_at = now() where order_number = any($1)', [numbers])
    },

    /** For whoever writes it now; undefined when it is out, or somebody with a higher fence is at it. */
    async take(number: string, fence: bigint): Promise<Taken | undefined> {
      const [row] = await db.query(
        `update receipts r set fence = $2, state = 'due' from orders o
         join payments p on p.order_number = o.number and p.attempt = o.attempt
         where r.order_number = $1 and o.number = $1 and r.state <> 'sent' and r.fence <= $2
         returning o.*, r.address, p.card_brand, p.card_last4`,
        [number, fence],
      )
      if (row === undefined) return undefined
      const paidWith = `${row.card_brand} …${row.card_last4}`
      return { order: toOrder(row), address: (row.address as string | null) ?? undefined, paidWith }
    },

    /** Out it is, whoever has the fence now. */
    async sent(number: string, via: 'mail' | 'file'): Promise<void> {
      await db.query(
        `update receipts set state = 'sent', via = $2, reason = null, sent_at = now() where order_number = $1 and state <> 'sent'`,
        [number, via],
      )
    },

    async failed(number: string, state: 'refused' | 'failed', reason: string): Promise<void> {
      await db.query(`update receipts set state = $2, reason = $3 where order_number = $1 and state = 'due'`, [
        ...[number, state, reason.slice(0, 500)],
      ])
    },

    async of(number: string): Promise<ReceiptRow | undefined> {
      const [row] = await db.query('select * from receipts where order_number = $1', [number])
      return row === undefined ? undefined : toReceipt(row)
    },

    /** How many there are in each state. */
    async counts(): Promise<Record<ReceiptState, number>> {
      const rows = await db.query<{ state: ReceiptState; n: number }>(
        'select state, count(*)::int as n from receipts group by state',
      )
      const counts = { due: 0, sent: 0, refused: 0, failed: 0 }
      for (const { state, n } of rows) counts[state] = n
      return counts
    },
  }
}

function toReceipt(row: Row): ReceiptRow {
  return {
    orderNumber: row.order_number as string,
    address: row.address as string | null,
    state: row.state as ReceiptState,
    via: row.via as ReceiptRow['via'],
    reason: row.reason as string | null,
  }
}
