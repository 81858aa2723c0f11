/** The whole shop as one Fetch handler. */

import { Hono } from 'hono'
import { compress } from 'hono/compress'
import { ErrorPage } from '../pages/layout.tsx'
import { accountRoutes } from './account.tsx'
import { assetRoutes } from './assets.ts'
import { browseRoutes } from './browse.tsx'
import { buyRoutes } from './buy.tsx'
import { headers, ownHost, ownOrigin, smallBody } from './guard.ts'
import { limitApi } from './limits.ts'
import { liveRoutes } from './live.tsx'
import { nearRoutes } from './near.tsx'
import { Refusal } from './refusal.ts'
import { refused } from './refused.tsx'
import { reportRoutes } from './report.tsx'
import { type Shop, wantsJson } from './route.ts'
import { countViews } from './views.ts'
import { visits } from './visitor.ts'

export function createApp(shop: Shop, onFault: (error: unknown, what: string) => void): Hono {
  const app = new Hono()
  app.use(headers, ownHost, ownOrigin, smallBody)
  // No name of ours holds a NUL, and SQL refuses a text that does.
  app.use((c, next) => (decodeURIComponentSafe(c.req.path).includes('\0') ? Promise.resolve(c.notFound()) : next()))
  app.use(compress())
  app.use(countViews(shop))

  app.route('/assets', assetRoutes())
  app.use(
    limitApi(shop.hf, (c, refusal) => {
      shop.figures.count('limited')
      shop.audience.refused('api')
      return refused(c, refusal)
    }),
  )
  app.use(visits(shop.sessions, shop.secret))
  app.route('/', accountRoutes(shop))
  app.route('/', browseRoutes(shop))
  app.route('/', buyRoutes(shop))
  app.route('/', liveRoutes(shop))
  app.route('/', nearRoutes(shop))
  app.route('/', reportRoutes(shop))

  app.notFound((c) => {
    return refused(c, new Refusal('NOT_FOUND', 'This page does not exist.'))
  })

  app.onError((error, c) => {
    if (error instanceof Refusal) return refused(c, error)
    onFault(error, `${c.req.method} ${c.req.path.split('/', 2).join('/')}`)
    const message = 'Something did not work on our side. Please try again in a moment.'
    if (wantsJson(c)) return c.json({ error: { code: 'FAULT', message } }, 503)
    return c.html(`<!doctype html>${String(<ErrorPage title="Just a moment" message={message} />)}`, 503)
  })

  return app
}

function decodeURIComponentSafe(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
