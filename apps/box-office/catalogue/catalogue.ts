/**
 * The catalogue as pages read it: always through the cache. Events and venues change seldom and are asked for on
 * every page, so they are kept in Redis and, for a moment, in this process; whatever changes them says so
 * with `changed`, and no page shows the old state after that was acknowledged.
 */

import type { Holdfast } from 'holdfast'
import type { Database } from '../database/database.ts'
import type { Figures } from '../figures/figures.ts'
import {
  allVenues,
  type EventCard,
  type EventDetail,
  eventById,
  moveEvent,
  upcomingEvents,
  type Venue,
} from './queries.ts'

export interface Catalogue {
  upcoming(): Promise<readonly EventCard[]>
  event(id: string): Promise<EventDetail | undefined>
  venues(): Promise<readonly Venue[]>
  venue(id: string): Promise<Venue | undefined>
  /** What concerns this event is read from SQL again. */
  changed(eventId: string): Promise<void>
  /** Puts a night on another date. False when there is no such event. */
  move(eventId: string, startsAt: Date): Promise<boolean>
}

const MEMORY = { maxEntries: 500, ttl: '10s' } as const
const UPCOMING = 'upcoming'
const ALL = 'all'

export function createCatalogue(hf: Holdfast, db: Database, figures: Figures): Catalogue {
  // The list carries how much is sold, so it is read again every few seconds; the old one serves meanwhile.
  const lists = hf.cache<readonly EventCard[]>('events', {
    ttl: '10s',
    expiry: { stale: '1m' },
    memory: MEMORY,
    stampede: 'fleet',
    load: () => counted(() => upcomingEvents(db)),
  })
  const events = hf.cache<EventDetail | null>('event', {
    ttl: '10m',
    expiry: { nullTtl: '30s', jitter: 0.1 },
    memory: MEMORY,
    tags: (event) => (event === null ? [] : [`venue:${event.venue.id}`]),
    load: (id) => counted(() => eventById(db, id)),
  })
  const venues = hf.cache<readonly Venue[]>('venues', {
    ttl: '1h',
    memory: MEMORY,
    load: () => counted(() => allVenues(db)),
  })

  function counted<T>(load: () => Promise<T>): Promise<T> {
    figures.count('cacheLoads')
    return load()
  }

  async function event(id: string): Promise<EventDetail | undefined> {
    figures.count('cacheReads')
    return (await events.get(id)) ?? undefined
  }

  async function all(): Promise<readonly Venue[]> {
    figures.count('cacheReads')
    return venues.get(ALL)
  }

  async function changed(eventId: string): Promise<void> {
    await Promise.all([events.delete(eventId), lists.delete(UPCOMING)])
  }

  return {
    event,
    changed,
    venues: all,
    async upcoming() {
      figures.count('cacheReads')
      return lists.get(UPCOMING)
    },
    async venue(id) {
      return (await all()).find((venue) => venue.id === id)
    },
    async move(eventId, startsAt) {
      const moved = await moveEvent(db, eventId, startsAt)
      if (moved) await changed(eventId)
      return moved
    },
  }
}
