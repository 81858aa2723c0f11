import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual, upTo } from '../stage.ts'

export const stampede: Check = {
  id: 'stampede',
  title: 'Stampede',
  promise: 'of all callers of all processes who miss at once, one loads, and all get what it brings',
  async run({ hf, rival, name, step }) {
    let loads = 0
    const load = async () => {
      loads++
      await step('loading')
      return `load ${loads}`
    }
    const both = [hf, rival].map((one) =>
      one.cache<string>(name, { ttl: '1m', whenDown: 'throw', stampede: 'fleet', load }),
    )
    const startMs = monotonicMs()
    const answers = await Promise.all(upTo(50).flatMap(() => both.map((one) => one.get('42'))))
    const tookMs = monotonicMs() - startMs
    expectEqual('how often 100 callers of two processes have loaded', loads, 1)
    expectEqual('what they got', [...new Set(answers)], ['load 1'])
    return { name: '100 callers answered in', value: tookMs, unit: 'ms' }
  },
}
