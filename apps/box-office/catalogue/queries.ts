/** Every question that the catalogue asks of SQL. */

import type { Database, Row, SqlValue } from '../database/database.ts'
import type { Shape } from '../seating/plan.ts'
import { patternsOf } from './search.ts'

export interface Venue {
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
  readonly shape: Shape
  readonly about: string
}

/** What a list of events shows. */
export interface EventCard {
  readonly id: string
  readonly artist: string
  readonly title: string
  readonly genre: string
  readonly startsAt: Date
  readonly currency: string
  readonly from: bigint
  readonly seats: number
  readonly sold: number
  readonly status: 'on-sale' | 'sold-out'
  readonly venueId: string
  readonly venue: string
  readonly city: string
  readonly country: string
  readonly zone: string
}

/** An event as it is sold. */
export interface EventDetail {
  readonly id: string
  readonly artist: string
  readonly title: string
  readonly genre: string
  readonly about: string
  readonly startsAt: Date
  readonly currency: string
  readonly seats: number
  readonly prices: readonly bigint[]
  readonly status: 'on-sale' | 'sold-out'
  readonly venue: Venue
}

/** What a list of venues shows. */
export interface VenueCard {
  readonly id: string
  readonly name: string
  readonly city: string
  readonly country: string
  readonly lat: number
  readonly lon: number
  readonly capacity: number
  /** How many nights lie ahead. */
  readonly nights: number
}

/** Which events are looked for; an empty text asks for nothing. */
export interface SearchFilter {
  readonly query: string
  readonly city: string
  /** First and last day, where the venue is: '2027-03-04'. */
  readonly from: string
  readonly to: string
  readonly venueId: string
}

export const NO_FILTER: SearchFilter = { query: '', city: '', from: '', to: '', venueId: '' }

/** Whoever answers queries: a database, or the cache before it. */
type Sql = Pick<Database, 'query'>

const DAY = '(e.starts_at at time zone v.zone)::date'

/** The condition of a filter, with its parameters from $1 on. */
function conditionOf({ query, city, from, to, venueId }: SearchFilter): { where: string; values: SqlValue[] } {
  const values: SqlValue[] = []
  const conditions = ['e.starts_at > now()']
  const add = (value: SqlValue, condition: (place: string) => string) => {
    values.push(value)
    conditions.push(condition(`$${values.length}`))
  }
  for (const pattern of patternsOf(query)) add(pattern, (place) => `e.words like ${place}`)
  if (city !== '') add(city, (place) => `v.city = ${place}`)
  if (from !== '') add(from, (place) => `${DAY} >= ${place}::date`)
  if (to !== '') add(to, (place) => `${DAY} <= ${place}::date`)
  if (venueId !== '') add(venueId, (place) => `e.venue_id = ${place}`)
  return { where: conditions.join(' and '), values }
}

/** Soonest first. */
export async function searchEvents(
  sql: Sql,
  filter: SearchFilter,
  limit: number,
  offset: number,
): Promise<EventCard[]> {
  const { where, values } = conditionOf(filter)
  const rows = await sql.query(
    `select e.id, e.artist, e.title, e.genre, e.starts_at, e.currency, e.seats, e.status, e.prices,
            v.id as venue_id, v.name as venue, v.city, v.country, v.zone,
            (select count(*) from sales s where s.event_id = e.id)::int as sold
     from events e join venues v on v.id = e.venue_id
     where ${where} order by e.starts_at, e.id limit ${limit} offset ${offset}`,
    values,
  )
  return rows.map(toCard)
}

export async function countEvents(sql: Sql, filter: SearchFilter): Promise<number> {
  const { where, values } = conditionOf(filter)
  const [row] = await sql.query<{ n: number }>(
    `select count(*)::int as n from events e join venues v on v.id = e.venue_id where ${where}`,
    values,
  )
  return row?.n ?? 0
}

/** More than anybody looks through; those who look for another can search. */
const MOST_CITIES = 1_000
const MOST_VENUES = 1_000

export async function citiesAhead(sql: Sql): Promise<string[]> {
  const rows = await sql.query<{ city: string }>(
    `select distinct v.city from venues v
     where exists (select from events e where e.venue_id = v.id and e.starts_at > now())
     order by v.city limit ${MOST_CITIES}`,
  )
  return rows.map(({ city }) => city)
}

export async function venuesAhead(sql: Sql): Promise<VenueCard[]> {
  return sql.query<VenueCard & Row>(
    `select v.id, v.name, v.city, v.country, v.lat, v.lon, v.capacity, count(*)::int as nights
     from venues v join events e on e.venue_id = v.id and e.starts_at > now()
     group by v.id order by v.city, v.name, v.id limit ${MOST_VENUES}`,
  )
}

export async function venueById(sql: Sql, id: string): Promise<Venue | undefined> {
  const [row] = await sql.query('select * from venues where id = $1', [id])
  return row && toVenue(row)
}

export async function eventById(db: Database, id: string): Promise<EventDetail | null> {
  const [row] = await db.query(
    `select e.*, v.name, v.city, v.country, v.country_code, v.lat, v.lon, v.capacity, v.opened, v.zone, v.shape,
            v.about as venue_about
     from events e join venues v on v.id = e.venue_id where e.id = $1`,
    [id],
  )
  if (row === undefined) return null
  return {
    id: row.id as string,
    artist: row.artist as string,
    title: row.title as string,
    genre: row.genre as string,
    about: row.about as string,
    startsAt: row.starts_at as Date,
    currency: row.currency as string,
    seats: row.seats as number,
    prices: row.prices as bigint[],
    status: row.status as EventDetail['status'],
    venue: toVenue({ ...row, id: row.venue_id, about: row.venue_about }),
  }
}

/** True for the first who asks: the seats of an event are laid out once. */
export async function markOpened(db: Database, id: string): Promise<boolean> {
  const rows = await db.query('update events set opened_at = now() where id = $1 and opened_at is null returning id', [
    id,
  ])
  return rows.length > 0
}

export async function moveEvent(db: Database, id: string, startsAt: Date): Promise<boolean> {
  const rows = await db.query('update events set starts_at = $2 where id = $1 returning id', [id, startsAt])
  return rows.length > 0
}

function toCard(row: Row): EventCard {
  const prices = row.prices as bigint[]
  return {
    id: row.id as string,
    artist: row.artist as string,
    title: row.title as string,
    genre: row.genre as string,
    startsAt: row.starts_at as Date,
    currency: row.currency as string,
    from: prices.at(-1) ?? 0n,
    seats: row.seats as number,
    sold: row.sold as number,
    status: row.status as EventCard['status'],
    venueId: row.venue_id as string,
    venue: row.venue as string,
    city: row.city as string,
    country: row.country as string,
    zone: row.zone as string,
  }
}

function toVenue(row: Row): Venue {
  return {
    id: row.id as string,
    name: row.name as string,
    city: row.city as string,
    country: row.country as string,
    code: row.country_code as string,
    lat: row.lat as number,
    lon: row.lon as number,
    capacity: row.capacity as number,
    opened: row.opened as number,
    zone: row.zone as string,
    shape: row.shape as Shape,
    about: row.about as string,
  }
}
