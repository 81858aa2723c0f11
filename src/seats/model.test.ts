import fc from 'fast-check'
import { expect, it } from 'vitest'
import { testNamespace } from '../testing/index.ts'
import { Box } from './box.fixture.ts'
import type { Seats } from './seats.ts'

const box = new Box()
const SEATS = ['A-1-1', 'A-1-2', 'A-1-3', 'A-2-1', 'A-2-2', 'A-2-3', 'B-1-1', 'B-1-2']
const LIMIT = 4
const OPTIONS = {
  currency: 'EUR',
  perCustomer: LIMIT,
  sections: [
    { name: 'A', rows: 2, seatsPerRow: 3, price: 300 },
    { name: 'B', rows: 1, seatsPerRow: 2, price: 200 },
  ],
}

interface ModelHold {
  readonly customer: string
  readonly seats: readonly string[]
  readonly expiresAtMs: number
  state: 'held' | 'confirmed' | 'released' | 'expired'
}

/** What an event must do, in the plainest words. It learns the one thing that it cannot know, the server's clock, from answers. */
class Model {
  readonly holds = new Map<string, ModelHold>()
  paused = false
  version = 0

  expire(id: string): void {
    const hold = this.holds.get(id) as ModelHold
    if (hold.state === 'held') {
      hold.state = 'expired'
      this.version++
    }
  }

  stateOf(seat: string): string {
    for (const hold of this.holds.values())
      if (hold.seats.includes(seat) && (hold.state === 'held' || hold.state === 'confirmed'))
        return hold.state === 'held' ? 'held' : 'sold'
    return 'free'
  }

  has(customer: string): number {
    return [...this.holds.values()]
      .filter((hold) => hold.customer === customer && (hold.state === 'held' || hold.state === 'confirmed'))
      .reduce((sum, hold) => sum + hold.seats.length, 0)
  }

  hold(id: string, customer: string, seats: readonly string[]): string {
    if (seats.length === 0 || new Set(seats).size < seats.length) return 'invalid'
    if (seats.some((seat) => !SEATS.includes(seat))) return 'invalid'
    const known = this.holds.get(id)
    if (known !== undefined)
      return known.customer === customer && [...known.seats].sort().join() === [...seats].sort().join()
        ? 'held'
        : 'invalid'
    if (this.paused) return 'paused'
    if (seats.some((seat) => this.stateOf(seat) !== 'free')) return 'taken'
    if (this.has(customer) + seats.length > LIMIT) return 'limit'
    return 'held'
  }

  confirm(id: string): string {
    const hold = this.holds.get(id)
    if (hold === undefined || hold.state === 'released') return 'gone'
    if (hold.state === 'expired') return 'expired'
    if (hold.state === 'confirmed') return 'confirmed'
    if (this.paused) return 'paused'
    hold.state = 'confirmed'
    this.version++
    return 'confirmed'
  }

  release(id: string): string {
    const hold = this.holds.get(id)
    if (hold === undefined) return 'gone'
    if (hold.state === 'confirmed') return 'sold'
    if (hold.state !== 'held') return hold.state
    hold.state = 'released'
    this.version++
    return 'released'
  }
}

type Step =
  | { readonly do: 'hold'; id: string; customer: string; seats: readonly string[]; short: boolean }
  | { readonly do: 'confirm' | 'release'; id: string }
  | { readonly do: 'pause' | 'resume' | 'map' }

const id = fc.constantFrom('h1', 'h2', 'h3', 'h4', 'h5', 'h6')
const holding = fc.record({
  do: fc.constant('hold' as const),
  id,
  customer: fc.constantFrom('ann', 'bob'),
  seats: fc.array(fc.constantFrom(...SEATS, 'A-9-9'), { maxLength: 4 }),
  short: fc.nat(9).map((n) => n === 0),
})
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: holding },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('confirm' as const), id }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('release' as const), id }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('pause' as const, 'resume' as const, 'map' as const) }) },
)

it('does what a model of it does, for thousands of random steps', async () => {
  const namespace = testNamespace('seats')
  const hf = await box.connect({ namespace })
  let run = 0
  let steps = 0
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (plan) => {
      const night = hf.seats(`night-${run++}`)
      await night.create(OPTIONS)
      const model = new Model()
      const first = (await night.map()).version
      for (const one of plan) {
        await take(night, model, one)
        steps++
      }
      await box.sweep(`{${namespace}:seats:${night.id}}`)
      const map = await night.map()
      for (const { id: seat, state } of map.seats) expect(`${seat} ${state}`).toBe(`${seat} ${model.stateOf(seat)}`)
      expect(map.version - first).toBe(model.version)
      expect(await night.verify()).toMatchObject({ ok: true, problems: [] })
      await night.remove()
      await night.close()
    }),
    { numRuns: 200, seed: 20_261_121 },
  )
  expect(steps).toBeGreaterThan(3_000)
})

async function take(night: Seats, model: Model, one: Step): Promise<void> {
  if (one.do === 'hold') {
    const expected = model.hold(one.id, one.customer, one.seats)
    const { id: hold, customer: who, seats: which, short } = one
    const result = await night.hold({ id: hold, customer: who, seats: which, for: short ? 1 : '1h' })
    expect(result.status).toBe(expected)
    if (result.status !== 'held' || model.holds.has(one.id)) return
    const { customer, seats } = one
    model.holds.set(one.id, { customer, seats, expiresAtMs: result.expiresAtMs, state: 'held' })
    model.version++
    if (!one.short) return
    await box.serverReaches(result.expiresAtMs)
    model.expire(one.id)
  } else if (one.do === 'confirm') expect((await night.confirm(one.id)).status).toBe(model.confirm(one.id))
  else if (one.do === 'release') expect((await night.release(one.id)).status).toBe(model.release(one.id))
  else if (one.do === 'map') await night.counts()
  else {
    await night[one.do]()
    if (model.paused !== (one.do === 'pause')) model.version++
    model.paused = one.do === 'pause'
  }
}
