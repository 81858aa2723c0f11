/** What moves by itself: the stream of a seat map, and the figures of the house. */

import { Hono } from 'hono'
import { statusStream } from '../live/status-stream.ts'
import { mapStream } from '../live/stream.ts'
import { StatusPage } from '../pages/status.tsx'
import { MOODS } from '../payment/moody-bank.ts'
import { Refusal } from './refusal.ts'
import { page, type Shop, wantsJson } from './route.ts'

const MOST_VIEWERS = 2_000
const MOST_WATCHERS = 200
const STREAM = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
}

export function liveRoutes(shop: Shop): Hono {
  const app = new Hono()
  let watching = 0

  app.get('/events/:id/live', async (c) => {
    if (shop.hub.viewers() >= MOST_VIEWERS)
      throw new Refusal('TOO_MANY_VIEWERS', 'Too many look at seat maps just now.')
    const view = await shop.hub.view(c.req.param('id'))
    if (view === undefined) throw new Refusal('NOT_FOUND', 'There is no such event.')
    // A browser that comes back says how far it was; one that comes first, which version its page was drawn from.
    const known = c.req.header('last-event-id') ?? c.req.query('since')
    return c.body(mapStream(view, known, shop.ending), 200, STREAM)
  })

  app.post('/status/bank', async (c) => {
    const { mood } = await c.req.parseBody()
    const wanted = MOODS.find((known) => known === mood)
    if (wanted === undefined) throw new Refusal('BAD_REQUEST', `mood: one of ${MOODS.join(', ')} is needed.`)
    shop.testBank.mood = wanted
    if (wantsJson(c)) return c.json({ mood: wanted })
    return c.redirect('/status', 303)
  })

  app.get('/status', async (c) => page(c, <StatusPage status={await shop.status()} />))
  app.get('/status/live', (c) => {
    if (watching >= MOST_WATCHERS) throw new Refusal('TOO_MANY_VIEWERS', 'Too many look at the status just now.')
    watching += 1
    const left = () => {
      watching -= 1
    }
    return c.body(statusStream(shop.status, shop.ending, left), 200, STREAM)
  })

  app.get('/status.json', async (c) => c.json(await shop.status()))

  return app
}
