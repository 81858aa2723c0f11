import { ConfigError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import { findPlaces, type Nearby } from './finder.ts'
import { inspectGeo } from './inspect.ts'
import { GeoKeys } from './keys.ts'
import {
  checkId,
  checkIterable,
  checkNearby,
  checkPosition,
  type DistanceOptions,
  metresOf,
  type NearbyOptions,
} from './options.ts'
import { readPosition } from './record.ts'
import { geoRights } from './rights.ts'
import { distanceM, type Position } from './sphere.ts'
import { GeoStore, type Place } from './store.ts'

const OBSERVED = {
  add: new Observed('geo.add'),
  remove: new Observed('geo.remove'),
  nearby: new Observed('geo.nearby'),
} as const

/**
 * Places on the earth by id, and which of them are near. Made by `hf.geo(name)`.
 *
 * promise  positions are kept exactly as they were given, anywhere from pole to pole; distances are those of a ball of the earth's mean radius.
 *          A search misses no place that stands still, and none is told twice
 * costs    one script, one round trip; of a split set one for each part, and one more
 */
export class Geo {
  readonly name: string
  readonly #store: GeoStore
  #vetted = false

  /** @internal Made by `hf.geo`. */
  constructor(redis: Redis, name: string, split: number) {
    this.name = name
    this.#store = new GeoStore(redis, new GeoKeys(redis.keyspace, name, split))
  }

  /**
   * Puts a place here, or moves it here.
   *
   * id        any string of at most 512 bytes
   * position  degrees: `lon` -180 to 180, `lat` -90 to 90
   */
  add(id: string, position: Position): Promise<void> {
    return this.addMany([[id, position]])
  }

  /** The same for many, in lots of 500: each lot in one step, unless the set is split. Of an id that comes twice the last one counts. */
  async addMany(places: Iterable<readonly [id: string, position: Position] | Place>): Promise<void> {
    const checked = new Map<string, Place>()
    for (const entry of checkIterable('places', places)) {
      const [id, position] = Array.isArray(entry)
        ? (entry as [string, Position])
        : [(entry as Place | null)?.id as string, entry as Place]
      checked.set(checkId(id), { id, ...checkPosition('position', position) })
    }
    if (checked.size === 0) return
    this.#vet()
    await OBSERVED.add.run({ geo: this.name, places: checked.size }, () => this.#store.put([...checked.values()]))
  }

  /** Takes one place or many away. One that is nowhere already is no error. */
  async remove(ids: string | readonly string[]): Promise<void> {
    const all = [...checkIterable('ids', typeof ids === 'string' ? [ids] : ids)].map(checkId)
    if (all.length === 0) return
    this.#vet()
    await OBSERVED.remove.run({ geo: this.name, places: all.length }, () => this.#store.remove(all))
  }

  /** Where a place is; undefined where it is nowhere. */
  async get(id: string): Promise<Position | undefined> {
    return (await this.getMany([id])).get(id)
  }

  /** Where these are, in the order asked; without those that are nowhere. */
  async getMany(ids: readonly string[]): Promise<Map<string, Position>> {
    const all = [...new Set([...checkIterable('ids', ids)].map(checkId))]
    this.#vet()
    const found = await this.#store.positions(all)
    const { keys } = this.#store
    return new Map(
      all.flatMap((id) => {
        const bytes = found.get(id)
        return bytes === undefined ? [] : [[id, readPosition(bytes, keys.at(keys.partOfId(id)))] as const]
      }),
    )
  }

  /** How far two places are from each other, in metres unless a unit is named; undefined where one is nowhere. */
  async distance(a: string, b: string, options: DistanceOptions = {}): Promise<number | undefined> {
    if (typeof options !== 'object' || options === null) throw new ConfigError('options', '{ unit }', options)
    const metres = metresOf(options.unit)
    const found = await this.getMany([a, b])
    const [from, to] = [found.get(a), found.get(b)]
    return from === undefined || to === undefined ? undefined : distanceM(from, to) / metres
  }

  /**
   * The places within a radius or a box, the nearest first.
   *
   * options  `{ lon, lat, radius: '5km' }` or `{ lon, lat, box: { width, height } }` or `{ box: { west, south, east, north } }`
   * finds    what is on the edge too; across the antimeridian, and over the poles for a radius
   * costs    the server some 2 µs for each place of the area: 5,000 in one run, then the next
   */
  async nearby(options: NearbyOptions): Promise<readonly Nearby[]> {
    const search = checkNearby(options)
    this.#vet()
    return OBSERVED.nearby.run({ geo: this.name }, async (operation) => {
      const found = await findPlaces(this.#store, search)
      operation.found = found.length
      return found
    })
  }

  /** How many places there are. */
  async count(): Promise<number> {
    this.#vet()
    const { redis, keys } = this.#store
    const parts = await inspectGeo(redis, this.name, keys.split)
    return parts.reduce((sum, part) => sum + part, 0)
  }

  /** Takes all places away. */
  async clear(): Promise<void> {
    this.#vet()
    const { redis, keys } = this.#store
    const parts = Array.from({ length: keys.split }, (_, part) => [keys.at(part), keys.cells(part)] as const)
    await Promise.all(
      parts.map(([at, cells]) => redis.call(at, 'UNLINK', [at, cells], { operation: 'geo.clear', repeat: true })),
    )
  }

  #vet(): void {
    if (this.#vetted) return
    this.#vetted = true
    const { redis, keys } = this.#store
    redis.vet('geo', 'state', geoRights(keys), keys.at(0), '').catch(() => {})
  }
}
