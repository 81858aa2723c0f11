/** Own events into SQL, in lots: a lot is one statement a table, whatever it holds. */

import { createHash } from 'node:crypto'
import { readVenues, type VenueFact } from '../catalogue/programme.ts'
import { searchTextOf } from '../catalogue/search.ts'
import type { Database } from '../database/database.ts'
import { type Fault, type OwnEvent, slugOf } from './columns.ts'
import type { Line } from './read.ts'

export interface Loaded {
  readonly lines: number
  readonly added: number
  /** Lines with a fault; none of them is sold. */
  readonly refused: number
  /** Lines that say what an earlier one, or an event that is here already, has said. */
  readonly repeated: number
}

const LOT = 500

interface Placed {
  readonly line: number
  readonly id: string
  readonly event: OwnEvent
}

/** Our venues, as a file may name them: by id or by name. */
export function knownVenues(): ReadonlyMap<string, VenueFact> {
  return new Map(
    readVenues().flatMap((venue) => [venue.id, venue.name.toLowerCase()].map((key) => [key, venue] as const)),
  )
}

/** `say` is told of every fault as it comes. Without `db` the lines are only looked at. */
export async function loadEvents(
  lines: AsyncIterable<Line>,
  db: Database | undefined,
  say: (fault: Fault) => void,
): Promise<Loaded> {
  const counts = { lines: 0, added: 0, refused: 0, repeated: 0 }
  let lot: Placed[] = []

  async function flush(): Promise<void> {
    const placed = lot
    lot = []
    const added = db === undefined ? new Set(placed.map(({ id }) => id)) : await insert(db, placed)
    for (const { id, line } of placed) {
      // Of two in one lot the first is added.
      if (added.delete(id)) counts.added += 1
      else {
        counts.repeated += 1
        const expected = 'an event that is not here yet'
        say({ line, column: '(all)', expected, received: 'the artist, title, venue and time of another' })
      }
    }
  }

  for await (const line of lines) {
    counts.lines += 1
    if ('faults' in line) {
      counts.refused += 1
      for (const fault of line.faults) say(fault)
      continue
    }
    lot.push({ line: line.line, id: idOf(line.event), event: line.event })
    if (lot.length === LOT) await flush()
  }
  await flush()
  return counts
}

/** The same artist, title, venue and time are the same event; the words in front are for people. */
function idOf({ artist, title, venue, startsAt }: OwnEvent): string {
  const words = [artist.toLowerCase(), title.toLowerCase(), venue.id, startsAt.toISOString()]
  const digest = createHash('sha256').update(JSON.stringify(words)).digest('hex').slice(0, 16)
  return `${slugOf(artist) || 'event'}-${digest}`
}

/** Answers the ids that were not there before. */
async function insert(db: Database, placed: readonly Placed[]): Promise<Set<string>> {
  if (placed.length === 0) return new Set()
  const venues = [...new Map(placed.map(({ event: { venue } }) => [venue.id, venue])).values()]
  const events = placed.map(({ id, event: { venue, prices, startsAt, ...event } }) => ({
    ...event,
    id,
    venue_id: venue.id,
    starts_at: startsAt.toISOString(),
    prices: prices.map(String),
    words: searchTextOf({ ...event, venue }),
  }))
  const [, rows] = await db.transaction([
    {
      text: `insert into venues (id, name, city, country, country_code, lat, lon, capacity, opened, zone, currency, shape, about)
             select id, name, city, country, code, lat, lon, capacity, opened, zone, currency, shape, about
             from jsonb_to_recordset($1::jsonb) as v(id text, name text, city text, country text, code text, lat float8,
               lon float8, capacity int, opened int, zone text, currency text, shape text, about text)
             on conflict (id) do nothing`,
      values: [JSON.stringify(venues)],
    },
    {
      text: `insert into events (id, venue_id, artist, title, genre, about, starts_at, currency, seats, prices, words)
             select id, venue_id, artist, title, genre, about, starts_at, currency, seats,
               array(select p::bigint from jsonb_array_elements_text(prices) p), words
             from jsonb_to_recordset($1::jsonb) as e(id text, venue_id text, artist text, title text, genre text, about text,
               starts_at timestamptz, currency text, seats int, prices jsonb, words text)
             on conflict (id) do nothing returning id`,
      values: [JSON.stringify(events)],
    },
  ])
  return new Set((rows ?? []).map(({ id }) => id as string))
}
