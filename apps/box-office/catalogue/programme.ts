/** What the data files say, and the nights made from them: which act plays where, when, and for how much. */

import { readFileSync } from 'node:fs'
import { fileOf } from '../place.ts'
import { drawPlan, plannedSeats, type SeatPlan, type Shape } from '../seating/plan.ts'
import { pricesFor } from './prices.ts'

export interface VenueFact {
  readonly id: string
  readonly name: string
  readonly city: string
  readonly country: string
  readonly code: string
  readonly lat: number
  readonly lon: number
  readonly capacity: number
  readonly opened: number
  readonly zone: string
  readonly currency: string
  readonly shape: Shape
  readonly about: string
}

export interface Act {
  readonly id: string
  readonly artist: string
  readonly title: string
  readonly genre: string
  readonly room: 'small' | 'hall' | 'arena'
  readonly about: string
}

export interface Night {
  readonly id: string
  readonly venue: VenueFact
  readonly act: Act
  readonly startsAt: Date
  readonly seats: number
  /** One price a level of the plan, dearest first; minor units. */
  readonly prices: readonly bigint[]
}

export function readVenues(): readonly VenueFact[] {
  return (JSON.parse(readFileSync(fileOf('data/venues.json'), 'utf8')) as { venues: VenueFact[] }).venues
}

export function readActs(): readonly Act[] {
  return (JSON.parse(readFileSync(fileOf('data/programmes.json'), 'utf8')) as { programmes: Act[] }).programmes
}

export function planOf(venue: Pick<VenueFact, 'shape' | 'capacity'>, seats?: number): SeatPlan {
  return drawPlan(venue.shape, seats ?? plannedSeats(venue.capacity))
}

const DAY_MS = 86_400_000
const NIGHTS_A_VENUE = 2
/** The first night is four days away, the last about five months; the near ones are closer together. */
const FIRST_DAY = 4
const SPAN_DAYS = 150

/**
 * Two nights for every venue. Neighbours in the venue list are far apart in the calendar, and an act of
 * the right size comes to each; the same list on every start, moved along with the day of the start.
 */
export function planNights(now: Date): readonly Night[] {
  const acts = readActs()
  const venues = readVenues()
  const turn = { small: 0, hall: 0, arena: 0 }
  const nights: Night[] = []
  for (let round = 0; round < NIGHTS_A_VENUE; round += 1) {
    venues.forEach((venue, index) => {
      const room = roomOf(venue)
      const choice = acts.filter((act) => act.room === room)
      // Not the one that comes in the round before: a venue would have the same night twice.
      if (nights.some(({ id }) => id === `${venue.id}-${choice[turn[room] % choice.length]?.id}`)) turn[room] += 1
      const act = choice[turn[room] % choice.length] as Act
      turn[room] += 1
      const place = (index * 17 + round * 29) % (venues.length * NIGHTS_A_VENUE)
      const share = place / (venues.length * NIGHTS_A_VENUE)
      const day = FIRST_DAY + Math.floor(share ** 1.4 * SPAN_DAYS)
      const plan = planOf(venue)
      const level = act.room === 'small' ? 0.75 : act.room === 'arena' ? 1.25 : 1
      nights.push({
        id: `${venue.id}-${act.id}`,
        venue,
        act,
        startsAt: index % 2 === 0 ? eveningOf(now, day, venue.zone, 19, 30) : eveningOf(now, day, venue.zone, 20, 0),
        seats: plan.seats,
        prices: pricesFor(venue.currency, plan.levels.length, level * (0.85 + (index % 5) * 0.1)),
      })
    })
  }
  return nights
}

function roomOf(venue: VenueFact): Act['room'] {
  if (venue.shape === 'amphitheatre' || venue.capacity >= 4_500) return 'arena'
  return venue.capacity <= 1_250 ? 'small' : 'hall'
}

/** hour:minute on the clock of `zone`, `days` after `now`, as a moment. */
export function eveningOf(now: Date, days: number, zone: string, hour: number, minute: number): Date {
  const noon = new Date(Math.floor(now.getTime() / DAY_MS) * DAY_MS + days * DAY_MS + DAY_MS / 2)
  return momentAt(Date.UTC(noon.getUTCFullYear(), noon.getUTCMonth(), noon.getUTCDate(), hour, minute), zone)
}

/** A time on the clock of `zone`, as if that were UTC, as a moment. */
export function momentAt(wall: number, zone: string): Date {
  // The offset that holds at that wall time; asked twice, because the first guess may lie across a clock change.
  let moment = wall - offsetMs(new Date(wall), zone)
  moment = wall - offsetMs(new Date(moment), zone)
  return new Date(moment)
}

/** What the clock of `zone` shows at a moment, as if that were UTC; to the second. */
export const wallAt = (at: Date, zone: string): number => Math.floor(at.getTime() / 1000) * 1000 + offsetMs(at, zone)

const clocks = new Map<string, Intl.DateTimeFormat>()

function offsetMs(at: Date, zone: string): number {
  const parts = clockOf(zone).formatToParts(at)
  const get = (type: string) => Number(parts.find((part) => part.type === type)?.value)
  const wall = Date.UTC(get('year'), get('month') - 1, get('day'), get('hour'), get('minute'), get('second'))
  return wall - Math.floor(at.getTime() / 1000) * 1000
}

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone)
  if (clock === undefined) {
    const numeric = 'numeric' as const
    const date = { year: numeric, month: numeric, day: numeric }
    const time = { hour: numeric, minute: numeric, second: numeric, hourCycle: 'h23' as const }
    clock = new Intl.DateTimeFormat('en-US', { timeZone: zone, ...date, ...time })
    clocks.set(zone, clock)
  }
  return clock
}
