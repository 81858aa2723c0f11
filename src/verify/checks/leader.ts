import { monotonicMs } from '../../base/clock.ts'
import type { Holdfast } from '../../holdfast.ts'
import { type Check, expectEqual, expectTrue } from '../stage.ts'

export const leader: Check = {
  id: 'leader',
  title: 'Leader election',
  promise: 'one leader among all processes; when it steps down the next one is elected, with a higher fence',
  async run({ hf, rival, name, step, until, heard, after }) {
    const elected: { who: string; fence: bigint }[] = []
    const stand = (one: Holdfast, who: string) => {
      const standing = one.leader(name, {
        onElected: ({ fence }) => void elected.push({ who, fence }),
        onError: heard,
        owner: who,
      })
      after(() => standing.close())
      return standing
    }
    const first = stand(hf, 'the first')
    await until('a leader elected', () => elected.length > 0)
    const second = stand(rival, 'the second')
    await until('the other in line', async () => (await second.inspect()).waiting === 1)
    await step('elected')
    const { holders } = await second.inspect()
    expectEqual(
      'who leads',
      holders.map(({ owner }) => owner),
      ['the first'],
    )
    expectEqual('how many have been elected', elected.length, 1)
    const startMs = monotonicMs()
    await first.close()
    await until('the other elected', () => elected.length > 1)
    const tookMs = monotonicMs() - startMs
    const [before, now] = elected as [(typeof elected)[0], (typeof elected)[0]]
    expectEqual('who leads after it', now.who, 'the second')
    expectTrue('its fence', now.fence > before.fence, `above ${before.fence}`, now.fence)
    await second.close()
    return { name: 'the next elected in', value: tookMs, unit: 'ms' }
  },
}
