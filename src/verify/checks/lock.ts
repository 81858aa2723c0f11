import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { type Check, expectEqual, expectTrue, timed, upTo } from '../stage.ts'

export const lock: Check = {
  id: 'lock',
  title: 'Distributed lock',
  promise: 'one holder at a time among all processes, each with a higher fence than the one before',
  async run({ hf, rival, name, step }) {
    const held = await hf.lock(name).acquire()
    await step('held')
    const second = await rival.lock(name).tryAcquire()
    expectEqual('what a second caller gets while it is held', second === undefined ? 'nothing' : 'the lock', 'nothing')
    expectEqual('release()', await held.release(), 'released')
    const fences: bigint[] = []
    let inside = 0
    let most = 0
    const work = async ({ fence }: { readonly fence: bigint }) => {
      most = Math.max(most, ++inside)
      fences.push(fence)
      await turnOfLoop()
      inside--
    }
    await Promise.all(upTo(16).map((i) => (i % 2 === 0 ? hf : rival).lock(name).run(work)))
    expectEqual('how many of 16 racing callers were inside at once', most, 1)
    const isRising = fences.every((fence, i) => fence > (fences[i - 1] ?? held.fence))
    expectTrue('the fences of 16 holders', isRising, 'each higher than the one before', fences)
    return timed('taken and released', 20, async () => (await hf.lock(name).acquire()).release())
  },
}
