import { Holdfast } from '../../holdfast.ts'
import { type Check, expectEqual, expectTrue, timed } from '../stage.ts'

export const pool: Check = {
  id: 'pool',
  title: 'Connection pool',
  promise:
    'a connection of one’s own carries WATCH, MULTI and EXEC; nobody else uses it meanwhile, and the next one gets it',
  async run({ hf, rival, name, step }) {
    const key = Holdfast.redisOf(hf).keyspace.entity('verify', name) as string
    const at = { key }
    const set = (value: string) => rival.pool.use((own) => own.call('SET', key, value, 'PX', 60_000), at)
    /** What EXEC answers to a write that was decided by what was read. */
    const write = (between: () => Promise<unknown>) =>
      hf.pool.use(async (own) => {
        await own.call('WATCH', key)
        const read = await own.call('GET', key)
        await between()
        await own.call('MULTI')
        // While this one is in a transaction, another must not be.
        const other = await hf.pool.use((second) => second.call('GET', key), at)
        await own.call('SET', key, `${read}+`)
        return { written: (await own.call('EXEC')) !== null, other }
      }, at)
    await set('a')
    const alone = await write(() => step('watched'))
    expectEqual('EXEC of what nobody else has changed', alone, { written: true, other: 'a' })
    const raced = await write(() => set('b'))
    expectEqual('EXEC of what another has changed since WATCH', raced, { written: false, other: 'b' })
    const { opened, inUse } = hf.pool.stats
    const used = await timed('lent and given back', 20, () => hf.pool.use((own) => own.call('GET', key), at))
    expectEqual('connections in use afterwards', inUse, 0)
    expectTrue('connections opened for 20 more uses', hf.pool.stats.opened === opened, 'none', hf.pool.stats.opened)
    return used
  },
}
