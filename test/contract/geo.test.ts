import type { Holdfast, Position } from 'holdfast'
import { beforeEach, expect, it } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const place = new Place({ geo: ['venues', ''] })
const NAMES = ['', ' ', '{', '}', '{a}b', 'a}:cells', 'a', 'a:at', '*', '\n', '%7B', 'Ünal 🎭', 'x'.repeat(512)]
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

it.each([1, 6])('finds, moves and takes away what several instances put there, split into %i', async (split) => {
  const [geo, other] = [hf.geo('venues', { split }), (await place.connect()).geo('venues', { split })]
  // Around the antimeridian, one every 111 km.
  const places = Array.from({ length: 60 }, (_, i): [string, Position] => [
    `v${i}`,
    { lon: i < 30 ? 150 + i + 0.5 : i - 209.5, lat: 0 },
  ])
  await Promise.all([geo.addMany(places.slice(0, 30)), other.addMany(places.slice(30))])
  expect(await geo.count()).toBe(60)
  const near = await other.nearby({ lon: 180, lat: 0, radius: '300km', unit: 'km' })
  expect(near.map(({ id }) => id).sort()).toEqual(['v27', 'v28', 'v29', 'v30', 'v31', 'v32'])
  expect(near[0]?.distance).toBeCloseTo(55.6, 1)
  expect(await geo.nearby({ lon: 0, lat: 90, radius: '30000km', limit: 1_000 })).toHaveLength(60)
  await Promise.all(places.map(([id], i) => (i % 2 === 0 ? other.add(id, { lon: -i, lat: 89 }) : geo.remove(id))))
  expect(await other.nearby({ lon: 180, lat: 0, radius: '9000km' })).toEqual([])
  expect(await geo.nearby({ lon: 0, lat: 90, radius: '112km' })).toHaveLength(30)
  expect(await other.distance('v0', 'v2', { unit: 'km' })).toBeCloseTo(3.88, 2)
  const keys = await place.keys(`*${place.namespace}:geo:*`)
  expect(new Set(keys.map(hashTag)).size).toBe(split)
  const total = async (command: string, kind: string) => {
    const sizes = keys.filter((key) => key.endsWith(kind)).map((key) => place.command<number>(command, key))
    return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
  }
  expect([await total('HLEN', ':at'), await total('ZCARD', ':cells')]).toEqual([30, 30])
  await geo.clear()
  expect(await place.keys(`*${place.namespace}:geo:*`)).toEqual([])
})

it('lets a place that many move at once be at one of them, and at no other', async () => {
  const all = [hf, await place.connect(), await place.connect()].map((one) => one.geo('venues', { split: 4 }))
  // Few places, so that it comes back to one while it is still cleared away there.
  const moves = Array.from({ length: 90 }, (_, i) => ({ lon: (i % 3) * 40, lat: i % 3 }))
  await Promise.all(moves.map((to, i) => (all[Math.floor(i / 3) % 3] as (typeof all)[0]).add('taxi', to)))
  const [geo] = all as [(typeof all)[0]]
  const found = await geo.nearby({ lon: 0, lat: 0, radius: '20000km' })
  expect(found).toHaveLength(1)
  expect(await geo.get('taxi')).toEqual({ lon: found[0]?.lon, lat: found[0]?.lat })
  expect(await place.keys(`*${place.namespace}:geo:*:cells`)).toHaveLength(1)
})

it('takes any name and id, and keeps them apart', async () => {
  for (const name of ['venues', '']) {
    const geo = hf.geo(name)
    await geo.addMany(NAMES.map((id, i) => ({ id, lon: i, lat: i })))
    await geo.remove('a')
    const found = await geo.getMany(NAMES)
    for (const [i, id] of NAMES.entries()) expect(found.get(id)).toEqual(id === 'a' ? undefined : { lon: i, lat: i })
    expect((await geo.nearby({ lon: 0, lat: 0, radius: '5000km' })).map(({ id }) => id)).toEqual(
      NAMES.filter((id) => id !== 'a'),
    )
  }
})
