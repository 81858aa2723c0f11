import { type Check, expectEqual, timed, upTo } from '../stage.ts'

export const optimistic: Check = {
  id: 'optimistic-lock',
  title: 'Optimistic locking',
  promise:
    'an update is applied to the very value that it was made from, or made again; none is lost, and each is in the log',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf.value<number, number>(name), rival.value<number, number>(name)]
    await near.set(100)
    let tries = 0
    const left = await near.update(async (stock) => {
      if (++tries === 1) await far.update((now) => (now ?? 0) - 1)
      return (stock ?? 0) - 1
    })
    expectEqual('the tries of an update that was overtaken', tries, 2)
    expectEqual('the value after both', left, 98)
    const sell = (one: typeof near) =>
      one.update((stock) => (stock ?? 0) - 1, { retries: 1_000, log: (before, after) => (before ?? 0) - after })
    await Promise.all(upTo(20).map((i) => sell(i % 2 === 0 ? near : far)))
    await step('sold')
    expectEqual('the value after 20 racing updates more', await far.get(), 78)
    expectEqual('their entries in the log', (await far.log()).length, 20)
    return timed('update', 20, () => sell(near))
  },
}
