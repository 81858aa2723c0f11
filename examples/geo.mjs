/** Places: what is near, the nearest first, with exact positions, from pole to pole and across the antimeridian. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('geo')
const hf = await connect(url, { namespace })
const venues = hf.geo('venues')

await venues.addMany([
  { id: 'Royal Albert Hall', lon: -0.1774, lat: 51.5009 },
  { id: 'Wigmore Hall', lon: -0.1481, lat: 51.5166 },
  { id: 'Barbican', lon: -0.0937, lat: 51.5202 },
  { id: 'Elbphilharmonie', lon: 9.9842, lat: 53.5413 },
  { id: 'Suva Civic Centre', lon: 178.4237, lat: -18.1405 },
  { id: 'Apia Park', lon: -171.7579, lat: -13.8375 },
  { id: 'Amundsen-Scott Station', lon: 0, lat: -90 },
])

const near = await venues.nearby({ lon: -0.1276, lat: 51.5072, radius: '5km', unit: 'km' })
assert.deepEqual(
  near.map(({ id }) => id),
  ['Wigmore Hall', 'Barbican', 'Royal Albert Hall'],
)
console.log('within 5 km of Charing Cross:', near.map(({ id, distance }) => `${id} ${distance.toFixed(1)}`).join(', '))

assert.deepEqual(await venues.get('Barbican'), { lon: -0.0937, lat: 51.5202 })
console.log('positions come back as they were given')

// What a map shows that spans the antimeridian: west is above east.
const pacific = await venues.nearby({ box: { west: 170, south: -50, east: -170, north: 0 }, order: 'any' })
assert.deepEqual(pacific.map(({ id }) => id).sort(), ['Apia Park', 'Suva Civic Centre'])
console.log(`a map of the Pacific, across the antimeridian: ${pacific.length} venues`)

// GEOADD refuses anything beyond 85 degrees.
const [pole] = await venues.nearby({ lon: 100, lat: -89.9, radius: '20km' })
assert.equal(pole.id, 'Amundsen-Scott Station')
console.log(`near the south pole: ${pole.id}, ${Math.round(pole.distance / 1_000)} km`)

// One that moves is never at two places, nor at none.
await venues.add('Tour bus', { lon: -0.12, lat: 51.5 })
await venues.add('Tour bus', { lon: 9.99, lat: 53.55 })
const [bus] = await venues.nearby({ lon: 9.9842, lat: 53.5413, radius: '2km', order: 'far' })
assert.equal(bus.id, 'Tour bus')
console.log(
  `the bus has moved: ${Math.round(await venues.distance('Tour bus', 'Elbphilharmonie'))} m from the Elbphilharmonie`,
)

await hf.close()
await stop()
