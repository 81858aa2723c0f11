import { monotonicMs } from '../../base/clock.ts'
import { type Check, codeOf, expectEqual, upTo } from '../stage.ts'

export const breaker: Check = {
  id: 'breaker',
  title: 'Circuit breaker',
  promise: 'what fails for one process is called by none, until one trial in the whole fleet has worked',
  async run({ hf, rival, name, step, until }) {
    const options = { failures: 3, cooldown: 80, shared: true } as const
    const [near, far] = [hf.breaker(name, options), rival.breaker(name, options)]
    const fail = () => Promise.reject(new Error('down'))
    for (const _ of upTo(3)) expectEqual('a call that fails', await codeOf(near.run(fail)), 'down')
    const startMs = monotonicMs()
    await step('opened')
    expectEqual('the state in the fleet', await far.state(), 'open')
    let called = 0
    const call = async () => ++called
    const refused = await codeOf(far.run(call))
    // On a machine that stood still for that long its time is over.
    if (monotonicMs() - startMs < options.cooldown) expectEqual('a call of another process', refused, 'BREAKER_OPEN')
    await until('a trial', async () => typeof (await far.run(call, { fallback: () => 'refused' })) === 'number')
    expectEqual('the state after a trial that worked', await near.state(), 'closed')
    return { name: `open, with a cooldown of ${options.cooldown} ms, for`, value: monotonicMs() - startMs, unit: 'ms' }
  },
}
