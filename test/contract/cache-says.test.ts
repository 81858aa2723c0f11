// What a loader says of the value that it brings, and what it is told of the one that was there.
import type { Cache, CacheOptions, LoadContext } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['it'] })
const stampedes = ['process', 'fleet'] as const
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`

async function make<T = unknown>(options: Partial<CacheOptions<T>> = {}): Promise<Cache<T>> {
  return (await place.connect()).cache<T>('it', { ttl: '1m', ...options })
}

/** Stale from the next millisecond on, and to be served for a minute. */
const STALE = { ttl: 1, expiry: { stale: '1m' } } as const
const turnsStale = () => new Promise((resolve) => setTimeout(resolve, 4))

describe('what a loader says', () => {
  it('of the ttl counts, for null too, alone or for one of many', async () => {
    const cache = await make({ ttl: '1h' })
    await cache.get('k', (_, { setTtl }) => {
      setTtl('5s')
      return 1
    })
    await cache.get('null', (_, { setTtl }) => {
      setTtl('10m')
      return null
    })
    await cache.getMany(['a', 'b'], (ids, { setTtl }) => {
      setTtl('a', '7s')
      return ids.map(() => 1)
    })
    const lives = await Promise.all(['k', 'null', 'a', 'b'].map((id) => place.command<number>('PTTL', entryKey(id))))
    expect(lives.map((ms) => Math.ceil(ms / 1_000))).toEqual([5, 600, 7, 3_600])
    await expect(cache.get('wrong', (_, { setTtl }) => setTtl('soon' as never))).rejects.toMatchObject({
      option: 'ttl',
    })
  })

  it.each(stampedes)(
    'of tags ends it with them, also what was loaded before, with one loader per %s',
    async (stampede) => {
      const [a, b] = [await make<string>({ stampede }), await make<string>({ stampede })]
      const load = (_: string, { setTags }: LoadContext) => {
        setTags(['t'])
        return 'v'
      }
      expect(await a.get('k', load)).toBe('v')
      expect(await b.peek('k')).toBe('v')
      await b.invalidateTag('t')
      expect(await a.peek('k')).toBeUndefined()
      const slow = gate<string>()
      const got = a.get('k', async (_, { setTags }) => {
        const value = await slow.load()
        setTags(['t'])
        return value
      })
      await slow.began
      await b.invalidateTag('t')
      slow.answer('old')
      expect(await got).toBe('old')
      expect(await b.peek('k')).toBeUndefined()
      await a.getMany(['x', 'y'], (ids, { setTags }) => {
        setTags('x', ['t'])
        return ids.map(() => 'v')
      })
      await b.invalidateTag('t')
      expect([...(await b.getMany(['x', 'y'])).values()]).toEqual([undefined, 'v'])
    },
  )

  it('of tags, where nothing had let it be expected, is never served too long: the first value is not kept', async () => {
    const cache = await make<string>()
    const tell = (context: LoadContext) => context[['set', 'Tags'].join('') as 'setTags'](['t'])
    const load = (_: string, context: LoadContext) => {
      tell(context)
      return 'v'
    }
    expect(await cache.get('k', load)).toBe('v')
    expect(await cache.peek('k')).toBeUndefined()
    expect(await cache.get('k', load)).toBe('v')
    expect(await cache.peek('k')).toBe('v')
    await cache.invalidateTag('t')
    expect(await cache.peek('k')).toBeUndefined()
  })

  it('skip() answers those who wait and keeps nothing, alone or for one of many', async () => {
    const cache = await make<string>()
    const slow = gate<string>()
    const load = async (_: string, { skip }: LoadContext) => {
      skip()
      return slow.load()
    }
    const gets = [cache.get('k', load), cache.get('k', load)]
    await slow.began
    slow.answer('v')
    expect(await Promise.all(gets)).toEqual(['v', 'v'])
    const found = await cache.getMany(['a', 'b'], (ids, { skip }) => {
      skip('a')
      return ids.map((id) => id)
    })
    expect([...found.values()]).toEqual(['a', 'b'])
    expect(await place.keys(`*${place.namespace}:cache:*`)).toEqual([entryKey('b')])
  })
})

describe.each(stampedes)('the stale value, with one loader per %s,', (stampede) => {
  const options = { ttl: 30, expiry: { stale: '1m' }, stampede } as const

  it('is there for the loader that refreshes it, and lives anew with its tags when that says so', async () => {
    const [a, b] = [await make<{ etag: string }>(options), await make<{ etag: string }>(options)]
    await a.set('k', { etag: 'x' }, { tags: ['t'] })
    let seen: unknown
    const load = vi.fn((_: string, { stale, notModified, setTtl }: LoadContext): { etag: string } => {
      seen = stale
      setTtl('1h')
      return notModified()
    })
    await vi.waitFor(async () => {
      expect(await b.get('k', load)).toEqual({ etag: 'x' })
      expect(load).toHaveBeenCalled()
    })
    await vi.waitFor(async () => expect(await place.command<number>('PTTL', entryKey('k'))).toBeGreaterThan(3_600_000))
    expect(seen).toEqual({ etag: 'x' })
    expect(await b.get('k', () => ({ etag: 'never' }))).toEqual({ etag: 'x' })
    await a.invalidateTag('t')
    expect(await b.peek('k')).toBeUndefined()
  })

  it('is not there on a miss, nor after it was invalidated: then notModified() is refused', async () => {
    const cache = await make<string>({ ...STALE, stampede, tags: ['t'] })
    const load = (_: string, { stale, notModified }: LoadContext): string =>
      stale === undefined ? 'loaded' : notModified()
    await expect(cache.get('k', (_, { notModified }) => notModified())).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
    expect(await cache.get('k', load)).toBe('loaded')
    for (const invalidate of [() => cache.delete('k'), () => cache.invalidateTag('t')]) {
      await cache.set('k', 'old')
      await turnsStale()
      await invalidate()
      expect(await cache.get('k', load)).toBe('loaded')
    }
  })

  it('that was invalidated while its loader ran is not kept by notModified()', async () => {
    const [a, b] = [
      await make<string>({ ...STALE, stampede, tags: ['t'] }),
      await make<string>({ ...STALE, stampede, tags: ['t'] }),
    ]
    for (const invalidate of [() => b.delete('k'), () => b.invalidateTag('t')]) {
      await a.set('k', 'old')
      await turnsStale()
      const slow = gate<string>()
      const { voided } = a.stats
      expect(
        await a.get('k', async (_, { notModified }) => {
          await slow.load()
          return notModified()
        }),
      ).toBe('old')
      await slow.began
      await invalidate()
      slow.answer('')
      await vi.waitFor(() => expect(a.stats.voided).toBe(voided + 1))
      expect(await b.peek('k')).toBeUndefined()
    }
  })
})
