import { monotonicMs } from '../../base/clock.ts'
import { Holdfast } from '../../holdfast.ts'
import { type Check, expectEqual } from '../stage.ts'

const LEASE_MS = 100

export const takeover: Check = {
  id: 'takeover',
  title: 'A consumer that vanishes',
  promise: 'its job is given to another once its lease is over, and what it says later is not heard',
  async run({ hf, name, open, step, until }) {
    const ghost = await open()
    const near = hf.queue<string>(name, { lease: '5s' })
    await near.add('its job')
    const takenMs = monotonicMs()
    const lost = await ghost.queue<string>(name, { lease: LEASE_MS }).take()
    expectEqual('the job of the one who vanishes', [lost?.data, lost?.attempt], ['its job', 1])
    let job = await near.take()
    // On a machine that stood still for so long its lease is over already.
    if (monotonicMs() - takenMs < LEASE_MS) expectEqual('what another gets meanwhile', job, undefined)
    // Its sockets end without a word, as those of a process that is killed.
    void Holdfast.redisOf(ghost).close()
    const startMs = monotonicMs()
    await step('vanished')
    await until('the job for another', async () => {
      job ??= await near.take()
      return job !== undefined
    })
    const tookMs = monotonicMs() - startMs
    expectEqual('what another gets', [job?.data, job?.attempt], ['its job', 2])
    await job?.complete()
    expectEqual('what is left', (await near.counts()).waiting, 0)
    return { name: `taken over, with a lease of ${LEASE_MS} ms, in`, value: tookMs, unit: 'ms' }
  },
}
