/** Looking: events, a venue, one event with its map. Everything is read through the cache. */

import { cacheResponse } from 'holdfast/hono'
import { type Context, Hono } from 'hono'
import { cachedPages, EVENTS } from '../catalogue/cached-pages.ts'
import { NO_FILTER } from '../catalogue/queries.ts'
import { EventPage } from '../pages/event.tsx'
import { type Filter, Home } from '../pages/home.tsx'
import { VenuePage, VenuesPage } from '../pages/venue.tsx'
import { Refusal } from './refusal.ts'
import { claimUrl, eventOr404, page, type Shop, wantsJson } from './route.ts'
import { customerOf, visitorOf } from './visitor.ts'

const LONGEST_QUERY = 80

export function browseRoutes(shop: Shop): Hono {
  const app = new Hono()

  // These are the same for everybody, whatever cookies he has. How much is left of a night may be some seconds old.
  const cached = cacheResponse(cachedPages(shop.hf), {
    ttl: '5s',
    cookies: [],
    // What is answered as JSON is a program's, and made for it.
    key: (c) => (wantsJson(c) ? undefined : 'page'),
    query: ['q', 'city', 'from', 'to', 'page'],
    tags: () => [EVENTS],
  })

  app.get('/', cached, async (c) => {
    const filter: Filter = {
      query: textOf(c, 'q'),
      city: textOf(c, 'city'),
      from: dayOf(c, 'from'),
      to: dayOf(c, 'to'),
    }
    const [found, all, cities] = await Promise.all([
      shop.catalogue.search({ ...NO_FILTER, ...filter }, pageNumber(c)),
      shop.catalogue.search(NO_FILTER, 1),
      shop.catalogue.cities(),
    ])
    return page(c, <Home found={found} nights={all.total} cities={cities} filter={filter} />)
  })

  app.get('/venues', cached, async (c) => page(c, <VenuesPage venues={await shop.catalogue.venues(pageNumber(c))} />))

  app.get('/venues/:id', cached, async (c) => {
    const venue = await shop.catalogue.venue(c.req.param('id'))
    if (venue === undefined) throw new Refusal('NOT_FOUND', 'There is no such venue.')
    const events = await shop.catalogue.search({ ...NO_FILTER, venueId: venue.id }, pageNumber(c))
    return page(c, <VenuePage venue={venue} events={events} />)
  })

  app.get('/events/:id', async (c) => {
    const event = await eventOr404(shop, c.req.param('id'))
    const visitor = await visitorOf(c, shop.sealer)
    const customer = customerOf(c, shop.sealer, visitor)
    const view = await shop.hub.view(event.id)
    if (view === undefined) throw new Refusal('SALE_PAUSED', 'The box office is closing.')
    try {
      // What he held before he logged in is his still.
      const claim = [customer, visitor.browser]
        .map((who) => who && shop.holdings.find(who, event.id))
        .find((held) => typeof held === 'object')
      const holding = claim && { url: claimUrl(shop, claim), seats: claim.seats }
      return page(c, <EventPage event={event} night={view.night} map={view.map} holding={holding} />)
    } finally {
      view.leave()
    }
  })

  return app
}

function textOf(c: Context, name: string): string {
  // SQL refuses a text with a NUL.
  return [...(c.req.query(name) ?? '').replaceAll('\0', '').trim()].slice(0, LONGEST_QUERY).join('')
}

/** '2027-03-04', or '' for what is no day of the calendar. */
function dayOf(c: Context, name: string): string {
  const day = c.req.query(name) ?? ''
  const date = /^\d{4}-\d{2}-\d{2}$/.test(day) ? new Date(`${day}T00:00:00Z`) : undefined
  return date !== undefined && !Number.isNaN(date.getTime()) && date.toISOString().startsWith(day) ? day : ''
}

function pageNumber(c: Context): number {
  const number = c.req.query('page') ?? ''
  return /^[1-9]\d{0,5}$/.test(number) ? Number(number) : 1
}
