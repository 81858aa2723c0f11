import { type Check, expectEqual, timed } from '../stage.ts'

export const queryCache: Check = {
  id: 'query-cache',
  title: 'Query cache',
  promise: 'a function with its answers cached by its arguments, whatever their order in an object',
  async run({ hf, rival, name, step }) {
    const ran: string[] = []
    const query = async (sql: string, params: Readonly<Record<string, unknown>>) => {
      ran.push(sql)
      return [{ sql, found: Object.keys(params).length }]
    }
    const [near, far] = [hf, rival].map((one) =>
      one.cache<readonly object[]>(name, { ttl: '1m', whenDown: 'throw' }).wrap(query),
    )
    if (near === undefined || far === undefined) throw new Error('no cache')
    const rows = [{ sql: 'select 1', found: 2 }]
    expectEqual('the rows', await near('select 1', { a: 1, b: 2 }), rows)
    await step('stored')
    expectEqual('the rows in another process', await far('select 1', { b: 2, a: 1 }), rows)
    await far('select 1', { a: 1, b: 3 })
    expectEqual('the queries that ran', ran, ['select 1', 'select 1'])
    return timed('answered', 10, () => far('select 1', { a: 1, b: 2 }))
  },
}
