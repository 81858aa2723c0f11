import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual, expectTrue } from '../stage.ts'

const NULL_TTL_MS = 60

export const nullCaching: Check = {
  id: 'null-caching',
  title: 'Null caching',
  promise: 'that there is nothing is remembered, for a time of its own',
  async run({ hf, rival, name, step, until }) {
    let loads = 0
    const load = () => {
      loads++
      return null
    }
    const expiry = { nullTtl: NULL_TTL_MS }
    const [near, far] = [hf, rival].map((one) => one.cache(name, { ttl: '1m', whenDown: 'throw', load, expiry }))
    if (near === undefined || far === undefined) throw new Error('no cache')
    const startMs = monotonicMs()
    expectEqual('the first get', await near.get('42'), null)
    await step('stored')
    expectEqual('a get of another process', await far.get('42'), null)
    const isEarly = monotonicMs() - startMs < NULL_TTL_MS
    if (isEarly) expectEqual('how often both have loaded', loads, 1)
    await until('another load, once the null is over', async () => (await far.get('42')) === null && loads > 1)
    const lastedMs = monotonicMs() - startMs
    expectTrue('how long the null lasted', lastedMs >= NULL_TTL_MS - 1, `at least ${NULL_TTL_MS} ms`, lastedMs)
    return { name: `a null of ${NULL_TTL_MS} ms lasted`, value: lastedMs, unit: 'ms' }
  },
}
