import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { cards, holdRequest, someSeats } from '../house.fixture.ts'
import type { Night } from '../seating/nights.ts'
import { openShop } from '../shop.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

it('opens again with the orders, the seats and the customers that it had', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'box-office-'))
  const open = () => openShop({ port: 0, crowd: 0, redis: undefined, dataDir, onFault: () => {} })
  try {
    const first = await open()
    const [event] = await first.house.catalogue.upcoming()
    const eventId = event?.id as string
    const night = (await first.house.nights.open(eventId)) as Night
    const seats = someSeats(night, 2)
    const held = await first.house.desk.hold(holdRequest(night, seats))
    if (held.status !== 'held') throw new Error(held.status)
    const paid = await first.house.desk.pay(held.claim, cards.good)
    expect(paid.status).toBe('paid')
    const cookie = (await fetch(`${first.url}/events/${eventId}`)).headers.get('set-cookie') as string
    await first.stop()

    const second = await open()
    const again = (await second.house.nights.open(eventId)) as Night
    const states = new Map((await again.seats.map()).seats.map((seat) => [seat.id, seat.state]))
    expect(seats.map((seat) => states.get(seat))).toEqual(['sold', 'sold'])
    expect(await second.house.desk.pay(held.claim, cards.good)).toMatchObject({ status: 'paid' })
    const known = await fetch(`${second.url}/events/${eventId}`, {
      headers: { cookie: cookie.split(';')[0] as string },
    })
    expect(known.headers.get('set-cookie')).toBeNull()
    await second.stop()
  } finally {
    await rm(dataDir, { recursive: true, force: true })
  }
})
