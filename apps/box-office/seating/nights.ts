/**
 * The nights that are on sale: an event's seats laid out in Redis, once, and its plan drawn, once a process.
 *
 * An event that SQL says was laid out before, but whose map is not there (a server that started empty, say), is
 * laid out again from the sales: each paid order takes its seats back under its own hold id before anybody of this
 * process is let in. Nothing is ever laid out fresh over sales. Holds that were not paid are lost with the map; their
 * payments find that out and are let go. (Several processes need more: the record and its fence, which come later.)
 */

import type { Holdfast, SeatsOptions } from 'holdfast'
import type { Catalogue } from '../catalogue/catalogue.ts'
import { planOf } from '../catalogue/programme.ts'
import { type EventDetail, markOpened } from '../catalogue/queries.ts'
import type { Database } from '../database/database.ts'
import type { Ledger } from '../orders/ledger.ts'
import { type Drawing, drawSeats, type PlacedSeat } from './geometry.ts'
import type { SeatPlan } from './plan.ts'

export const SEATS_PER_CUSTOMER = 8

export type EventSeats = ReturnType<Holdfast['seats']>

export interface Night {
  readonly eventId: string
  readonly seats: EventSeats
  readonly plan: SeatPlan
  readonly drawing: Drawing
  readonly byId: ReadonlyMap<string, PlacedSeat>
  /** Price of a seat by its section, minor units. */
  readonly prices: ReadonlyMap<string, bigint>
  readonly currency: string
  readonly startsAt: Date
}

export interface Nights {
  /** The night of this event, open for sale; undefined when there is no such event. */
  open(eventId: string): Promise<Night | undefined>
  /** The same for a night whose seats are gone from Redis: laid out again from what was sold. */
  reopen(night: Night): Promise<Night | undefined>
  priceOf(night: Night, seat: string): bigint
  /** A sale that is answered with `durable: false` is not yet where it must be. */
  readonly durable: boolean
}

export interface NightsOptions {
  readonly hf: Holdfast
  /** What a sale must have reached. */
  readonly durability: NonNullable<SeatsOptions['durability']>
  readonly db: Database
  readonly catalogue: Catalogue
  readonly ledger: Ledger
}

export function createNights({ hf, durability, db, catalogue, ledger }: NightsOptions): Nights {
  const opened = new Map<string, Promise<Night | undefined>>()

  async function layOut(eventId: string): Promise<Night | undefined> {
    const event = await catalogue.event(eventId)
    if (event === undefined) return undefined
    const night = describe(event, hf.seats(eventId, { durability }))
    const first = await markOpened(db, eventId)
    const paid = first ? [] : await ledger.paidOrders(eventId)
    await night.seats.create({
      currency: event.currency,
      perCustomer: SEATS_PER_CUSTOMER,
      sections: night.plan.sections.map(({ name, rows, seatsPerRow }) => ({
        name,
        rows,
        seatsPerRow,
        price: Number(night.prices.get(name)),
      })),
    })
    // For a map that is there already these are repeats, which change nothing. SQL has them, so nothing is waited for.
    for (const { order, payment } of paid) {
      const { holdId: id, customer, seats } = order
      const hold = await night.seats.hold({ id, customer, seats: [...seats], for: '10m' })
      if (hold.status === 'held') await night.seats.confirm(id, { payment, durability: 'async' })
    }
    return night
  }

  function open(eventId: string): Promise<Night | undefined> {
    let night = opened.get(eventId)
    if (night === undefined) {
      night = layOut(eventId)
      opened.set(eventId, night)
      // What failed, or was not there, is asked for again next time.
      night.then(
        (found) => found ?? opened.delete(eventId),
        () => opened.delete(eventId),
      )
    }
    return night
  }

  return {
    open,
    async reopen(night) {
      // Many may find out at once; the first lets go of it, and all wait for the same new one.
      const present = opened.get(night.eventId)
      if ((await present?.catch(() => undefined)) === night && opened.get(night.eventId) === present)
        opened.delete(night.eventId)
      return open(night.eventId)
    },
    priceOf(night, seat) {
      const price = night.prices.get(night.byId.get(seat)?.section ?? '')
      if (price === undefined) throw new RangeError(`No seat ${seat} in ${night.eventId}.`)
      return price
    },
    durable: durability !== 'async',
  }
}

function describe(event: EventDetail, seats: EventSeats): Night {
  const plan = planOf(event.venue, event.seats)
  const drawing = drawSeats(plan)
  return {
    eventId: event.id,
    seats,
    plan,
    drawing,
    byId: new Map(drawing.seats.map((seat) => [seat.id, seat])),
    prices: new Map(plan.sections.map(({ name, level }) => [name, event.prices[level] ?? event.prices[0] ?? 0n])),
    currency: event.currency,
    startsAt: event.startsAt,
  }
}
