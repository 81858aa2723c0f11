import { monotonicMs } from '../../base/clock.ts'
import { type Check, expectEqual } from '../stage.ts'

/** Of the one who comes too late. */
const NO_WAIT = { wait: 0 } as const

export const handOver: Check = {
  id: 'hand-over',
  title: 'Waiters woken in order',
  promise: 'a release gives the lock to who waits the longest, and a message wakes him in whatever process he is',
  async run({ hf, rival, name, step, until }) {
    const holder = await hf.lock(name).acquire()
    const order: string[] = []
    const times: number[] = []
    let releasedMs = 0
    const wait = async (one: typeof hf, who: string) => {
      const held = await one.lock(name).acquire({ wait: '2s' })
      times.push(monotonicMs() - releasedMs)
      order.push(who)
      releasedMs = monotonicMs()
      await held.release()
    }
    const waiting: Promise<void>[] = []
    for (const [one, who] of [
      [rival, 'first'],
      [hf, 'second'],
      [rival, 'third'],
    ] as const) {
      waiting.push(wait(one, who))
      await until('a waiter in line', async () => (await hf.lock(name).inspect()).waiting >= waiting.length)
    }
    const all = Promise.all(waiting)
    // Told below; meanwhile it must not pass for one that nobody handles.
    all.catch(() => {})
    await step('waiting')
    const { waiting: inLine } = await hf.lock(name).inspect()
    expectEqual('how many wait in line', inLine, 3)
    releasedMs = monotonicMs()
    await holder.release()
    expectEqual('what one who has not waited gets', await rival.lock(name, NO_WAIT).tryAcquire(), undefined)
    await all
    expectEqual('the order in which they had it', order, ['first', 'second', 'third'])
    return { name: 'handed over in', value: times.sort((a, b) => a - b)[1] as number, unit: 'ms' }
  },
}
