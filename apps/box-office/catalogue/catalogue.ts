/**
 * The catalogue as pages read it: always through the cache. Events and venues change seldom and are asked for on
 * every page, so they are kept in Redis and, for a moment, in this process; whatever changes them says so
 * with `changed`, and no page shows the old state after that was acknowledged.
 */

import type { Holdfast } from 'holdfast'
import type { Database } from '../database/database.ts'
import type { Figures } from '../figures/figures.ts'
import { cachedSql } from './cached-sql.ts'
import {
  citiesAhead,
  countEvents,
  type EventCard,
  type EventDetail,
  eventById,
  moveEvent,
  NO_FILTER,
  type SearchFilter,
  searchEvents,
  type Venue,
  type VenueCard,
  venueById,
  venuesAhead,
} from './queries.ts'

/** One page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  /** In all pages. */
  readonly total: number
  /** From 1. */
  readonly page: number
  readonly pages: number
}

export interface Catalogue {
  /** The next nights, soonest first; not more than a crowd can know of. */
  upcoming(): Promise<readonly EventCard[]>
  search(filter: SearchFilter, page: number): Promise<Page<EventCard>>
  event(id: string): Promise<EventDetail | undefined>
  /** Where something is on. */
  cities(): Promise<readonly string[]>
  venues(page: number): Promise<Page<VenueCard>>
  venue(id: string): Promise<Venue | undefined>
  /** What concerns this event is read from SQL again. */
  changed(eventId: string): Promise<void>
  /** The same for all of them. */
  allChanged(): Promise<void>
  /** Puts a night on another date. False when there is no such event. */
  move(eventId: string, startsAt: Date): Promise<boolean>
}

const MEMORY = { maxEntries: 500, ttl: '10s' } as const
export const PAGE_SIZE = 24
const MOST_UPCOMING = 200

export function createCatalogue(hf: Holdfast, db: Database, figures: Figures): Catalogue {
  const sql = cachedSql(hf, db, {
    onRead: () => figures.count('cacheReads'),
    onLoad: () => figures.count('cacheLoads'),
  })
  const events = hf.cache<EventDetail | null>('event', {
    ttl: '10m',
    expiry: { nullTtl: '30s', jitter: 0.1 },
    memory: MEMORY,
    tags: (event) => (event === null ? ['event'] : ['event', `venue:${event.venue.id}`]),
    load: (id) => {
      figures.count('cacheLoads')
      return eventById(db, id)
    },
  })

  async function changed(eventId: string): Promise<void> {
    await Promise.all([events.delete(eventId), sql.changed()])
  }

  return {
    changed,
    upcoming: () => searchEvents(sql, NO_FILTER, MOST_UPCOMING, 0),
    async search(filter, page) {
      return pageOf(page, await countEvents(sql, filter), (offset) => searchEvents(sql, filter, PAGE_SIZE, offset))
    },
    async event(id) {
      figures.count('cacheReads')
      return (await events.get(id)) ?? undefined
    },
    cities: () => citiesAhead(sql),
    async venues(page) {
      const all = await venuesAhead(sql)
      return pageOf(page, all.length, async (offset) => all.slice(offset, offset + PAGE_SIZE))
    },
    venue: (id) => venueById(sql, id),
    async allChanged() {
      await Promise.all([events.invalidateTag('event'), sql.changed()])
    },
    async move(eventId, startsAt) {
      const moved = await moveEvent(db, eventId, startsAt)
      if (moved) await changed(eventId)
      return moved
    },
  }
}

/** A page that lies behind the last one is the last one. */
async function pageOf<T>(
  wanted: number,
  total: number,
  read: (offset: number) => Promise<readonly T[]>,
): Promise<Page<T>> {
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE))
  const page = Math.min(Math.max(1, wanted), pages)
  return { items: await read((page - 1) * PAGE_SIZE), total, page, pages }
}
