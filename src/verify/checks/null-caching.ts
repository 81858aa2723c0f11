import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual, expectTrue } from '../stage.ts'

const SHORT_MS = 40

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
    const open = (one: typeof hf, part: string, nullTtl: number) =>
      one.cache(`${name}${part}`, { ttl: '1m', whenDown: 'throw', load, expiry: { nullTtl } })
    expectEqual('the first get', await open(hf, '', 30_000).get('42'), null)
    await step('stored')
    expectEqual('a get of another process', await open(rival, '', 30_000).get('42'), null)
    expectEqual('how often both have loaded', loads, 1)
    const short = open(hf, ' short', SHORT_MS)
    await short.get('42')
    const startMs = monotonicMs()
    await until('another load, once the null is over', async () => (await short.get('42')) === null && loads > 2)
    const lastedMs = monotonicMs() - startMs
    // It was stored before its get had ended.
    expectTrue('how long a null lasted', lastedMs > SHORT_MS / 2, `about ${SHORT_MS} ms`, lastedMs)
    return { name: `a null of ${SHORT_MS} ms lasted`, value: lastedMs, unit: 'ms' }
  },
}
