import { type Check, expectEqual, expectTrue, timed } from '../stage.ts'

export const geo: Check = {
  id: 'geo',
  title: 'Places',
  promise:
    'the places within a radius, the nearest first, across the antimeridian too, at the positions that were given',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf.geo(name), rival.geo(name)]
    const hall = { lon: 4.8952, lat: 52.3702 }
    await near.addMany([
      ['hall', hall],
      ['arena', { lon: 4.9414, lat: 52.3143 }],
      ['opera', { lon: 2.3316, lat: 48.8719 }],
      ['taveuni', { lon: 179.99, lat: -16.85 }],
      ['rabi', { lon: -179.99, lat: -16.5 }],
    ])
    await step('placed')
    const ids = async (lon: number, lat: number, radius: '20km' | '60km') =>
      (await far.nearby({ lon, lat, radius })).map(({ id }) => id)
    expectEqual('the places around the hall', await ids(4.89, 52.37, '20km'), ['hall', 'arena'])
    expectEqual('the places around the antimeridian', await ids(-179.995, -16.52, '60km'), ['rabi', 'taveuni'])
    expectEqual('where the hall is', await far.get('hall'), hall)
    const km = await far.distance('hall', 'opera', { unit: 'km' })
    expectTrue('from the hall to the opera', Math.abs((km ?? 0) - 428) < 3, 'about 428 km', km)
    return timed('search', 10, () => far.nearby({ lon: 4.89, lat: 52.37, radius: '20km' }))
  },
}
