import { afterEach, expect } from 'vitest'
import { Ground } from '../holdfast.fixture.ts'
import type { Holdfast } from '../index.ts'
import { testNamespace } from '../testing/index.ts'
import { sweepScript } from './lua.generated.ts'
import type { EventOptions } from './options.ts'
import type { Seats } from './seats.ts'

export const SMALL: EventOptions = {
  currency: 'EUR',
  perCustomer: 8,
  sections: [
    { name: 'A', rows: 3, seatsPerRow: 10, price: 4999 },
    { name: 'B', rows: 2, seatsPerRow: 5, price: 2500 },
  ],
}

/** The ground of seats: a test's events are checked by `verify` when it ends. */
export class Box extends Ground {
  readonly #nights: Seats[] = []

  constructor() {
    super('seats')
    // The last hook runs first: while all is still open.
    afterEach(async () => {
      for (const night of this.#nights.splice(0)) {
        const { ok, problems } = await night.verify()
        expect({ ok, problems }).toEqual({ ok: true, problems: [] })
      }
    })
  }

  /** An event that is open for sale, and whose books must be right when the test ends. */
  async night(options: EventOptions = SMALL, hf?: Holdfast, id = 'night'): Promise<Seats> {
    const night = (hf ?? (await this.connect())).seats(id)
    expect(await night.create(options)).toMatchObject({ status: 'created' })
    this.#nights.push(night)
    return night
  }

  /** A night whose books are not checked at the end: for tests that spoil them. */
  async unchecked(options: EventOptions = SMALL): Promise<{ night: Seats; tag: string }> {
    const namespace = testNamespace('seats')
    const night = (await this.connect({ namespace })).seats('night')
    await night.create(options)
    return { night, tag: `{${namespace}:seats:night}` }
  }

  /** Ends what is due, now. */
  sweep(tag: string): Promise<unknown> {
    const keys = ['', ':map', ':due', ':log'].map((suffix) => tag + suffix)
    return this.server.command('EVAL', sweepScript.source.lua, keys.length, ...keys, 64, 'channel')
  }

  /** Returns when the server's clock shows this moment. */
  async serverReaches(ms: number | undefined): Promise<void> {
    for (;;) {
      const [seconds, micros] = await this.server.command<[string, string]>('TIME')
      if (Number(seconds) * 1_000 + Number(micros) / 1_000 >= (ms ?? 0)) return
    }
  }
}

/** The states of some seats, in the order asked. */
export async function statesOf(night: Seats, ids: readonly string[]): Promise<readonly string[]> {
  const { seats } = await night.map()
  const states = new Map(seats.map(({ id, state }) => [id, state]))
  return ids.map((id) => states.get(id) ?? 'unknown')
}

/** Waits until the event's log tells of `count` changes of this kind, from its beginning. */
export async function changesOfKind(night: Seats, kind: string, count: number): Promise<void> {
  let seen = 0
  for await (const change of night.changes({ since: 0 })) if (change.kind === kind && ++seen === count) return
}
