import { startServer, type TestServer } from 'holdfast/testing'
import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { createBoard } from '../figures/board.ts'
import { cards, holdRequest, someSeats } from '../house.fixture.ts'
import { type House, openHouse } from '../house.ts'
import type { Step } from '../orders/desk.ts'
import type { Night } from '../seating/nights.ts'
import { createHub, type Hub } from './hub.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let server: TestServer
let house: House
let hub: Hub
let night: Night

let tests = 0
/** The step at which Redis stands still. */
let freezeAt: Step | undefined

beforeAll(async () => {
  server = await startServer()
  house = await openHouse({
    redis: { url: server.url },
    dataDir: undefined,
    onFault: () => {},
    timeout: '2s',
    async onStep(step) {
      if (step !== freezeAt) return
      freezeAt = undefined
      await server.pause()
    },
  })
  hub = createHub({ ...house, onFault: () => {} })
})
beforeEach(async () => {
  const events = await house.catalogue.upcoming()
  tests += 1
  night = (await house.nights.open(events[tests]?.id as string)) as Night
})
afterAll(async () => {
  await hub.stop()
  await house.close()
  await server.stop()
})

async function hold(seats: string[], holdMs?: number) {
  const answer = await house.desk.hold(holdRequest(night, seats, holdMs))
  if (answer.status !== 'held') throw new Error(answer.status)
  return answer.claim
}

it('lays a night out again from what was sold when Redis has forgotten it, and sells on', async () => {
  const [sold, forgotten, next] = [someSeats(night, 2), someSeats(night, 2, 2), someSeats(night, 2, 4)]
  expect((await house.desk.pay(await hold(sold), cards.good)).status).toBe('paid')
  const lost = await hold(forgotten)
  const { receipts } = house
  await receipts.run(0)
  expect((await receipts.queue.counts()).waiting).toBe(1)
  const view = await hub.view(night.eventId)
  await server.kill()
  await server.restart()

  // The map finds out by itself, and shows the sold seats as sold.
  await expect.poll(() => forgotten.map((seat) => view?.map.state(seat)), { timeout: 15_000 }).toEqual(['free', 'free'])
  expect(sold.map((seat) => view?.map.state(seat))).toEqual(['sold', 'sold'])
  view?.leave()

  expect(await house.desk.hold(holdRequest(night, sold))).toMatchObject({ status: 'taken' })
  expect((await house.desk.pay(await hold(next), cards.good)).status).toBe('paid')
  // A hold that went with the map: no seats, and no money taken.
  expect((await house.desk.pay(lost, cards.good)).status).toBe('gone')
  const states = new Map((await night.seats.map()).seats.map((seat) => [seat.id, seat.state]))
  expect([...sold, ...next].map((seat) => states.get(seat))).toEqual(['sold', 'sold', 'sold', 'sold'])
  // Its receipt went with the queue, and is due all the same.
  expect((await receipts.queue.counts()).waiting).toBe(0)
  receipts.start()
  await receipts.run(0)
  await expect.poll(() => receipts.book.counts(), { timeout: 15_000 }).toMatchObject({ due: 0, sent: 2 })
  await receipts.stop()
})

it('asks the desk before the map knows, and the desk lays the night out again too', async () => {
  const [sold, next] = [someSeats(night, 2), someSeats(night, 2, 2)]
  expect((await house.desk.pay(await hold(sold), cards.good)).status).toBe('paid')
  await server.kill()
  await server.restart()
  const answers = await Promise.all([1, 2, 3, 4].map(() => house.desk.hold(holdRequest(night, next))))
  expect(answers.map((answer) => answer.status).sort()).toEqual(['held', 'taken', 'taken', 'taken'])
  expect(await house.desk.hold(holdRequest(night, sold))).toMatchObject({ status: 'taken' })
})

it('tells viewers within seconds that a map or the figures may be old, and when it is the present again', async () => {
  const view = await hub.view(night.eventId)
  const board = createBoard(house)
  expect([view?.map.fresh(), (await board()).fresh]).toEqual([true, true])
  await server.pause()
  const isFresh = async () => [view?.map.fresh(), (await board()).fresh]
  await expect.poll(isFresh, { timeout: 15_000 }).toEqual([false, false])
  await server.resume()
  await expect.poll(isFresh, { timeout: 15_000 }).toEqual([true, true])
  view?.leave()
})

it('leaves a payment open that Redis does not answer in the middle, and brings it to its end afterwards', async () => {
  const claim = await hold(someSeats(night, 2))
  freezeAt = 'authorised'
  const answer = await house.desk.pay(claim, cards.good)
  expect(answer.status).toBe('settling')
  await server.resume()
  // Its lock ends by its release, which was not heard, or by its lease.
  await expect.poll(settled(claim.customer), { timeout: 60_000 }).toBe('paid')
})

it('takes nothing, and writes nothing, while nobody can say whether others pay for the same seats', async () => {
  const claim = await hold(someSeats(night, 2))
  await server.pause()
  await expect(house.desk.pay(claim, cards.good)).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(await house.ledger.ordersOf(claim.customer)).toEqual([])
  await server.resume()
  expect((await house.desk.pay(claim, cards.good)).status).toBe('paid')
})

const settled = (customer: string) => async () => {
  await house.settler.run(0)
  return (await house.ledger.ordersOf(customer))[0]?.state
}
