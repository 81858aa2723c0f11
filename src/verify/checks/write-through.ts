import { type Check, codeOf, expectEqual, timed } from '../stage.ts'

export const writeThrough: Check = {
  id: 'write-through',
  title: 'Write-through cache',
  promise: 'set() persists first and then caches, for all processes; what could not be persisted is not cached',
  async run({ hf, rival, name, step }) {
    const rows = new Map<string, number>()
    const persist = (id: string, value: number) => {
      if (value < 0) throw new Error('the system of record says no')
      rows.set(id, value)
    }
    const write = { mode: 'through', persist, retry: { attempts: 1 } } as const
    const near = hf.cache<number>(name, { ttl: '1m', whenDown: 'throw', write })
    const far = rival.cache<number>(name, { ttl: '1m', whenDown: 'throw' })
    await near.set('42', 1)
    expectEqual('what is persisted', rows.get('42'), 1)
    await step('written')
    expectEqual('what another process reads', await far.peek('42'), 1)
    expectEqual('a set() that cannot be persisted', await codeOf(near.set('43', -1)), 'the system of record says no')
    expectEqual('what is cached of it', await far.peek('43'), undefined)
    return timed('write', 10, (turn) => near.set('42', turn))
  },
}
