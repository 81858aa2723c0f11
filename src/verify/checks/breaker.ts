import { monotonicMs } from '../../base/clock.ts'
import type { Holdfast } from '../../holdfast.ts'
import { type Check, codeOf, expectEqual, upTo } from '../stage.ts'

const FAILURES = 3
const SHORT_MS = 50

export const breaker: Check = {
  id: 'breaker',
  title: 'Circuit breaker',
  promise: 'what fails for one process is called by none, until one trial in the whole fleet has worked',
  async run({ hf, rival, name, step, until }) {
    const open = (one: Holdfast, part: string, cooldown: number) =>
      one.breaker(`${name}${part}`, { failures: FAILURES, cooldown, shared: { timeout: '5s' } })
    const fail = () => Promise.reject(new Error('down'))
    let called = 0
    const call = async () => ++called
    const [near, far] = [open(hf, '', 30_000), open(rival, '', 30_000)]
    for (const _ of upTo(FAILURES)) expectEqual('a call that fails', await codeOf(near.run(fail)), 'down')
    await step('opened')
    expectEqual('the state in the fleet', await far.state(), 'open')
    expectEqual('a call of another process', await codeOf(far.run(call)), 'BREAKER_OPEN')
    expectEqual('how often it was called', called, 0)
    const [first, second] = [open(hf, ' short', SHORT_MS), open(rival, ' short', SHORT_MS)]
    for (const _ of upTo(FAILURES)) await codeOf(first.run(fail))
    const startMs = monotonicMs()
    await until('a trial, once the cooldown is over', async () => {
      await second.run(call, { fallback: () => 0 })
      return called > 0
    })
    const openMs = monotonicMs() - startMs
    expectEqual('the state after a trial that worked', await first.state(), 'closed')
    return { name: `open, with a cooldown of ${SHORT_MS} ms, for`, value: openMs, unit: 'ms' }
  },
}
