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
    const inMemory = async () => {
      expectEqual('a get before anything changed', await near.get('42'), 'old')
      return near.stats.hits.memory > 0
    }
    await until('a hit in memory', inMemory, () => near.stats)
    const { redis, memory } = near.stats.hits
    for (let i = 0; i < 100; i++) await near.get('42')
    const more = { redis: near.stats.hits.redis - redis, memory: near.stats.hits.memory - memory }
    expectEqual('who answered 100 gets more', more, { redis: 0, memory: 100 })
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
