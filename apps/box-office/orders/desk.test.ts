import { setTimeout as wait } from 'node:timers/promises'
import { connect } from 'holdfast'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { books, cards, holdRequest, openTestHouse, someSeats, type TestHouse } from '../house.fixture.ts'
import { openTrade } from '../house.ts'
import type { Card } from '../payment/card.ts'
import type { Night } from '../seating/nights.ts'
import type { HoldRequest, PayAnswer, Step } from './desk.ts'
import type { Claim, Order } from './order.ts'

let test: TestHouse
/** Set by a test: the step at which the world stops once. */
let crashAt: Step | undefined
let paused: { at: Step; until: Promise<void> } | undefined

class Crash extends Error {}

beforeAll(async () => {
  test = await openTestHouse({
    async onStep(step) {
      if (paused?.at === step) await paused.until
      if (crashAt !== step) return
      crashAt = undefined
      throw new Crash(step)
    },
  })
})
afterAll(() => test.close())

async function claimOf(request: HoldRequest): Promise<Claim> {
  const answer = await test.house.desk.hold(request)
  if (answer.status !== 'held') throw new Error(`not held: ${answer.status}`)
  return answer.claim
}

async function heldClaim(night: Night, count = 2, holdMs?: number): Promise<Claim> {
  return claimOf(holdRequest(night, someSeats(night, count), holdMs))
}

function orderOf(answer: PayAnswer): Order {
  if (answer.status === 'no-event') throw new Error('no event')
  return answer.order
}

const PAID = { order: 'paid', payments: ['captured'], bank: ['captured'], seats: ['sold'] }

describe('a sale', () => {
  it('takes the money, sells the seats, and writes both down', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night, 3)
    const answer = await test.house.desk.pay(claim, cards.good)
    expect(answer.status).toBe('paid')
    const order = orderOf(answer)
    expect(order.number).toMatch(/^BX-[0-9A-Z]{4}-[0-9A-Z]{4}$/)
    expect(order.amount).toBe(claim.seats.reduce((sum, seat) => sum + test.house.nights.priceOf(night, seat), 0n))
    expect(await books(test.house, night, order.number)).toEqual({ ...PAID, sales: 3 })
  })

  it('answers a repeated payment with the same order, and takes nothing twice', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    const together = await Promise.all([1, 2, 3].map(() => test.house.desk.pay(claim, cards.good)))
    const later = await test.house.desk.pay(claim, cards.good)
    const numbers = new Set([...together, later].map((answer) => orderOf(answer).number))
    expect([...together, later].map((answer) => answer.status)).toEqual(['paid', 'paid', 'paid', 'paid'])
    expect(numbers.size).toBe(1)
    expect(await books(test.house, night, [...numbers][0] as string)).toEqual({ ...PAID, sales: 2 })
  })

  it('asks the bank once for a request that comes twice, to whichever process, and answers both the same', async () => {
    const { house } = test
    await using hf = await connect(house.address.url, { namespace: house.namespace, timeout: '10s' })
    const elsewhere = openTrade({
      hf,
      address: house.address,
      db: house.db,
      onFault: (error) => test.faults.push(error),
    })
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    const twice = (card: Card, submit: string) =>
      Promise.all([house.desk, elsewhere.desk].map((desk) => desk.pay(claim, card, { submit })))
    const declined = await twice(cards.declined, 'first')
    expect(declined).toMatchObject([
      { status: 'declined', reason: 'declined' },
      { status: 'declined', reason: 'declined' },
    ])
    const paid = await twice(cards.good, 'second')
    expect(paid).toMatchObject([{ status: 'paid' }, { status: 'paid' }])
    expect(await books(house, night, orderOf(paid[0] as PayAnswer).number)).toEqual({
      ...PAID,
      payments: ['declined', 'captured'],
      bank: ['declined', 'captured'],
      sales: 2,
    })
  })

  it('is written once by whoever has the lock, and not again by one who lost it in the middle', async () => {
    const { house } = test
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    let resume = () => {}
    const until = new Promise<void>((resolve) => {
      resume = resolve
    })
    const recorded = new Promise<void>((resolve) => {
      paused = {
        at: 'recorded',
        get until() {
          resolve()
          return until
        },
      }
    })
    const paying = house.desk.pay(claim, cards.good)
    await recorded
    paused = undefined
    const stopped = await house.ledger.orderOf(claim.eventId, claim.holdId)
    await house.settler.run(0)
    expect((await house.ledger.orderOf(claim.eventId, claim.holdId))?.state).toBe('pending')
    expect(await house.hf.lock(`payment:${claim.eventId}:${claim.holdId}`).forceRelease()).toBe(true)
    await house.settler.run(0)
    const sold = await house.ledger.orderOf(claim.eventId, claim.holdId)
    expect(sold?.state).toBe('paid')
    expect(sold?.fence).toBeGreaterThan(stopped?.fence as bigint)
    // With its own fence it moves nothing any more, though the state were one that it may move.
    await house.db.query(`update orders set state = 'pending' where number = $1`, [sold?.number as string])
    expect(await house.ledger.refuse(stopped as Order, 'expired')).toBe(false)
    expect(await house.ledger.sell(stopped as Order)).toMatchObject({ written: false })
    await house.db.query(`update orders set state = 'paid' where number = $1`, [sold?.number as string])
    resume()
    expect(await paying).toMatchObject({ status: 'paid', order: { fence: sold?.fence } })
    expect(await books(house, night, sold?.number as string)).toEqual({ ...PAID, sales: 2 })
  })

  it('gives one seat to one of many who ask for it, and tells the others which was taken', async () => {
    const night = await test.freshNight()
    const seats = someSeats(night, 2)
    const answers = await Promise.all(Array.from({ length: 20 }, () => test.house.desk.hold(holdRequest(night, seats))))
    expect(answers.filter((answer) => answer.status === 'held')).toHaveLength(1)
    for (const answer of answers)
      if (answer.status !== 'held') expect(answer).toEqual({ status: 'taken', taken: expect.arrayContaining(seats) })
  })

  it('holds the same seats once for a repeated request', async () => {
    const night = await test.freshNight()
    const request = holdRequest(night, someSeats(night, 2))
    const first = await claimOf(request)
    expect(await claimOf(request)).toEqual(first)
  })

  it('marks a night as sold out with its last seat, on the pages too', async () => {
    const night = await test.freshNight()
    const { db, desk, catalogue } = test.house
    await db.query('update events set seats = 4 where id = $1', [night.eventId])
    for (const from of [0, 2]) {
      expect((await catalogue.event(night.eventId))?.status).toBe('on-sale')
      const claim = await claimOf(holdRequest(night, someSeats(night, 2, from)))
      expect((await desk.pay(claim, cards.good)).status).toBe('paid')
    }
    expect((await catalogue.event(night.eventId))?.status).toBe('sold-out')
  })
})

describe('a refusal', () => {
  it('leaves the seats held and the order open to another card', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    const first = await test.house.desk.pay(claim, cards.declined)
    expect(first).toMatchObject({ status: 'declined', reason: 'declined' })
    const { number } = orderOf(first)
    expect(await books(test.house, night, number)).toEqual({
      order: 'declined',
      payments: ['declined'],
      bank: ['declined'],
      sales: 0,
      seats: ['held'],
    })
    expect(await test.house.desk.pay(claim, cards.empty)).toMatchObject({ reason: 'insufficient-funds' })
    const third = await test.house.desk.pay(claim, cards.good)
    expect(third.status).toBe('paid')
    expect(orderOf(third).number).toBe(number)
    expect(await books(test.house, night, number)).toMatchObject({
      order: 'paid',
      payments: ['declined', 'declined', 'captured'],
      sales: 2,
    })
  })

  it('takes test cards only', async () => {
    const claim = await heldClaim(await test.freshNight())
    expect(await test.house.desk.pay(claim, cards.other)).toMatchObject({
      status: 'declined',
      reason: 'not-a-test-card',
    })
  })

  it('lets the money go when the hold has run out', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night, 2, 60)
    await wait(claim.expiresAtMs - Date.now() + 20)
    const answer = await test.house.desk.pay(claim, cards.good)
    expect(answer.status).toBe('expired')
    expect(await books(test.house, night, orderOf(answer).number)).toMatchObject({
      order: 'expired',
      payments: ['voided'],
      bank: ['voided'],
      sales: 0,
    })
  })

  it('lets the money go when the seats were given back meanwhile', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    let resume = () => {}
    paused = {
      at: 'authorised',
      until: new Promise((resolve) => {
        resume = resolve
      }),
    }
    const paying = test.house.desk.pay(claim, cards.good)
    await test.house.desk.release(claim)
    resume()
    paused = undefined
    const answer = await paying
    expect(answer.status).toBe('gone')
    expect(await books(test.house, night, orderOf(answer).number)).toMatchObject({ bank: ['voided'], sales: 0 })
    expect((await test.house.desk.pay(claim, cards.good)).status).toBe('gone')
  })

  it('lets the money go, and writes nothing, when SQL says that a seat was sold before', async () => {
    const night = await test.freshNight()
    const first = await heldClaim(night)
    const sold = await test.house.desk.pay(first, cards.good)
    const claim = await claimOf(holdRequest(night, someSeats(night, 2, 2)))
    // As if the map had forgotten: the seat stands in SQL under another order.
    await test.house.db.query('insert into sales (event_id, seat_id, order_number, price) values ($1, $2, $3, 1)', [
      night.eventId,
      claim.seats[1] as string,
      orderOf(sold).number,
    ])
    const answer = await test.house.desk.pay(claim, cards.good)
    expect(answer.status).toBe('conflict')
    expect(await books(test.house, night, orderOf(answer).number)).toMatchObject({
      order: 'conflict',
      payments: ['voided'],
      bank: ['voided'],
      sales: 0,
    })
  })

  it('counts the limit of a customer over all his holds', async () => {
    const night = await test.freshNight()
    const request = holdRequest(night, someSeats(night, 6))
    await claimOf(request)
    const more = { ...request, seats: someSeats(night, 3, 6), key: 'another-key' }
    expect(await test.house.desk.hold(more)).toEqual({ status: 'limit' })
    expect(await test.house.desk.hold({ ...more, seats: someSeats(night, 9, 6) })).toEqual({ status: 'limit' })
  })

  it('knows seats that do not exist, and events that do not', async () => {
    const night = await test.freshNight()
    expect(await test.house.desk.hold(holdRequest(night, ['Z-1-1']))).toEqual({ status: 'invalid' })
    expect(await test.house.desk.hold({ ...holdRequest(night, ['A-1-1']), eventId: 'none' })).toEqual({
      status: 'no-event',
    })
  })

  it('sells nothing for a night that has begun', async () => {
    const night = await test.freshNight()
    const begun: Night = { ...night, startsAt: new Date(Date.now() - 1_000) }
    const { createDesk } = await import('./desk.ts')
    const desk = createDesk({ ...test.house, nights: { ...test.house.nights, open: async () => begun } })
    expect(await desk.hold(holdRequest(night, someSeats(night, 1)))).toEqual({ status: 'closed' })
  })
})

describe('a crash', () => {
  const forward: Step[] = ['authorised', 'recorded', 'confirmed', 'sold', 'captured']

  it.each(forward)('after %s ends with the seats sold and the money taken, once', async (step) => {
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    crashAt = step
    const answer = await test.house.desk.pay(claim, cards.good)
    expect(answer.status).toBe('settling')
    await test.house.settler.run(0)
    await test.house.settler.run(0)
    expect(await books(test.house, night, orderOf(answer).number)).toEqual({ ...PAID, sales: 2 })
    expect((await test.house.desk.pay(claim, cards.good)).status).toBe('paid')
  })

  it('before the card reached the bank takes nothing, and the customer may try again', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    crashAt = 'ordered'
    const { number } = orderOf(await test.house.desk.pay(claim, cards.good))
    // Not given up at once: the request may still be on its way.
    await test.house.settler.run(0)
    expect(await books(test.house, night, number)).toMatchObject({ order: 'pending', payments: ['new'], bank: [null] })
    await test.house.db.query(
      `update payments set created_at = now() - interval '10 minutes' where order_number = $1`,
      [number],
    )
    await test.house.settler.run(0)
    expect(await books(test.house, night, number)).toMatchObject({ order: 'declined', payments: ['voided'] })
    expect((await test.house.desk.pay(claim, cards.good)).status).toBe('paid')
    expect(await books(test.house, night, number)).toMatchObject({ payments: ['voided', 'captured'], sales: 2 })
  })

  it('after which the hold ran out ends with the money let go', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night, 2, 80)
    crashAt = 'recorded'
    const answer = await test.house.desk.pay(claim, cards.good)
    await wait(claim.expiresAtMs - Date.now() + 20)
    await test.house.settler.run(0)
    expect(await books(test.house, night, orderOf(answer).number)).toMatchObject({
      order: 'expired',
      bank: ['voided'],
      sales: 0,
    })
  })

  it('is carried on by the customer himself when he asks again', async () => {
    const night = await test.freshNight()
    const claim = await heldClaim(night)
    crashAt = 'confirmed'
    expect((await test.house.desk.pay(claim, cards.good)).status).toBe('settling')
    const again = await test.house.desk.pay(claim, cards.good)
    expect(again.status).toBe('paid')
    expect(await books(test.house, night, orderOf(again).number)).toEqual({ ...PAID, sales: 2 })
  })
})

it('keeps the verdict of an attempt that was given up while the bank was thinking', async () => {
  const night = await test.freshNight()
  const claim = await heldClaim(night)
  let resume = () => {}
  paused = {
    at: 'authorised',
    until: new Promise((resolve) => {
      resume = resolve
    }),
  }
  const paying = test.house.desk.pay(claim, cards.good)
  let order: Order | undefined
  while (order === undefined) order = (await test.house.ledger.ordersOf(claim.customer))[0]
  const payment = await test.house.ledger.payment(order)
  // Another process, which has the lock now.
  const { fence } = (await test.house.ledger.take(order.number, order.fence + 1n)) as Order
  await test.house.ledger.recordNoMoney(payment?.id as string, 'voided', 'abandoned', fence)
  resume()
  paused = undefined
  expect(await paying).toMatchObject({ status: 'declined', reason: 'abandoned' })
  expect(await books(test.house, night, order.number)).toMatchObject({
    payments: ['voided'],
    bank: ['voided'],
    sales: 0,
  })
})
