import { afterEach, describe, expect, it, vi } from 'vitest'
import { moveShards, planShards } from '../../src/ops/shards/index.ts'
import { move, ShardGroup } from './shards.fixture.ts'

const groups: ShardGroup[] = []
const start = async (names: string): Promise<ShardGroup> => {
  const group = await ShardGroup.start(names)
  groups.push(group)
  return group
}
afterEach(async () => {
  await Promise.all(groups.splice(0).map((group) => group.stop()))
})

describe('a move is refused', () => {
  it('to the second of two movers', async () => {
    const group = await start('ab')
    const cache = (await group.connect('a')).cache<string>('it', { ttl: '10m' })
    await Promise.all(Array.from({ length: 200 }, (_, i) => cache.set(`k${i}`, 'v')))
    const [one, other] = await Promise.allSettled([move(group, 'a', 'ab'), move(group, 'a', 'ab')])
    expect([one.status, other.status].sort()).toEqual(['fulfilled', 'rejected'])
    const { reason } = (one.status === 'rejected' ? one : other) as PromiseRejectedResult
    expect(reason).toMatchObject({ code: 'CHANGE_REFUSED', reason: 'busy', retryable: true })
    expect(await group.layoutOn('b')).toMatchObject({ phase: 'stable', version: 5 })
  })

  it('when a shard that goes is dead, unless its keys are given up', async () => {
    const group = await start('ab')
    const hf = await group.connect('ab', { timeout: 500 })
    const cache = hf.cache<string>('it', { ttl: '10m', whenDown: 'throw' })
    const [kept, lost] = [group.idOf('a', 'ab'), group.idOf('b', 'ab')]
    await cache.set(kept, 'kept')
    await cache.set(lost, 'lost')
    await group.at('b').kill()
    expect(await planShards({ url: group.url('ab'), to: group.url('a'), namespace: group.namespace })).toMatchObject({
      unreachable: ['b'],
    })
    await expect(move(group, 'ab', 'a')).rejects.toMatchObject({ reason: 'unreachable', shards: ['b'] })
    expect(await group.layoutOn('a')).toMatchObject({ phase: 'stable', version: 1 })
    expect(await move(group, 'ab', 'a', { force: true })).toMatchObject({ status: 'moved', lost: ['b'] })
    await vi.waitFor(async () => expect(await cache.get(lost)).toBeUndefined(), { timeout: 3_000 })
    expect(await cache.get(kept)).toBe('kept')
    // Come back with what it had, it is not taken up again unseen.
    await group.at('b').restart()
    const key = group.cacheKey(lost)
    await group.at('b').command('SET', key, 'from long ago')
    await expect(move(group, 'a', 'ab')).rejects.toMatchObject({ reason: 'occupied', shards: ['b'] })
    await cache.set(lost, 'new')
    expect(await move(group, 'a', 'ab', { force: true })).toMatchObject({ removed: 1 })
    expect(await cache.get(lost)).toBe('new')
  })

  it('when keys lie where nobody looks, and would be found there', async () => {
    const group = await start('ab')
    const cache = (await group.connect('ab')).cache<string>('it', { ttl: '10m' })
    const id = group.idOf('b', 'ab')
    await cache.set(id, 'right')
    await group.at('a').command('SET', group.cacheKey(id), 'stray')
    await expect(move(group, 'ab', 'a')).rejects.toMatchObject({ reason: 'strays', shards: ['a'] })
    expect(await move(group, 'ab', 'a', { force: true })).toMatchObject({ removed: 1 })
    expect(await cache.get(id)).toBe('right')
  })

  it('for an address that is none of shards, by name of the option', async () => {
    const group = await start('a')
    const request = { url: group.url('a'), namespace: group.namespace }
    await expect(moveShards({ ...request, to: 'redis://127.0.0.1' })).rejects.toMatchObject({ option: 'to' })
    await expect(planShards({ ...request, url: 'redis://127.0.0.1', to: request.url })).rejects.toMatchObject({
      option: 'url',
    })
  })
})
