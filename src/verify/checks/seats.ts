import { type Check, expectEqual, timed, upTo } from '../stage.ts'

export const seats: Check = {
  id: 'seats',
  title: 'Seats',
  promise: 'no seat is held or sold twice, a hold is all or nothing, and all that is kept of the event agrees',
  async run({ hf, rival, name, step, after }) {
    const [near, far] = [hf.seats(name), rival.seats(name)]
    after(() => Promise.all([near.close(), far.close()]))
    const section = { name: 'A', rows: 2, seatsPerRow: 10, price: 4_999 }
    await near.create({ currency: 'EUR', sections: [section] })
    const holds = await Promise.all(
      upTo(40).map((i) =>
        (i % 2 === 0 ? near : far).hold({ customer: `c${i}`, seats: [`A-1-${(i % 10) + 1}`], for: '1m' }),
      ),
    )
    const held = holds.filter(({ status }) => status === 'held')
    expectEqual('how many of 40 racing callers got one of 10 seats', held.length, 10)
    const both = await far.hold({ customer: 'ann', seats: ['A-1-1', 'A-2-1'], for: '1m' })
    expectEqual('a hold of two of which one is taken', both.status, 'taken')
    for (const hold of held.slice(0, 4)) await far.confirm(hold.id)
    await near.release(held[9]?.id as string)
    await step('sold')
    const { free, held: stillHeld, sold } = await far.counts()
    expectEqual('the counts', { free, held: stillHeld, sold }, { free: 11, held: 5, sold: 4 })
    const { ok, problems } = await far.verify()
    expectEqual('what is wrong with the event', ok ? [] : problems, [])
    return timed('held and given back', 10, async (turn) => {
      const seats = [`A-2-${turn + 1}`]
      await near.release((await far.hold({ customer: 'bob', seats, for: '1m' })).id)
    })
  },
}
