import { type Check, expectEqual, timed } from '../stage.ts'

export const invalidateTag: Check = {
  id: 'invalidate-tag',
  title: 'Invalidation by tag',
  promise: 'every value with the tag is gone for all processes once it is acknowledged, and no other is',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf, rival].map((one) => one.cache<string>(name, { ttl: '1m', whenDown: 'throw' }))
    if (near === undefined || far === undefined) throw new Error('no cache')
    await near.set('ann', 'a', { tags: ['team:7', 'all'] })
    await near.set('bob', 'b', { tags: ['team:7'] })
    await near.set('cid', 'c', { tags: ['team:8'] })
    await step('cached')
    await far.invalidateTag('team:7')
    await step('invalidated')
    const ids = ['ann', 'bob', 'cid']
    expectEqual('what is left', [...(await near.getMany(ids)).values()], [undefined, undefined, 'c'])
    return timed('invalidation', 10, () => far.invalidateTag('team:7'))
  },
}

export const invalidatePattern: Check = {
  id: 'invalidate-pattern',
  title: 'Invalidation by pattern',
  promise: 'every value whose id matches is gone from every server, and no other is',
  async run({ hf, rival, name, step }) {
    const [near, far] = [hf, rival].map((one) => one.cache<string>(name, { ttl: '1m', whenDown: 'throw' }))
    if (near === undefined || far === undefined) throw new Error('no cache')
    const ids = ['user:1', 'user:2', 'user:30', 'users', 'team:1']
    await Promise.all(ids.map((id) => near.set(id, id)))
    await step('cached')
    const swept = await timed('sweep of the whole keyspace', 1, async () => {
      expectEqual('how many were removed', await far.invalidatePattern('user:*'), 3)
    })
    await step('invalidated')
    const left = [...(await near.getMany(ids)).values()]
    expectEqual('what is left', left, [undefined, undefined, undefined, 'users', 'team:1'])
    return swept
  },
}
