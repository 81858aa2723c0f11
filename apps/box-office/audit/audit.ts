/**
 * The independent audit of a sold night: raw keys of Redis and rows of SQL, side by side. What must be true is
 * a list of invariants, each with the problems that were found; none found is a tick.
 *
 *   map = counters = holds = log = SQL, nobody has more than he may, every seat that is sold was paid for once
 */

import type { Database } from '../database/database.ts'
import { SEATS_PER_CUSTOMER } from '../seating/nights.ts'
import type { SeatPlan } from '../seating/plan.ts'
import type { RedisAddress } from '../servers/address.ts'
import { type RawEvent, readEvent } from './event-keys.ts'
import { openRaw } from './raw.ts'

export interface Invariant {
  readonly name: string
  readonly problems: readonly string[]
}

export interface Audit {
  readonly invariants: readonly Invariant[]
  /** How often each kind of change stands in the log. */
  readonly changes: Readonly<Record<string, number>>
}

export interface AuditOptions {
  readonly address: RedisAddress
  readonly namespace: string
  readonly eventId: string
  readonly plan: SeatPlan
  readonly db: Database
}

export async function auditNight({ address, namespace, eventId, plan, db }: AuditOptions): Promise<Audit> {
  const raw = await openRaw(address)
  try {
    const event = await readEvent(raw, namespace, eventId, plan)
    const invariants = [
      { name: 'every key has the form that is described', problems: event.problems },
      countersAgree(event),
      holdsAgree(event),
      nothingHeldTwice(event),
      customersAgree(event),
      logAgrees(event),
      ...(await sqlAgrees(event, eventId, db)),
    ]
    const changes: Record<string, number> = {}
    for (const { kind } of event.log) changes[kind] = (changes[kind] ?? 0) + 1
    return { invariants, changes }
  } finally {
    raw.close()
  }
}

function countersAgree({ fields, map }: RawEvent): Invariant {
  const problems: string[] = []
  const compare = (name: string, counter: number, counted: number) => {
    if (counter !== counted) problems.push(`${name}: counter ${counter}, map ${counted}`)
  }
  const count = (letter: string) => [...map.values()].filter((found) => found === letter).length
  compare('held', Number(fields.held), count('h'))
  compare('sold', Number(fields.sold), count('s'))
  compare('seats', Number(fields.seats), map.size)
  compare('free', Number(fields.seats) - Number(fields.held) - Number(fields.sold), count('.'))
  return { name: 'map = counters', problems }
}

function holdsAgree({ map, holds, due }: RawEvent): Invariant {
  const problems: string[] = []
  const claimed = new Map<string, string>()
  for (const hold of holds) {
    if (hold.state === 'h' && !due.has(hold.id)) problems.push(`hold ${hold.id} has no end`)
    if (hold.state === 's' && due.has(hold.id)) problems.push(`sold hold ${hold.id} is still due to end`)
    if (hold.state !== 'h' && hold.state !== 's') continue
    for (const seat of hold.seats) claimed.set(seat, hold.state)
  }
  for (const [seat, letter] of map) {
    const expected = letter === 'h' || letter === 's' ? letter : undefined
    if (claimed.get(seat) !== expected) problems.push(`${seat}: map ${letter}, holds ${claimed.get(seat) ?? 'nobody'}`)
  }
  return { name: 'map = holds', problems }
}

function nothingHeldTwice({ holds }: RawEvent): Invariant {
  const owners = new Map<string, string>()
  const problems: string[] = []
  for (const hold of holds) {
    if (hold.state !== 'h' && hold.state !== 's') continue
    for (const seat of hold.seats) {
      const other = owners.get(seat)
      if (other !== undefined) problems.push(`${seat} is in ${other} and in ${hold.id}`)
      owners.set(seat, hold.id)
    }
  }
  return { name: 'no seat is in two holds', problems }
}

function customersAgree({ holds, customers, fields }: RawEvent): Invariant {
  const problems: string[] = []
  const counted = new Map<string, number>()
  for (const { state, customer, seats } of holds)
    if (state === 'h' || state === 's') counted.set(customer, (counted.get(customer) ?? 0) + seats.length)
  if (Number(fields.limit) !== SEATS_PER_CUSTOMER) problems.push(`the limit is ${fields.limit}`)
  for (const who of new Set([...counted.keys(), ...customers.keys()])) {
    const seats = counted.get(who) ?? 0
    if (seats !== (customers.get(who) ?? 0)) problems.push(`${who}: holds ${seats}, counter ${customers.get(who) ?? 0}`)
    if (seats > SEATS_PER_CUSTOMER) problems.push(`${who} has ${seats} seats`)
  }
  return { name: 'nobody has more than he may, and counters of customers = holds', problems }
}

const STARTS: Record<string, readonly [from: string, to: string]> = {
  held: ['.', 'h'],
  confirmed: ['h', 's'],
  released: ['h', '.'],
  expired: ['h', '.'],
}

/** The log, played from the empty house: every step fits the one before, and it ends at the map. */
function logAgrees({ log, map, holds, fields }: RawEvent): Invariant {
  const problems: string[] = []
  const played = new Map([...map.keys()].map((seat) => [seat, '.']))
  const ends = new Map<string, string>()
  if (log[0]?.kind !== 'created') problems.push(`the log begins with ${log[0]?.kind ?? 'nothing'}`)
  if (log.at(-1)?.version !== Number(fields.version)) problems.push(`the log ends at ${log.at(-1)?.version}`)
  log.forEach((entry, index) => {
    const before = log[index - 1]
    if (before !== undefined && entry.version !== before.version + 1)
      problems.push(`a gap between ${before.version} and ${entry.version}`)
    const step = STARTS[entry.kind]
    if (step === undefined) return
    for (const seat of entry.seats) {
      if (played.get(seat) !== step[0])
        problems.push(`${entry.version}: ${entry.kind} ${seat}, which was ${played.get(seat)}`)
      played.set(seat, step[1])
    }
    if (entry.kind === 'held') return
    if (ends.has(entry.hold)) problems.push(`hold ${entry.hold} ended twice: ${ends.get(entry.hold)}, ${entry.kind}`)
    ends.set(entry.hold, entry.kind)
  })
  for (const [seat, letter] of map)
    if (played.get(seat) !== letter) problems.push(`${seat}: log ${played.get(seat)}, map ${letter}`)
  for (const { id, state } of holds) {
    const expected = { h: undefined, s: 'confirmed', e: 'expired', r: 'released' }[state]
    if (ends.get(id) !== expected) problems.push(`hold ${id}: record ${state}, log ${ends.get(id) ?? 'no end'}`)
  }
  return { name: 'map = log, every step in order, every hold ended once', problems }
}

interface PaidRow extends Record<string, unknown> {
  number: string
  hold_id: string
  customer: string
  seats: string[]
  amount: bigint
  payments: string[] | null
}

async function sqlAgrees(event: RawEvent, eventId: string, db: Database): Promise<Invariant[]> {
  const sales = await db.query<{ seat_id: string; order_number: string; price: bigint }>(
    'select seat_id, order_number, price from sales where event_id = $1',
    [eventId],
  )
  const paid = await db.query<PaidRow>(
    `select o.number, o.hold_id, o.customer, o.seats, o.amount,
            (select array_agg(p.id) from payments p where p.order_number = o.number and p.state = 'captured') as payments
     from orders o where o.event_id = $1 and o.state = 'paid'`,
    [eventId],
  )
  const loose = await db.query<{ id: string; state: string; bank: string | null; order_state: string }>(
    `select p.id, p.state, b.state as bank, o.state as order_state
     from payments p join orders o on o.number = p.order_number left join test_bank b on b.key = p.id
     where o.event_id = $1 and (
       p.state in ('new', 'authorised') or o.state = 'pending'
       or (p.state = 'captured') <> (o.state = 'paid' and p.attempt = o.attempt)
       or coalesce(b.state, 'voided') is distinct from p.state)`,
    [eventId],
  )
  return [salesAgree(event, sales), ordersAgree(event, sales, paid), moneyAgrees(loose)]
}

function salesAgree({ map }: RawEvent, sales: readonly { seat_id: string }[]): Invariant {
  const problems: string[] = []
  const sold = new Set(sales.map((sale) => sale.seat_id))
  if (sold.size !== sales.length) problems.push(`${sales.length - sold.size} seats are sold twice in SQL`)
  for (const [seat, letter] of map) {
    if (letter === 's' && !sold.has(seat)) problems.push(`${seat} is sold in the map, not in SQL`)
    if (letter !== 's' && sold.has(seat)) problems.push(`${seat} is sold in SQL, ${letter} in the map`)
  }
  for (const seat of sold) if (!map.has(seat)) problems.push(`${seat} is sold and does not exist`)
  return { name: 'map = SQL', problems }
}

function ordersAgree(
  { holds }: RawEvent,
  sales: readonly { seat_id: string; order_number: string; price: bigint }[],
  paid: readonly PaidRow[],
): Invariant {
  const problems: string[] = []
  const byId = new Map(holds.filter((hold) => hold.state === 's').map((hold) => [hold.id, hold]))
  for (const order of paid) {
    const hold = byId.get(order.hold_id)
    byId.delete(order.hold_id)
    const own = sales.filter((sale) => sale.order_number === order.number)
    const seats = own.map((sale) => sale.seat_id).sort()
    const price = own.reduce((sum, sale) => sum + sale.price, 0n)
    if (price !== order.amount) problems.push(`order ${order.number}: paid ${order.amount}, sold for ${price}`)
    if (seats.join() !== [...order.seats].sort().join())
      problems.push(`order ${order.number}: its sales are other seats`)
    if (hold === undefined) problems.push(`order ${order.number} is paid, and its hold is not sold`)
    else if ([...hold.seats].sort().join() !== seats.join() || hold.customer !== order.customer)
      problems.push(`order ${order.number}: the hold has other seats or another customer`)
    else if (order.payments?.length !== 1 || order.payments[0] !== hold.payment)
      problems.push(`order ${order.number}: paid with ${order.payments ?? 'nothing'}, hold sold for ${hold.payment}`)
  }
  for (const hold of byId.keys()) problems.push(`hold ${hold} is sold, and no order is paid for it`)
  return { name: 'holds = orders: every paid order has its seats, every sold hold is paid once', problems }
}

function moneyAgrees(
  loose: readonly { id: string; state: string; bank: string | null; order_state: string }[],
): Invariant {
  return {
    name: 'payments = bank: taken for what is sold, let go for all else',
    problems: loose.map((row) => `${row.id}: ${row.state}, bank ${row.bank}, order ${row.order_state}`),
  }
}
