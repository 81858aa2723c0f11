import { type Check, expectEqual, timed, upTo } from '../stage.ts'

export const eventLog: Check = {
  id: 'event-log',
  title: 'Event log',
  promise: 'an append stands once, in order, and every group gets every entry',
  async run({ hf, rival, name, step, until, heard, after }) {
    const [near, far] = [hf.log<number>(name), rival.log<number>(name)]
    await near.appendMany(upTo(10), { id: (n) => `entry ${n}` })
    const again = await far.append(0, { id: 'entry 0' })
    await step('appended')
    const entries = await far.read()
    expectEqual(
      'the entries',
      entries.map(({ data }) => data),
      upTo(10),
    )
    expectEqual('the id of one that was appended twice', again, entries[0]?.id)
    const got = { mail: [] as number[], ledger: [] as number[] }
    const workers = [
      far.group('mail').process(({ data }) => void got.mail.push(data), { onError: heard }),
      near.group('ledger').process(({ data }) => void got.ledger.push(data), { onError: heard }),
    ]
    after(() => Promise.all(workers.map((worker) => worker.close())))
    const isDone = () => got.mail.length >= 10 && got.ledger.length >= 10
    await until('every entry for both groups', isDone, () => got)
    expectEqual('what the groups got', got, { mail: upTo(10), ledger: upTo(10) })
    await Promise.all(workers.map((worker) => worker.close()))
    return timed('append', 10, (turn) => near.append(turn))
  },
}
