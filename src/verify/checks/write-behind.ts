import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual } from '../stage.ts'

export const writeBehind: Check = {
  id: 'write-behind',
  title: 'Write-behind cache',
  promise: 'what was written is on record at once, seen by all, and persisted once as it is last',
  async run({ hf, rival, name, step }) {
    const rows: [string, number | undefined][] = []
    const open = (one: typeof hf) =>
      one.cache<number>(name, {
        ...{ ttl: '1m', whenDown: 'throw' },
        write: {
          mode: 'behind',
          persist: (entries) => void rows.push(...entries.map(({ id, value }) => [id, value] as [string, number])),
          // Not by itself while the check lasts.
          batch: { delay: '30s' },
        },
      })
    const [near, far] = [open(hf), open(rival)]
    const startMs = monotonicMs()
    for (const value of [1, 2, 3]) await near.set('42', value)
    const tookMs = (monotonicMs() - startMs) / 3
    await step('written')
    expectEqual('what another process reads', await far.peek('42'), 3)
    const { dirty } = await far.writeLag()
    expectEqual('how many ids are to be persisted', dirty, 1)
    await far.flush()
    expectEqual('what was persisted', rows, [['42', 3]])
    return { name: 'write', value: tookMs, unit: 'ms' }
  },
}
