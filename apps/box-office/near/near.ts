/** Which venues are near: their places are put into Redis when the house opens, and asked for there. */

import type { Holdfast, Position } from 'holdfast'
import type { Catalogue } from '../catalogue/catalogue.ts'
import type { VenueCard } from '../catalogue/queries.ts'

export interface NearVenue extends VenueCard {
  /** As the crow flies. */
  readonly distanceKm: number
}

export interface Near {
  /** Puts every venue with nights ahead where it is, and takes away those of an earlier run that have none any more. */
  fill(): Promise<void>
  /** The nearest venues with nights ahead, however far they are. */
  around(position: Position, limit: number): Promise<readonly NearVenue[]>
  /** Where a city is: the place of one of its venues; undefined where we know none. */
  placeOf(city: string): Promise<Position | undefined>
}

/** Half way around the earth. */
const ANYWHERE = '20100km'
const EVERYWHERE = { west: -180, south: -90, east: 180, north: 90 }
/** More venues than there ever are; what one search tells at most. */
const MOST = 5_000

export function createNear(hf: Holdfast, catalogue: Catalogue): Near {
  const places = hf.geo('venue')
  return {
    async fill() {
      const ahead = await allVenues(catalogue)
      await places.addMany(ahead)
      const ids = new Set(ahead.map(({ id }) => id))
      const known = await places.nearby({ box: EVERYWHERE, order: 'any', limit: MOST })
      await places.remove(known.flatMap(({ id }) => (ids.has(id) ? [] : [id])))
    },
    async around({ lon, lat }, limit) {
      const ahead = new Map((await allVenues(catalogue)).map((venue) => [venue.id, venue]))
      // Some may have had their last night since they were put there.
      const found = await places.nearby({ lon, lat, radius: ANYWHERE, limit: limit + 20, unit: 'km' })
      const near = found.flatMap(({ id, distance }) => {
        const venue = ahead.get(id)
        return venue === undefined ? [] : [{ ...venue, distanceKm: distance }]
      })
      return near.slice(0, limit)
    },
    async placeOf(city) {
      return (await allVenues(catalogue)).find((venue) => venue.city === city)
    },
  }
}

async function allVenues(catalogue: Catalogue): Promise<readonly VenueCard[]> {
  const first = await catalogue.venues(1)
  const others = await Promise.all(
    Array.from({ length: first.pages - 1 }, (_, i) => catalogue.venues(i + 2).then(({ items }) => items)),
  )
  return [...first.items, ...others.flat()]
}
