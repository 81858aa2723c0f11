import { type Check, expectEqual, timed, upTo } from '../stage.ts'

const WINDOW = { window: '10m' } as const

export const analytics: Check = {
  id: 'analytics',
  title: 'Analytics',
  promise: 'what all processes count is added up once: hits with their top items and visitors, events with their sums',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf.analytics(name), rival.analytics(name)]
    for (const n of upTo(12)) {
      const one = n % 2 === 0 ? near : far
      void one.hit('page', n < 8 ? '/bay' : '/hills', { visitor: `visitor ${n % 4}` })
      void one.track('booked', { amount: n })
    }
    await Promise.all([near.flush(), far.flush()])
    await step('counted')
    expectEqual('the hits', await near.hits('page', WINDOW), 12)
    const top = (await near.top('page', 2, WINDOW)).map(({ item, count }) => [item, count])
    expectEqual('the top pages', top, [
      ['/bay', 8],
      ['/hills', 4],
    ])
    expectEqual('the visitors', await far.unique('page', WINDOW), 4)
    expectEqual('the events', await far.count('booked', WINDOW), 12)
    expectEqual('their sum', await far.sum('booked', 'amount', WINDOW), 66)
    expectEqual('the newest ones', (await near.recent('booked', 5)).length, 5)
    return timed('read', 5, () => near.top('page', 2, WINDOW))
  },
}
