import { type Check, expectEqual, timed } from '../stage.ts'

export const cacheAside: Check = {
  id: 'cache-aside',
  title: 'Cache-aside',
  promise:
    'a miss loads once, a hit of any process loads nothing, and what was loaded before an invalidation is not kept',
  async run({ hf, rival, name, step }) {
    let loads = 0
    const load = (id: string) => `${id}, loaded ${++loads} times`
    const [near, far] = [hf, rival].map((one) => one.cache<string>(name, { ttl: '1m', whenDown: 'throw', load }))
    if (near === undefined || far === undefined) throw new Error('no cache')
    expectEqual('the first get', await near.get('42'), '42, loaded 1 times')
    await step('stored')
    expectEqual('a get of another process', await far.get('42'), '42, loaded 1 times')
    const hit = await timed('hit', 30, () => far.get('42'))
    await near.delete('42')
    expectEqual('what is kept after delete()', await far.peek('42'), undefined)
    await near.get('late', async () => {
      await far.delete('late')
      return 'old'
    })
    expectEqual('what is kept of a load that a delete() has overtaken', await far.peek('late'), undefined)
    return hit
  },
}
