/** Looking: events, a venue, one event with its map. Everything is read through the cache. */

import { Hono } from 'hono'
import type { EventCard } from '../catalogue/queries.ts'
import { EventPage } from '../pages/event.tsx'
import { dayKey } from '../pages/format.ts'
import { type Filter, Home } from '../pages/home.tsx'
import { VenuePage } from '../pages/venue.tsx'
import { customerOf } from './customer.ts'
import { Refusal } from './refusal.ts'
import { claimUrl, eventOr404, page, type Shop } from './route.ts'

const LONGEST_QUERY = 80

export function browseRoutes(shop: Shop): Hono {
  const app = new Hono()

  app.get('/', async (c) => {
    const filter: Filter = {
      query: (c.req.query('q') ?? '').trim().slice(0, LONGEST_QUERY),
      city: (c.req.query('city') ?? '').slice(0, LONGEST_QUERY),
      from: /^\d{4}-\d{2}-\d{2}$/.test(c.req.query('from') ?? '') ? (c.req.query('from') as string) : '',
    }
    const all = await shop.catalogue.upcoming()
    return page(c, <Home all={all} events={all.filter((event) => fits(event, filter))} filter={filter} />)
  })

  app.get('/venues/:id', async (c) => {
    const venue = await shop.catalogue.venue(c.req.param('id'))
    if (venue === undefined) throw new Refusal('NOT_FOUND', 'There is no such venue.')
    const events = (await shop.catalogue.upcoming()).filter((event) => event.venueId === venue.id)
    return page(c, <VenuePage venue={venue} events={events} />)
  })

  app.get('/events/:id', async (c) => {
    const event = await eventOr404(shop, c.req.param('id'))
    const customer = customerOf(c, shop.sealer)
    const view = await shop.hub.view(event.id)
    if (view === undefined) throw new Refusal('SALE_PAUSED', 'The box office is closing.')
    try {
      const claim = shop.holdings.find(customer, event.id)
      const holding = claim && { url: claimUrl(shop, claim), seats: claim.seats }
      return page(c, <EventPage event={event} night={view.night} map={view.map} holding={holding} />)
    } finally {
      view.leave()
    }
  })

  return app
}

function fits(event: EventCard, { query, city, from }: Filter): boolean {
  if (city !== '' && event.city !== city) return false
  if (from !== '' && dayKey(event.startsAt, event.zone) < from) return false
  const text = plain(`${event.artist} ${event.title} ${event.genre} ${event.venue} ${event.city} ${event.country}`)
  return plain(query)
    .split(' ')
    .every((word) => text.includes(word))
}

/** Lower case without accents, so that 'colon' finds Teatro Colón. */
function plain(text: string): string {
  return text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
}
