import { randomUUID } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { Holdfast, Seats } from '../../src/index.ts'

const ROWS = 40
const SEATS_PER_ROW = 50
/** Of 100 holds: how many are confirmed. The rest is released, so that no event sells out. */
const CONFIRMED_SHARE = 0.15

/** What the load has seen since it began, or since the last look. */
export interface LoadFigures {
  readonly operations: number
  readonly failed: number
  readonly wrong: number
  readonly sales: number
  /** The longest that one operation took, in ms. */
  readonly slowestMs: number
  /** The first few of what went wrong, in words. */
  readonly complaints: readonly string[]
}

/** A sale that was confirmed to its buyer. */
export interface Sale {
  readonly event: string
  readonly hold: string
  readonly seats: readonly string[]
  readonly durable: boolean
}

/**
 * Callers that never stop: each writes cache entries of its own and reads them back, invalidates what others read and looks for
 * anything older, holds seats, repeats requests, pays or lets go. Every answer is compared with what it must be.
 */
export class SteadyLoad {
  readonly events: readonly string[]
  readonly sales: Sale[] = []
  readonly #hf: Holdfast
  readonly #nights: readonly Seats[]
  readonly #salesByEvent = new Map<string, number>()
  readonly #truth = new Map<string, number>()
  readonly #pauseMs: number
  #over = false
  #work: Promise<unknown> = Promise.resolve()
  #figures = { operations: 0, failed: 0, wrong: 0, sales: 0, slowestMs: 0, complaints: [] as string[] }

  /** `pauseMs`: for how long a caller rests between two rounds. */
  constructor(hf: Holdfast, events: number, pauseMs: number) {
    this.#hf = hf
    this.#pauseMs = pauseMs
    this.events = Array.from({ length: events }, (_, i) => `night-${i}`)
    this.#nights = this.events.map((event) => hf.seats(event))
  }

  async start(callers: number): Promise<void> {
    const sections = [{ name: 'A', rows: ROWS, seatsPerRow: SEATS_PER_ROW, price: 4_999 }]
    await Promise.all(this.#nights.map((night) => night.create({ currency: 'EUR', perCustomer: 8, sections })))
    const own = this.#hf.cache<number>('own', { ttl: '1h' })
    const shared = this.#hf.cache<number>('shared', { ttl: '1h', load: (id) => this.#truth.get(id) ?? 0 })
    const kept = this.#hf.cache<number>('kept', { ttl: '1h', memory: {}, load: (id) => this.#truth.get(id) ?? 0 })
    this.#work = Promise.all(
      Array.from({ length: callers }, async (_, caller) => {
        for (let round = 0; !this.#over; round++) {
          await this.#try('cache.set and peek', () => this.#readBack(own, `${caller}:${round % 200}`, round))
          await this.#try('cache.get after delete', () => this.#invalidate(shared, `${caller}:${round % 50}`))
          await this.#try('cache.get from memory', () => this.#lookInMemory(kept, `${caller}:${round % 50}`))
          await this.#try('seats', () => this.#buy(this.#nights[(caller + round) % this.#nights.length] as Seats))
          await wait(this.#pauseMs)
        }
      }),
    )
  }

  async #try(what: string, work: () => Promise<string | undefined>): Promise<void> {
    const startMs = performance.now()
    try {
      const wrong = await work()
      if (wrong !== undefined) {
        this.#figures.wrong++
        this.#complain(`${what}: ${wrong}`)
      }
    } catch (error) {
      this.#figures.failed++
      this.#complain(`${what}: ${error}`)
    }
    this.#figures.operations++
    this.#figures.slowestMs = Math.max(this.#figures.slowestMs, performance.now() - startMs)
  }

  #complain(words: string): void {
    if (this.#figures.complaints.length < 10) this.#figures.complaints.push(words)
  }

  async #readBack(cache: ReturnType<Holdfast['cache']>, id: string, value: number): Promise<string | undefined> {
    await cache.set(id, value)
    const found = await cache.peek(id)
    return found === value ? undefined : `wrote ${value}, read ${found}`
  }

  async #invalidate(cache: ReturnType<Holdfast['cache']>, id: string): Promise<string | undefined> {
    const version = (this.#truth.get(id) ?? 0) + 1
    this.#truth.set(id, version)
    await cache.delete(id)
    const found = Number(await cache.get(id))
    return found >= version ? undefined : `invalidated at ${version}, read ${found}`
  }

  /** The memory tier may be behind by its stated bound: what was true then, or anything later. */
  async #lookInMemory(cache: ReturnType<Holdfast['cache']>, id: string): Promise<string | undefined> {
    const found = Number(await cache.get(id))
    return found <= (this.#truth.get(id) ?? 0) ? undefined : `read ${found}, which never was`
  }

  async #buy(night: Seats): Promise<string | undefined> {
    const id = randomUUID()
    const row = 1 + Math.floor(Math.random() * ROWS)
    const first = 1 + Math.floor(Math.random() * (SEATS_PER_ROW - 2))
    const seats = [`A-${row}-${first}`, `A-${row}-${first + 1}`]
    const wish = { id, customer: id, seats, for: '10m' } as const
    const held = await night.hold(wish)
    if (held.status === 'taken') return undefined
    if (held.status !== 'held') return `hold was ${held.status}`
    const again = await night.hold(wish)
    if (again.status !== 'held') return `the same hold again was ${again.status}`
    if (Math.random() > CONFIRMED_SHARE) {
      const released = await night.release(id)
      return released.status === 'released' ? undefined : `release was ${released.status}`
    }
    const confirmed = await night.confirm(id, { payment: `pay-${id}` })
    if (confirmed.status !== 'confirmed') return `confirm was ${confirmed.status}`
    this.#figures.sales++
    this.#salesByEvent.set(night.id, (this.#salesByEvent.get(night.id) ?? 0) + 1)
    this.sales.push({
      event: night.id,
      hold: id,
      seats,
      durable: (confirmed as { durable?: boolean }).durable ?? false,
    })
    return undefined
  }

  /** What happened since the last look. */
  look(): LoadFigures {
    const figures = this.#figures
    this.#figures = { operations: 0, failed: 0, wrong: 0, sales: 0, slowestMs: 0, complaints: [] }
    return figures
  }

  /** Resolves when every event has made a sale from now on; how long that took, in ms. */
  async salesEverywhere(withinMs: number): Promise<number> {
    const startMs = performance.now()
    const before = new Map(this.#salesByEvent)
    const silent = () => this.events.filter((event) => this.#salesByEvent.get(event) === before.get(event))
    while (silent().length > 0) {
      const tookMs = performance.now() - startMs
      if (tookMs > withinMs) throw new Error(`no sale on ${silent().join(', ')} within ${withinMs} ms`)
      await wait(10)
    }
    return performance.now() - startMs
  }

  async stop(): Promise<void> {
    this.#over = true
    await this.#work
  }

  /** Every event's own check, and that each sale that was told to a buyer is there. Answers what is wrong. */
  async verify(): Promise<readonly string[]> {
    const problems: string[] = []
    for (const [i, night] of this.#nights.entries()) {
      const { problems: found } = await night.verify()
      problems.push(...found.map((problem) => `${this.events[i]}: ${problem}`))
      const map = await night.map()
      const sold = new Set(map.seats.filter(({ state }) => state === 'sold').map(({ id }) => id))
      for (const sale of this.sales)
        if (sale.event === this.events[i] && !sale.seats.every((seat) => sold.has(seat)))
          problems.push(`${sale.event}: the sale ${sale.hold} of ${sale.seats} is not there`)
    }
    return problems
  }
}
