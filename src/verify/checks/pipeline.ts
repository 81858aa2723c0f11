import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual, expectTrue, upTo } from '../stage.ts'

const CALLS = 50
const ROUNDS = 3

export const pipeline: Check = {
  id: 'pipeline',
  title: 'Pipeline optimisation',
  promise:
    'calls made at once share the way to the server: all are answered rightly, and sooner than one after another',
  async run({ hf, rival, name, step }) {
    const cache = hf.cache<number>(name, { ttl: '1m', whenDown: 'throw' })
    const ids = upTo(CALLS).map(String)
    await Promise.all(ids.map((id) => cache.set(id, Number(id))))
    await step('written')
    const far = rival.cache<number>(name, { ttl: '1m', whenDown: 'throw' })
    const gains: number[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const startMs = monotonicMs()
      const one: unknown[] = []
      for (const id of ids) one.push(await far.peek(id))
      const halfMs = monotonicMs()
      const all = await Promise.all(ids.map((id) => far.peek(id)))
      gains.push((halfMs - startMs) / (monotonicMs() - halfMs))
      expectEqual(`${CALLS} reads one after another`, one, upTo(CALLS))
      expectEqual(`${CALLS} reads at once`, all, upTo(CALLS))
    }
    const gain = gains.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number
    expectTrue(`how much sooner ${CALLS} calls at once are answered`, gain > 1, 'more than 1 ×', gain)
    return { name: `${CALLS} calls at once, sooner by`, value: gain, unit: '×' }
  },
}
