/** The header of a file of own events, and what each column may hold. */

import { digitsOf, pricesBelow, pricesFor } from '../catalogue/prices.ts'
import { momentAt, planOf, type VenueFact, wallAt } from '../catalogue/programme.ts'
import { LARGEST_PLAN, plannedSeats, type Shape, SMALLEST_PLAN } from '../seating/plan.ts'

/** What is wrong in one place of the file. */
export interface Fault {
  /** Where the record begins; the header is line 1. */
  readonly line: number
  readonly column: string
  readonly expected: string
  readonly received: string
}

export type FaultInColumn = Omit<Fault, 'line'>

/** An event as it goes into SQL, and its venue if it brings one. */
export interface OwnEvent {
  readonly artist: string
  readonly title: string
  readonly genre: string
  readonly about: string
  readonly startsAt: Date
  readonly currency: string
  readonly seats: number
  readonly prices: readonly bigint[]
  readonly venue: VenueFact
}

export const REQUIRED = ['artist', 'title', 'starts', 'venue'] as const
/** For a venue that is not one of ours: all of them. */
export const OF_A_VENUE = ['city', 'country', 'code', 'lat', 'lon', 'capacity', 'zone', 'currency'] as const
export const OPTIONAL = ['genre', 'about', 'seats', 'price', 'shape'] as const
export const COLUMNS = [...REQUIRED, ...OPTIONAL, ...OF_A_VENUE] as const
export type Column = (typeof COLUMNS)[number]

const SHAPES: readonly Shape[] = ['hall', 'theatre', 'round', 'amphitheatre']
const DEAREST = 1_000_000
const CURRENCIES = new Set(Intl.supportedValuesOf('currency'))
// Characters that nobody sees and that turn the text behind them around, or end it.
const UNSEEN = /[\p{Cc}\u202a-\u202e\u2066-\u2069\ufffd]/u

class FieldError extends Error {
  readonly fault: FaultInColumn

  constructor(column: string, expected: string, received: string) {
    super(`${column}: expected ${expected}`)
    this.fault = { column, expected, received }
  }
}

export type Read = { readonly event: OwnEvent } | { readonly faults: readonly FaultInColumn[] }

/** Reads one record. `venues`: ours, by id and by name in lower case. Every wrong field is told, not the first alone. */
export function readEvent(
  fields: ReadonlyMap<string, string>,
  venues: ReadonlyMap<string, VenueFact>,
  now: Date,
): Read {
  const faults: FaultInColumn[] = []
  const read = <T>(column: Column, parse: (text: string) => T): T | undefined => {
    try {
      return parse((fields.get(column) ?? '').trim())
    } catch (error) {
      if (!(error instanceof FieldError)) throw error
      faults.push(error.fault)
      return undefined
    }
  }
  const artist = read('artist', text('artist', 1, 120))
  const title = read('title', text('title', 1, 160))
  const genre = read('genre', text('genre', 0, 40))
  const about = read('about', text('about', 0, 1_000))
  const given = read('venue', text('venue', 1, 120))
  const venue = given === undefined ? undefined : (venues.get(given.toLowerCase()) ?? ownVenue(given, read))
  const seats = read('seats', (t) => (t === '' ? undefined : whole('seats', SMALLEST_PLAN, LARGEST_PLAN)(t)))
  const startsAt = read('starts', (t) => moment(t, venue?.zone, now))
  const front = read('price', (t) => (t === '' ? undefined : amount(t, venue?.currency ?? 'EUR')))
  if (faults.length > 0 || venue === undefined || startsAt === undefined) return { faults }
  const plan = planOf(venue, seats ?? plannedSeats(venue.capacity))
  const levels = plan.levels.length
  return {
    event: {
      artist: artist ?? '',
      title: title ?? '',
      genre: genre || 'Event',
      about: about ?? '',
      startsAt,
      currency: venue.currency,
      seats: plan.seats,
      prices: front === undefined ? pricesFor(venue.currency, levels, 1) : pricesBelow(front, levels),
      venue,
    },
  }
}

function ownVenue(
  name: string,
  read: <T>(column: Column, parse: (text: string) => T) => T | undefined,
): VenueFact | undefined {
  const city = read('city', text('city', 1, 80))
  const country = read('country', text('country', 1, 80))
  const code = read('code', matching('code', /^[A-Z]{2}$/, "two capital letters such as 'FR'"))
  const lat = read('lat', decimal('lat', 90))
  const lon = read('lon', decimal('lon', 180))
  const capacity = read('capacity', whole('capacity', 1, 200_000))
  const zone = read('zone', zoneName)
  const currency = read('currency', currencyCode)
  const shape = read('shape', (t) => (t === '' ? 'hall' : oneOf('shape', SHAPES)(t)))
  if ([city, country, code, lat, lon, capacity, zone, currency, shape].includes(undefined)) return undefined
  return {
    id: `own-${slugOf(`${name} ${city}`)}`,
    ...{ name, city, country, code, lat, lon, capacity, zone, currency, shape },
    opened: 0,
    about: '',
  } as VenueFact
}

/** A part of an address that says what it is: 'cafe-del-mar', and nothing where no letter has a plain form. */
export function slugOf(name: string): string {
  const plain = name.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
  return plain
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replace(/^-+|-+$/g, '')
}

/** Line breaks and runs of spaces become one space. */
function text(column: string, least: number, most: number) {
  return (given: string): string => {
    const received = given.replace(/\s+/g, ' ').trim()
    const letters = [...received].length
    if (letters < least) throw new FieldError(column, 'a text', '')
    if (letters > most) throw new FieldError(column, `at most ${most} letters`, `${letters} letters`)
    if (UNSEEN.test(received)) throw new FieldError(column, 'UTF-8 without control characters', received)
    return received
  }
}

function matching(column: string, form: RegExp, expected: string) {
  return (received: string): string => {
    if (!form.test(received)) throw new FieldError(column, expected, received)
    return received
  }
}

function oneOf<T extends string>(column: string, all: readonly T[]) {
  return (received: string): T => {
    const one = all.find((known) => known === received)
    if (one === undefined) throw new FieldError(column, `one of ${all.join(', ')}`, received)
    return one
  }
}

function whole(column: string, least: number, most: number) {
  return (received: string): number => {
    const n = /^\d{1,9}$/.test(received) ? Number(received) : Number.NaN
    if (!(n >= least && n <= most)) throw new FieldError(column, `a whole number from ${least} to ${most}`, received)
    return n
  }
}

function decimal(column: string, most: number) {
  return (received: string): number => {
    const n = /^-?\d{1,3}(\.\d{1,12})?$/.test(received) ? Number(received) : Number.NaN
    if (!(Math.abs(n) <= most)) throw new FieldError(column, `degrees from -${most} to ${most}`, received)
    return n
  }
}

function zoneName(received: string): string {
  try {
    // The empty one would be that of this machine.
    return new Intl.DateTimeFormat('en', { timeZone: received || 'none' }).resolvedOptions().timeZone
  } catch {
    throw new FieldError('zone', "a time zone such as 'Europe/Paris'", received)
  }
}

function currencyCode(received: string): string {
  if (!CURRENCIES.has(received)) throw new FieldError('currency', "a currency such as 'EUR'", received)
  return received
}

/** '49.50' in minor units, through text: no float rounds it on its way. */
function amount(received: string, currency: string): bigint {
  const digits = digitsOf(currency)
  const [, major, minor = ''] = /^(\d{1,7})(?:\.(\d+))?$/.exec(received) ?? []
  if (major === undefined || minor.length > digits || Number(received) <= 0 || Number(received) > DEAREST)
    throw new FieldError('price', `an amount in ${currency} from 0 to ${DEAREST}, with ${digits} decimals`, received)
  return BigInt(major + minor.padEnd(digits, '0'))
}

const MOMENT = /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2}))?(Z|[+-]\d{2}:\d{2})?$/

/** A time on the venue's own clock, or a moment where the time says its offset. */
function moment(received: string, zone: string | undefined, now: Date): Date {
  const [, year, month, day, hour, minute, second = '0', offset] = MOMENT.exec(received) ?? []
  const numbers = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  const wall = new Date(Date.UTC(numbers[0], numbers[1] - 1, ...(numbers.slice(2) as [number, number, number, number])))
  // The 30th of February is the 2nd of March to a Date.
  const isReal = wall.getUTCMonth() + 1 === numbers[1] && wall.getUTCDate() === numbers[2] && numbers[3] < 24
  const at = offset ? new Date(received.replace(' ', 'T')) : isReal && zone ? momentAt(wall.getTime(), zone) : wall
  if (!isReal || numbers[4] > 59 || Number.isNaN(at.getTime()))
    throw new FieldError('starts', "a time such as '2027-03-04 19:30'", received)
  // When the clock is put forward an hour is left out.
  if (offset === undefined && isReal && zone && wallAt(at, zone) !== wall.getTime())
    throw new FieldError('starts', `a time that is on the clock in ${zone}`, received)
  // Without its zone a day's difference does not matter: the zone's own fault is told.
  if (at.getTime() <= now.getTime()) throw new FieldError('starts', 'a time that lies ahead', received)
  return at
}
