/**
 * Fills an empty house: venues and nights from the data files. A house that has nights ahead is left as it is; one that
 * was kept until its last night is over gets a new season.
 */

import type { Database, Statement } from '../database/database.ts'
import { planNights, readVenues } from './programme.ts'
import { searchTextOf } from './search.ts'

export async function seedHouse(db: Database, now: Date): Promise<{ venues: number; nights: number }> {
  const [ahead] = await db.query<{ n: number }>('select count(*)::int as n from events where starts_at > $1', [now])
  if ((ahead?.n ?? 0) > 0) return { venues: 0, nights: 0 }
  const venues = readVenues()
  const nights = planNights(now)
  const [past] = await db.query<{ n: number }>('select count(*)::int as n from events')
  // The same act may come back to the same house: its night then has the day in its name.
  const suffix = (past?.n ?? 0) === 0 ? '' : `-${now.toISOString().slice(0, 10)}`
  const statements: Statement[] = venues.map((v) => ({
    text: `insert into venues (id, name, city, country, country_code, lat, lon, capacity, opened, zone, currency, shape, about)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
           on conflict (id) do nothing`,
    values: [
      v.id,
      v.name,
      v.city,
      v.country,
      v.code,
      v.lat,
      v.lon,
      v.capacity,
      v.opened,
      v.zone,
      v.currency,
      v.shape,
      v.about,
    ],
  }))
  for (const night of nights) {
    statements.push({
      text: `insert into events (id, venue_id, artist, title, genre, about, starts_at, currency, seats, prices, words)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
      values: [
        `${night.id}${suffix}`,
        night.venue.id,
        night.act.artist,
        night.act.title,
        night.act.genre,
        night.act.about,
        night.startsAt,
        night.venue.currency,
        night.seats,
        night.prices,
        searchTextOf({ ...night.act, venue: night.venue }),
      ],
    })
  }
  await db.transaction(statements)
  return { venues: venues.length, nights: nights.length }
}
