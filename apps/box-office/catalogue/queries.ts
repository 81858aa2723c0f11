/** Every question that the catalogue asks of SQL. */

import type { Database, Row } from '../database/database.ts'
import type { Shape } from '../seating/plan.ts'

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

const CARD = `
  select e.id, e.artist, e.title, e.genre, e.starts_at, e.currency, e.seats, e.status, e.prices,
         v.id as venue_id, v.name as venue, v.city, v.country, v.zone,
         coalesce(s.sold, 0)::int as sold
  from events e
  join venues v on v.id = e.venue_id
  left join (select event_id, count(*) as sold from sales group by event_id) s on s.event_id = e.id`

export async function upcomingEvents(db: Database): Promise<EventCard[]> {
  const rows = await db.query(`${CARD} where e.starts_at > now() order by e.starts_at, e.id`)
  return rows.map(toCard)
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

export async function allVenues(db: Database): Promise<Venue[]> {
  return (await db.query('select * from venues order by city, name')).map(toVenue)
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
