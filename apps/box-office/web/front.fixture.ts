import { afterAll, beforeAll, expect } from 'vitest'
import { type OpenShop, openShop } from '../shop.ts'
import { json, type Visit, visitOf } from './visit.fixture.ts'

/** A shop that is open, for the tests of its routes, and one of its nights. */
export class Front {
  shop!: OpenShop
  eventId!: string
  readonly faults: unknown[] = []

  constructor() {
    beforeAll(async () => {
      this.shop = await openShop({
        ...{ port: 0, crowd: 0, redis: undefined, dataDir: undefined, onFault: (e) => this.faults.push(e) },
        // As long as a test takes: it is ended by hand.
        payments: { cooldownMs: 120_000 },
      })
      this.eventId = (await this.shop.house.catalogue.upcoming())[0]?.id as string
    })
    afterAll(() => this.shop.stop())
  }

  browser(): Visit {
    return visitOf(this.shop.url)
  }

  async freeSeats(count: number): Promise<string[]> {
    const night = await this.shop.house.nights.open(this.eventId)
    const free = (await night?.seats.map())?.seats.filter((seat) => seat.state === 'free') ?? []
    return free.slice(0, count).map((seat) => seat.id)
  }

  /** The address of seats that this visitor holds. */
  async heldUrl(visit: Visit, count = 1): Promise<string> {
    const seats = await this.freeSeats(count)
    const answer = await visit(`/events/${this.eventId}/holds`, json({ seats, key: crypto.randomUUID() }))
    expect(answer.status).toBe(201)
    return ((await answer.json()) as { url: string }).url
  }
}
