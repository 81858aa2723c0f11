import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual, expectTrue } from '../stage.ts'

export const memoryTier: Check = {
  id: 'memory-tier',
  title: 'Cache in memory, kept fresh',
  promise: 'hits ask no server, and what another process writes is seen within the bound',
  async run({ hf, rival, name, step, until }) {
    const near = hf.cache<string>(name, { ttl: '1m', whenDown: 'throw', memory: {} })
    const far = rival.cache<string>(name, { ttl: '1m', whenDown: 'throw' })
    await far.set('42', 'old')
    // Not at once: it is off while the stream of changes begins, or is in doubt.
    const inMemory = async () => {
      const before = near.stats.hits.memory
      for (let i = 0; i < 100; i++) expectEqual('a get before anything changed', await near.get('42'), 'old')
      return near.stats.hits.memory - before === 100
    }
    await until('100 gets of which none asked the server', inMemory, () => near.stats)
    await far.set('42', 'new')
    const startMs = monotonicMs()
    await step('written')
    let seen: unknown
    await until(
      'what another process wrote',
      async () => {
        seen = await near.get('42')
        expectTrue('a get meanwhile', seen === 'old' || seen === 'new', "'old' or 'new'", seen)
        return seen === 'new'
      },
      () => seen,
    )
    return { name: 'seen after', value: monotonicMs() - startMs, unit: 'ms' }
  },
}
