/** What is near: a city, or a position that the browser said. */

import type { Position } from 'holdfast'
import { Hono } from 'hono'
import { NearPage } from '../pages/near.tsx'
import { Refusal } from './refusal.ts'
import { page, type Shop } from './route.ts'

const VENUES = 6

export function nearRoutes(shop: Pick<Shop, 'catalogue' | 'near'>): Hono {
  const app = new Hono()

  app.get('/near', async (c) => {
    const city = c.req.query('city') ?? ''
    const said = positionOf(c.req.query('lon'), c.req.query('lat'))
    const position = said ?? (await shop.near.placeOf(city))
    if (position === undefined) throw new Refusal('NOT_FOUND', 'We know no venue there.')
    const [cities, venues] = await Promise.all([shop.catalogue.cities(), shop.near.around(position, VENUES)])
    const where = said === undefined ? city : 'you'
    return page(c, <NearPage cities={cities} city={said === undefined ? city : ''} venues={venues} where={where} />)
  })

  return app
}

/** Undefined for what is no place on the earth. */
function positionOf(lon: string | undefined, lat: string | undefined): Position | undefined {
  const isNumber = (text: string | undefined): text is string => /^-?\d{1,3}(\.\d{1,6})?$/.test(text ?? '')
  if (!isNumber(lon) || !isNumber(lat)) return undefined
  const position = { lon: Number(lon), lat: Number(lat) }
  return Math.abs(position.lon) <= 180 && Math.abs(position.lat) <= 90 ? position : undefined
}
