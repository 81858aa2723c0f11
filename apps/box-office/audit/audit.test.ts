import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cards, holdRequest, openTestHouse, someSeats, type TestHouse } from '../house.fixture.ts'
import type { Night } from '../seating/nights.ts'
import { auditNight } from './audit.ts'
import { keysOf, removeNamespace } from './namespace.ts'

let test: TestHouse
let redis: Redis

beforeAll(async () => {
  test = await openTestHouse()
  redis = new Redis(test.house.address.url)
})
afterAll(async () => {
  redis.disconnect()
  await test.close()
})

/** A night with three orders paid, one hold that stands, one given back and one that ran out. */
async function busyNight(): Promise<Night> {
  const night = await test.freshNight()
  const { desk } = test.house
  const take = async (from: number, holdMs?: number) => {
    const answer = await desk.hold(holdRequest(night, someSeats(night, 2, from), holdMs))
    if (answer.status !== 'held') throw new Error(answer.status)
    return answer.claim
  }
  for (const from of [0, 2, 4]) await desk.pay(await take(from), cards.good)
  await desk.pay(await take(6), cards.declined)
  await desk.release(await take(8))
  await take(10, 30)
  while ((await night.seats.counts()).held > 2) await new Promise((resolve) => setTimeout(resolve, 20))
  return night
}

async function broken(night: Night): Promise<string[]> {
  const { address, namespace, db } = test.house
  const { invariants } = await auditNight({ address, namespace, eventId: night.eventId, plan: night.plan, db })
  return invariants.filter(({ problems }) => problems.length > 0).map(({ name }) => name)
}

const tagOf = (night: Night) => `{${test.house.namespace}:seats:${night.eventId}}`

/** The place of a seat that is in such a state, in the map. */
async function cellOf(night: Night, letter: string): Promise<number> {
  return ((await redis.get(`${tagOf(night)}:map`)) as string).indexOf(letter)
}

async function fieldOf(night: Night, prefix: string, state = ''): Promise<string> {
  const fields = await redis.hgetall(tagOf(night))
  return Object.keys(fields).find((key) => key.startsWith(prefix) && fields[key]?.startsWith(state)) as string
}

it('finds nothing wrong with a night on which nothing is', async () => {
  const night = await busyNight()
  expect(await broken(night)).toEqual([])
  expect(await night.seats.verify()).toMatchObject({ ok: true, problems: [] })
})

const sql = (text: string) => async (night: Night) => {
  await test.house.db.query(text, [night.eventId])
}

const CORRUPTIONS: [what: string, plant: (night: Night) => Promise<unknown>, invariant: string][] = [
  [
    'a sold seat is free in the map',
    async (n) => redis.setrange(`${tagOf(n)}:map`, await cellOf(n, 's'), '.'),
    'map = counters',
  ],
  [
    'a free seat is sold in the map',
    async (n) => redis.setrange(`${tagOf(n)}:map`, await cellOf(n, '.'), 's'),
    'map = SQL',
  ],
  ['a counter is off by one', (n) => redis.hincrby(tagOf(n), 'sold', 1), 'map = counters'],
  ['the record of a sale is gone', async (n) => redis.hdel(tagOf(n), await fieldOf(n, 'hold:', 's')), 'map = holds'],
  ['a hold has no end', async (n) => redis.zrem(`${tagOf(n)}:due`, await fieldOf(n, 'hold:', 'h')), 'map = holds'],
  [
    'two holds have one seat',
    async (n) =>
      redis.hset(tagOf(n), 'hold:other', (await redis.hget(tagOf(n), await fieldOf(n, 'hold:', 's'))) as string),
    'no seat is in two holds',
  ],
  [
    'a customer has more than is counted',
    async (n) => redis.hincrby(tagOf(n), await fieldOf(n, 'customer:'), 1),
    'nobody has more than he may, and counters of customers = holds',
  ],
  [
    'a step is missing in the log',
    async (n) =>
      redis.xdel(`${tagOf(n)}:log`, ((await redis.xrange(`${tagOf(n)}:log`, '-', '+'))[3] as [string, string[]])[0]),
    'map = log, every step in order, every hold ended once',
  ],
  [
    'a sale is gone from SQL',
    sql('delete from sales where seat_id in (select min(seat_id) from sales where event_id = $1) and event_id = $1'),
    'map = SQL',
  ],
  [
    'SQL sold a seat that is free',
    sql(`insert into sales (event_id, seat_id, order_number, price)
         select event_id, 'A-1-1', order_number, price from sales where event_id = $1 limit 1`),
    'map = SQL',
  ],
  [
    'an order was paid with less than its seats cost',
    sql(`update orders set amount = amount - 1 where event_id = $1 and state = 'paid'`),
    'holds = orders: every paid order has its seats, every sold hold is paid once',
  ],
  [
    'the money of a paid order was never taken',
    sql(`update test_bank set state = 'authorised' where key in
           (select p.id from payments p join orders o on o.number = p.order_number where o.event_id = $1 and o.state = 'paid')`),
    'payments = bank: taken for what is sold, let go for all else',
  ],
  [
    'money was taken for an order that was refused',
    sql(`update payments set state = 'captured' where order_number in
           (select number from orders where event_id = $1 and state = 'declined')`),
    'payments = bank: taken for what is sold, let go for all else',
  ],
]

describe('the audit finds that', () => {
  it.each(CORRUPTIONS)('%s', async (_what, plant, invariant) => {
    const night = await busyNight()
    await plant(night)
    expect(await broken(night)).toContain(invariant)
  })
})

describe('a namespace', () => {
  it('is removed whole, and nothing of its neighbours', async () => {
    const mine = ['{ns:seats:1}:map', '{ns:cache:event:x}', 'lease:{ns:cache:event:x}']
    const others = ['{ns2:seats:1}', '{other:cache:{ns:x}', 'ns:plain', '{nsx:a}']
    for (const key of [...mine, ...others]) await redis.set(key, '1')
    expect((await keysOf(redis, 'ns')).sort()).toEqual([...mine].sort())
    expect(await removeNamespace(test.house.address, 'ns')).toBe(mine.length)
    expect(await redis.exists(...mine)).toBe(0)
    expect(await redis.exists(...others)).toBe(others.length)
  })
})
