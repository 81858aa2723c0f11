import { setTimeout as wait } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { testNamespace } from '../testing/index.ts'
import { Box, changesOfKind, statesOf } from './box.fixture.ts'

const box = new Box()
const HALL = { currency: 'EUR', sections: [{ name: 'A', rows: 40, seatsPerRow: 50, price: 100 }] }

it('gives the seats of a hold back by itself when its time is over', async () => {
  const night = await box.night()
  await night.hold({ customer: 'ann', seats: ['A-1-1', 'B-1-1'], for: 30 })
  await changesOfKind(night, 'expired', 1)
  expect(await statesOf(night, ['A-1-1', 'B-1-1'])).toEqual(['free', 'free'])
  expect(await night.counts()).toMatchObject({ free: 40, held: 0 })
})

it('gives back the seats of a process that is gone', async () => {
  const namespace = testNamespace('seats')
  const [gone, here] = [await box.connect({ namespace }), await box.connect({ namespace })]
  const night = await box.night(undefined, here)
  await gone.seats('night').hold({ customer: 'ann', seats: ['A-1-1'], for: 20 })
  await gone.close()
  await changesOfKind(night, 'expired', 1)
  expect(await statesOf(night, ['A-1-1'])).toEqual(['free'])
})

it('ends each hold exactly once while eight sweepers race eight confirmers at the deadline', async () => {
  const namespace = testNamespace('seats')
  const fleet = await Promise.all(Array.from({ length: 8 }, () => box.connect({ namespace })))
  const night = await box.night(HALL, fleet[0])
  const nights = fleet.map((hf) => hf.seats('night'))
  await night.hold({ id: 'taken', customer: 'dan', seats: ['A-40-50'] })
  await night.confirm('taken')
  const endings = { confirmed: 0, expired: 0, gone: 0, paused: 0 }
  let racing = true
  const sweeping = nights.map(async (one) => {
    // Whoever asks ends what is due, on his way.
    while (racing) await one.hold({ customer: 'eve', seats: ['A-40-50', 'A-40-49'] })
  })
  const buyers = Array.from({ length: 1_600 }, async (_, i) => {
    const seats = [`A-${1 + Math.floor(i / 40)}-${1 + (i % 40)}`]
    const hold = await nights[i % 8]!.hold({ id: `h${i}`, customer: `c${i % 7}`, seats, for: 900 + (i % 100) * 10 })
    // The server's clock is this machine's: a third comes early, a third a moment before or after the end, a third late.
    const offsetMs = [-700, (i % 5) - 2.5, 5][i % 3] as number
    await wait((hold.expiresAtMs as number) - Date.now() + offsetMs)
    const { status } = await nights[(i + 3) % 8]!.confirm(`h${i}`, { payment: `pi_${i}` })
    endings[status]++
    return status === 'confirmed' ? seats[0] : undefined
  })
  const sold = (await Promise.all(buyers)).filter((seat) => seat !== undefined)
  racing = false
  await Promise.all(sweeping)
  expect(endings).toMatchObject({ gone: 0, paused: 0 })
  expect(Math.min(endings.confirmed, endings.expired)).toBeGreaterThan(50)
  await expect.poll(() => night.counts()).toMatchObject({ held: 0, sold: sold.length + 1 })
  const seats = (await night.map()).seats.filter(({ state }) => state === 'sold')
  expect(seats.map(({ id }) => id).sort()).toEqual([...sold, 'A-40-50'].sort())
})

it('ends a thousand holds that run out at once, each once', async () => {
  const night = await box.night(HALL)
  await Promise.all(
    Array.from({ length: 1_000 }, (_, i) => {
      const seats = [`A-${1 + Math.floor(i / 50)}-${1 + (i % 50)}`, `A-${21 + Math.floor(i / 50)}-${1 + (i % 50)}`]
      return night.hold({ customer: `c${i}`, seats, for: 60 })
    }),
  )
  await changesOfKind(night, 'expired', 1_000)
  expect(await night.counts()).toMatchObject({ free: 2_000, held: 0 })
})

it('leaves no timer, connection or iteration behind when closed', async () => {
  const hf = await box.connect()
  const night = await box.night(undefined, hf)
  await night.hold({ customer: 'ann', seats: ['A-1-1'], for: 20 })
  await night.verify()
  await night.close()
  await box.server.command('PING')
  expect(hf.stats.pending).toBe(0)
})
