/** For tests: a whole house on a private server, and an empty night for each test. */

import { bestFirst } from './crowd/demand.ts'
import { type House, type HouseOptions, openHouse } from './house.ts'
import { newCustomerId } from './orders/number.ts'
import { Card } from './payment/card.ts'
import { TEST_CARDS } from './payment/test-bank.ts'
import type { Night } from './seating/nights.ts'

export interface TestHouse {
  readonly house: House
  /** What went wrong and was not an answer. */
  readonly faults: unknown[]
  /** A night that no other test has. */
  freshNight(): Promise<Night>
  close(): Promise<void>
}

export async function openTestHouse(
  options: Pick<HouseOptions, 'onStep' | 'layout' | 'smtp' | 'receipts' | 'payments'> = {},
): Promise<TestHouse> {
  const faults: unknown[] = []
  const house = await openHouse({
    redis: undefined,
    dataDir: undefined,
    onFault: (error) => faults.push(error),
    ...options,
  })
  let next = 0
  return {
    house,
    faults,
    async freshNight() {
      const events = await house.catalogue.upcoming()
      next += 1
      return (await house.nights.open(events[next]?.id ?? '')) as Night
    },
    close: () => house.close(),
  }
}

/** `count` seats of a night from its best on, leaving out the first `from`. */
export function someSeats(night: Night, count: number, from = 0): string[] {
  return bestFirst(night)
    .slice(from, from + count)
    .map((seat) => seat.id)
}

let keys = 0

export function holdRequest(night: Night, seats: readonly string[], holdMs = 60_000) {
  keys += 1
  return { eventId: night.eventId, customer: newCustomerId(), seats, key: `test-${keys}-key`, holdMs }
}

export const cards = {
  good: new Card(TEST_CARDS.succeeds.replaceAll(' ', '')),
  declined: new Card(TEST_CARDS.declined.replaceAll(' ', '')),
  empty: new Card(TEST_CARDS.insufficientFunds.replaceAll(' ', '')),
  other: new Card('5555555555554444'),
}

/** What SQL, the bank and the map say of one order, in short. */
export async function books(house: House, night: Night, orderNumber: string) {
  const order = await house.ledger.order(orderNumber)
  const payments = await house.db.query<{ state: string; bank: string | null }>(
    `select p.state, b.state as bank from payments p left join test_bank b on b.key = p.id
     where p.order_number = $1 order by p.attempt`,
    [orderNumber],
  )
  const sales = await house.db.query<{ seat_id: string }>(
    'select seat_id from sales where order_number = $1 order by seat_id',
    [orderNumber],
  )
  const states = new Map((await night.seats.map()).seats.map((seat) => [seat.id, seat.state]))
  return {
    order: order?.state,
    payments: payments.map((payment) => payment.state),
    bank: payments.map((payment) => payment.bank),
    sales: sales.length,
    seats: [...new Set(order?.seats.map((seat) => states.get(seat)))],
  }
}
