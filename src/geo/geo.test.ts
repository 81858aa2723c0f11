import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Holdfast as Instance } from '../holdfast.ts'
import { connect, type Geo, type GeoOptions, type Holdfast, type NearbyOptions, type Position } from '../index.ts'
import type { Key } from '../redis/keyspace.ts'
import { startProxy, startServer, type TestServer, testNamespace } from '../testing/index.ts'
import { cellOf } from './cells.ts'
import { findPlaces } from './finder.ts'
import { GeoKeys } from './keys.ts'
import { checkNearby } from './options.ts'
import { packPosition } from './record.ts'
import { GeoStore } from './store.ts'

const RADIUS_M = 6_371_008.8
const RAD = Math.PI / 180
const HALF_ROUND_M = Math.PI * RADIUS_M
let server: TestServer
const open: Holdfast[] = []

beforeAll(async () => {
  server = await startServer()
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})
afterAll(() => server.stop())

async function start(options?: GeoOptions): Promise<Geo> {
  const hf = await connect(server.url, { namespace: testNamespace('geo'), timeout: '10s' })
  open.push(hf)
  return hf.geo('venues', options)
}

/** The angle between two directions in space, in metres of the ball: nothing of a haversine, a pole or an antimeridian in it. */
function metresBetween(a: Position, b: Position): number {
  const [p, q] = [a, b].map(({ lon, lat }) => [
    Math.cos(lat * RAD) * Math.cos(lon * RAD),
    Math.cos(lat * RAD) * Math.sin(lon * RAD),
    Math.sin(lat * RAD),
  ]) as [number[], number[]]
  const chord = Math.hypot(...p.map((x, i) => x - (q[i] as number)))
  return 2 * RADIUS_M * Math.asin(Math.min(1, chord / 2))
}

/** Anywhere, and often where a map ends. */
const position = fc
  .oneof(
    fc.record({
      lon: fc.double({ min: -180, max: 180, noNaN: true }),
      lat: fc.double({ min: -90, max: 90, noNaN: true }),
    }),
    fc.record({
      lon: fc.oneof(
        fc.constantFrom(-180, 180, 0, 90),
        fc.double({ min: 179.9, max: 180, noNaN: true }),
        fc.double({ min: -180, max: -179.9, noNaN: true }),
      ),
      lat: fc.oneof(
        fc.constantFrom(-90, 90, 0, 85.06, -85.06),
        fc.double({ min: 89.9, max: 90, noNaN: true }),
        fc.double({ min: -0.1, max: 0.1, noNaN: true }),
      ),
    }),
  )
  // There is no second zero on the earth.
  .map(({ lon, lat }) => ({ lon: lon + 0, lat: lat + 0 }))
const metres = fc.oneof(
  fc.double({ min: 0, max: 100, noNaN: true }),
  fc.double({ min: 0, max: 50_000, noNaN: true }),
  fc.double({ min: 0, max: HALF_ROUND_M, noNaN: true }),
)
const search = fc.record({
  from: position,
  radius: metres,
  order: fc.constantFrom('near' as const, 'far' as const),
  limit: fc.constantFrom(5, 5_000),
})
const change = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ id: fc.nat({ max: 60 }).map(String), position: fc.option(position, { freq: 6 }) }),
  },
  // Places close to another, so that small circles find some.
  {
    weight: 1,
    arbitrary: fc.record({ id: fc.nat({ max: 60 }).map(String), position: fc.constant({ lon: 179.999, lat: 89.999 }) }),
  },
)

describe.each([1, 7])('a set of %i parts', (split) => {
  it('finds what a plain list finds, anywhere on the earth, whatever was moved and taken away', async () => {
    const geo = await start({ split })
    await fc.assert(
      fc.asyncProperty(
        fc.array(change, { maxLength: 80 }),
        fc.array(search, { minLength: 6, maxLength: 6 }),
        async (changes, searches) => {
          await geo.clear()
          const list = new Map<string, Position>()
          for (const { id, position } of changes) {
            if (position === null) {
              list.delete(id)
              await geo.remove(id)
            } else {
              list.set(id, position)
              await geo.add(id, position)
            }
          }
          expect(await geo.count()).toBe(list.size)
          expect(await geo.getMany([...list.keys()])).toEqual(list)
          await Promise.all(searches.map((one) => compare(geo, list, one)))
        },
      ),
      { numRuns: 12 },
    )
  })
})

async function compare(
  geo: Geo,
  list: ReadonlyMap<string, Position>,
  { from, radius, order, limit }: { from: Position; radius: number; order: 'near' | 'far'; limit: number },
): Promise<void> {
  const found = await geo.nearby({ ...from, radius, order, limit })
  const all = [...list].map(([id, to]) => ({ id, distance: metresBetween(from, to) }))
  // A haversine loses a metre where two places are on opposite sides of the earth, and a hair elsewhere.
  const slackOf = (distance: number) => (distance > 0.99 * HALF_ROUND_M ? 1 : 1e-5)
  const surely = all.filter(({ distance }) => distance <= radius - slackOf(distance))
  const maybe = new Set(all.filter(({ distance }) => distance <= radius + slackOf(distance)).map(({ id }) => id))
  for (const { id, distance, lon, lat } of found) {
    expect(maybe).toContain(id)
    expect({ lon, lat }).toEqual(list.get(id))
    const exact = metresBetween(from, { lon, lat })
    expect(Math.abs(distance - exact)).toBeLessThanOrEqual(slackOf(exact))
  }
  const sign = order === 'near' ? 1 : -1
  expect(found.every(({ distance }, i) => i === 0 || sign * (distance - (found[i - 1]?.distance as number)) >= 0)).toBe(
    true,
  )
  expect(new Set(found.map(({ id }) => id)).size).toBe(found.length)
  expect(found.length).toBeGreaterThanOrEqual(Math.min(limit, surely.length))
  if (found.length === limit) {
    const worst = found.at(-1)?.distance as number
    const better = surely.filter(({ distance }) => sign * (worst - distance) > slackOf(distance))
    expect(found.map(({ id }) => id)).toEqual(expect.arrayContaining(better.map(({ id }) => id)))
  }
}

it('finds what lies within a box of degrees, across the antimeridian too, and one around a place is such a box', async () => {
  const geo = await start()
  const degrees = fc.record({
    west: fc.integer({ min: -180, max: 180 }),
    east: fc.integer({ min: -180, max: 180 }),
    edges: fc.tuple(fc.integer({ min: -90, max: 90 }), fc.integer({ min: -90, max: 90 })),
  })
  const places: [string, Position][] = []
  for (let lon = -180; lon <= 180; lon += 12)
    for (let lat = -90; lat <= 90; lat += 10) places.push([`${lon} ${lat}`, { lon, lat }])
  await geo.addMany(places)
  await fc.assert(
    fc.asyncProperty(degrees, async ({ west, east, edges }) => {
      const [south, north] = [Math.min(...edges), Math.max(...edges)]
      const found = await geo.nearby({ box: { west, south, east, north }, limit: 5_000 })
      const isBetween = (lon: number) => (west <= east ? lon >= west && lon <= east : lon >= west || lon <= east)
      // One meridian has two names.
      const isIn = ({ lon, lat }: Position) =>
        lat >= south && lat <= north && (isBetween(lon) || (Math.abs(lon) === 180 && isBetween(-lon)))
      const expected = places.filter(([, place]) => isIn(place)).map(([id]) => id)
      expect(found.map(({ id }) => id).sort()).toEqual(expected.sort())
    }),
    { numRuns: 60 },
  )
  // 12° at the equator are 1,334 km, at 60° north half of that.
  const at = (lat: number, width: NearbyOptions['box']) => geo.nearby({ lon: 0, lat, box: width as never })
  expect((await at(0, { width: '2700km', height: '1km' })).map(({ id }) => id)).toEqual(['0 0', '-12 0', '12 0'])
  expect(await at(60, { width: '1300km', height: '1km' })).toHaveLength(1)
  expect(await at(60, { width: '1400km', height: '1km' })).toHaveLength(3)
  expect(await at(85, { width: '50000km', height: '2000km' })).toHaveLength(31 * 2)
})

it('looks at a crowd in several runs, and misses nobody', async () => {
  const geo = await start()
  // More than one run looks at, many at the very same place.
  const places = Array.from(
    { length: 24_000 },
    (_, i) => [`p${i}`, { lon: 105.8 + Math.floor(i / 400) / 1e4, lat: 21 }] as const,
  )
  await geo.addMany(places)
  const near = await geo.nearby({ lon: 105.8, lat: 21, radius: '100km', limit: 900 })
  expect(near).toHaveLength(900)
  expect(near.slice(0, 400).every(({ distance }) => distance < 0.001)).toBe(true)
  expect(near.at(-1)?.distance).toBeCloseTo(metresBetween({ lon: 105.8, lat: 21 }, { lon: 105.8002, lat: 21 }), 3)
  const far = await geo.nearby({ lon: 105.8, lat: 21, radius: '100km', limit: 3, order: 'far' })
  expect(far.every(({ lon }) => lon === 105.8 + 59 / 1e4)).toBe(true)
  expect(await geo.nearby({ lon: 105.8, lat: 21, radius: '100km', limit: 5_000, order: 'any' })).toHaveLength(5_000)
})

/** An entry of a cell as a move leaves it that ends before its id says so. */
async function leave(id: string, at: Position): Promise<void> {
  const keys = new GeoKeys(Instance.redisOf(open.at(-1) as Holdfast).keyspace, 'venues', 5)
  const cell = cellOf(at)
  const entry = Buffer.concat([packPosition(at, 5, Date.now()), Buffer.from(id)])
  await server.command('ZADD', keys.cells(keys.partOfCell(cell)), String(cell), entry)
}

it('shows nobody what a move that broke off left behind, and who stands behind that before all who are farther', async () => {
  const geo = await start({ split: 5 })
  await geo.add('ann', { lon: 2.01, lat: 48 })
  // Of places that are elsewhere by now, or gone: in front of ann, and in her part alone.
  for (const id of ['ann', 'bob', 'eve']) await leave(id, { lon: 2.001, lat: 48 })
  for (let lon = 4; lon < 20; lon++) await geo.add(`far ${lon}`, { lon, lat: 48 })
  for (const limit of [1, 2, 3]) {
    const found = await geo.nearby({ lon: 2, lat: 48, radius: '5000km', limit })
    expect(found.map(({ id }) => id)).toEqual(['ann', 'far 4', 'far 5'].slice(0, limit))
  }
})

it('keeps a place where it is, and forgets where it was, whichever step a move or a removal breaks off at', async () => {
  await using other = await startServer()
  await using proxy = await startProxy({ target: other })
  const [url, namespace] = [
    `redis+shards://kept=127.0.0.1:${server.port},lost=127.0.0.1:${proxy.port}`,
    testNamespace('geo'),
  ]
  const [writer, reader] = [
    await connect(url, { namespace, timeout: '250ms' }),
    await connect(url, { namespace, timeout: '10s' }),
  ]
  open.push(writer, reader)
  const redis = Instance.redisOf(reader)
  const keys = new GeoKeys(redis.keyspace, 'venues', 8)
  const shard = (key: Key) => (redis.topology.groupOf(key) === redis.topology.groupOf(lostKey) ? 'lost' : 'kept')
  const lostKey = await keyOn(other)
  const idOn = (name: string, n = 0) =>
    Array.from({ length: 400 }, (_, i) => `id ${i}`).filter((id) => shard(keys.at(keys.partOfId(id))) === name)[n] ?? ''
  const placesOn = (name: string) =>
    Array.from({ length: 300 }, (_, i) => ({ lon: i - 150, lat: 10 })).filter(
      (place) => shard(keys.cells(keys.partOfCell(cellOf(place)))) === name,
    ) as [Position, Position, Position, Position]
  /** A key of this set that lies on this server: places are put there until one does. */
  async function keyOn(at: TestServer): Promise<Key> {
    for (let part = 0; part < 8; part++) {
      await redis.call(keys.at(part), 'HSET', [keys.at(part), 'probe', 'x'], { operation: 'probe', repeat: true })
      if ((await at.command('DEL', keys.at(part))) === 1) return keys.at(part)
      await server.command('DEL', keys.at(part))
    }
    throw new Error('no part lies there')
  }
  // Whose second step is lost, whose third is, and who is removed without the second.
  const [second, third, removed] = [idOn('lost'), idOn('kept', 0), idOn('kept', 1)]
  const [kept, lost] = [placesOn('kept'), placesOn('lost')]
  const geo = writer.geo('venues', { split: 8 })
  await geo.addMany([
    [second, kept[0]],
    [third, lost[0]],
    [removed, lost[1]],
  ])
  proxy.drop()
  const broken = await Promise.allSettled([geo.add(second, kept[1]), geo.add(third, kept[2]), geo.remove(removed)])
  expect(broken.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
  await writer.close()
  await proxy.heal()

  const entries = async () => {
    const cells = Array.from({ length: 8 }, (_, part) => keys.cells(part))
    const sizes = cells.map((key) => redis.call(key, 'ZCARD', [key], { operation: 'probe', repeat: true }))
    return (await Promise.all(sizes)).reduce<number>((sum, size) => sum + Number(size), 0)
  }
  const world = checkNearby({ lon: 0, lat: 0, radius: '30000km', order: 'any' })
  const shown = async (store: GeoStore) =>
    new Map((await findPlaces(store, world)).map(({ id, lon, lat }) => [id, { lon, lat }]))
  const truth = new Map([
    [second, kept[0]],
    [third, kept[2]],
  ])
  // Each could still be confirmed for what a search knows: it shows none of them, and leaves them.
  expect(await shown(new GeoStore(redis, keys))).toEqual(truth)
  expect(await entries()).toBe(5)
  // Once that is over, the first search forgets them.
  const late = new GeoStore(redis, keys, -1)
  expect(await shown(late)).toEqual(truth)
  expect(await entries()).toBe(2)
  expect(await shown(late)).toEqual(truth)
  // And who comes so late with a second step is refused it, or the place would be nowhere.
  await expect(late.put([{ id: third, ...kept[3] }])).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(await late.positions([third])).toEqual(await new GeoStore(redis, keys).positions([third]))
  expect(await shown(late)).toEqual(truth)
})

it('speaks the units that are asked for, and tells distances between its places', async () => {
  const geo = await start()
  await geo.addMany([
    { id: 'Palermo', lon: 13.361389, lat: 38.115556 },
    { id: 'Catania', lon: 15.087269, lat: 37.502669 },
  ])
  expect(await geo.distance('Palermo', 'Catania')).toBeCloseTo(166_227, -1)
  expect(await geo.distance('Palermo', 'Catania', { unit: 'km' })).toBeCloseTo(166.227, 2)
  expect(await geo.distance('Palermo', 'nowhere')).toBeUndefined()
  const [nearest] = await geo.nearby({ lon: 15, lat: 37, radius: '200km', unit: 'mi' })
  expect(nearest).toMatchObject({ id: 'Catania', lon: 15.087269, lat: 37.502669 })
  expect(nearest?.distance).toBeCloseTo(35.1, 1)
  expect(await geo.get('Palermo')).toEqual({ lon: 13.361389, lat: 38.115556 })
  expect(await geo.get('nowhere')).toBeUndefined()
})

it('takes places away on a server that is full, and refuses new ones', async () => {
  for (const split of [1, 3]) {
    const geo = await start({ split })
    await geo.add('ann', { lon: 2, lat: 48 })
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    await expect(geo.add('bob', { lon: 3, lat: 48 })).rejects.toMatchObject({ code: 'SERVER_FULL' })
    expect(await geo.nearby({ lon: 2, lat: 48, radius: '9km' })).toHaveLength(1)
    await geo.remove('ann')
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect([await geo.count(), await geo.nearby({ lon: 2, lat: 48, radius: '900km' })]).toEqual([0, []])
  }
})

it('refuses what is no place and no area, by name', async () => {
  const geo = await start()
  const wrong: readonly [() => Promise<unknown>, string][] = [
    [() => geo.add('x', { lon: 181, lat: 0 }), 'lon'],
    [() => geo.add('x', { lon: 0, lat: -90.1 }), 'lat'],
    [() => geo.add('x', undefined as never), 'position'],
    [() => geo.addMany(null as never), 'places'],
    [() => geo.addMany([null as never]), 'id'],
    [() => geo.remove(5 as never), 'ids'],
    [() => geo.add('half \ud83c', { lon: 0, lat: 0 }), 'id'],
    [() => geo.getMany('abc' as never), 'ids'],
    [() => geo.nearby({ lon: 0, lat: 0 }), 'radius'],
    [() => geo.nearby({ lon: 0, lat: 0, radius: '5 parsecs' as never }), 'radius'],
    [() => geo.nearby({ lon: 0, lat: 0, radius: -1 }), 'radius'],
    [() => geo.nearby({ radius: 5, lat: 0 } as never), 'lon'],
    [() => geo.nearby({ box: { west: 0, east: 1, south: 2, north: 1 } }), 'box.south'],
    [() => geo.nearby({ lon: 0, lat: 0, radius: 5, limit: 0 }), 'limit'],
    [() => geo.nearby({ lon: 0, lat: 0, radius: 5, order: 'ASC' as never }), 'order'],
  ]
  for (const [act, option] of wrong)
    await expect((async () => act())()).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  const [hf] = open as [Holdfast]
  expect(() => hf.geo('x', { split: 65 })).toThrow('split')
})
