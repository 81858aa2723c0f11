import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual, upTo } from '../stage.ts'

const ROWS = 500

export const batchPublishing: Check = {
  id: 'batch-publishing',
  title: 'Publishing the rows of a batch',
  promise: 'all rows are written, or told with a reason',
  async run({ hf, rival, name, step }) {
    const rows = upTo(ROWS).map((n) => [`row:${n}`, n] as const)
    const startMs = monotonicMs()
    const { written, failed } = await hf.cache<number>(name, { ttl: '1m', whenDown: 'throw' }).warm(rows)
    const tookMs = monotonicMs() - startMs
    expectEqual('what became of the rows', { written, failed }, { written: ROWS, failed: 0 })
    await step('published')
    const read = await rival.cache<number>(name, { ttl: '1m', whenDown: 'throw' }).getMany(rows.map(([id]) => id))
    expectEqual('rows that another process misses', rows.filter(([id, n]) => read.get(id) !== n).length, 0)
    return { name: `${ROWS} rows in`, value: tookMs, unit: 'ms' }
  },
}
