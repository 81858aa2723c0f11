import type { TestSentinel } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { books, cards, holdRequest, openTestHouse, someSeats, type TestHouse } from '../house.fixture.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

let test: TestHouse

beforeAll(async () => {
  test = await openTestHouse({ layout: 'sentinel' })
})
afterAll(() => test.close())

it('takes no money for a sale until every replica has it', async () => {
  const group = test.house.group as TestSentinel
  const night = await test.freshNight()
  const held = await test.house.desk.hold(holdRequest(night, someSeats(night, 2)))
  if (held.status !== 'held') throw new Error(held.status)
  const primary = await group.primary()
  const [slow] = group.servers.filter((server) => server !== primary)
  await slow?.pause()
  const paying = test.house.desk.pay(held.claim, cards.good)
  // The primary has it …
  await expect.poll(async () => (await night.seats.counts()).sold, { timeout: 10_000 }).toBe(2)
  // … and one of two replicas, which is not enough.
  const [order] = await test.house.ledger.ordersOf(held.claim.customer)
  const { order: state, bank, sales } = await books(test.house, night, order?.number as string)
  expect({ state, bank, sales }).toEqual({ state: 'pending', bank: ['authorised'], sales: 0 })
  await slow?.resume()
  expect((await paying).status).toBe('paid')
  expect(test.house.figures.of('undurable')).toBe(0)
  expect(await books(test.house, night, order?.number as string)).toMatchObject({ order: 'paid', bank: ['captured'] })
})
