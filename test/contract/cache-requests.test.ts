import type { CacheOptions, Holdfast } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { Place } from './place.ts'
import { tap } from './tap.ts'

const place = new Place({ caches: ['it', 'other'] })
let hf: Holdfast
let elsewhere: Holdfast

beforeEach(async () => {
  ;[hf, elsewhere] = await Promise.all([place.connect(), place.connect()])
})

const make = (options: Partial<CacheOptions<string>> = {}, by = hf) => by.cache<string>('it', { ttl: '1m', ...options })

describe('within a request', () => {
  it('an id is asked of Redis once, by whatever kind of read', async () => {
    const cache = make()
    for (const id of ['a', 'b', 'c']) await cache.set(id, id)
    const heard = await tap(place, () =>
      hf.perRequest(async () => {
        const twice = [cache.get('a'), cache.get('a', () => 'never'), cache.peek('a')]
        expect(await Promise.all(twice)).toEqual(['a', 'a', 'a'])
        expect([...(await cache.getMany(['b', 'a'])).values()]).toEqual(['b', 'a'])
        expect([...(await cache.getMany(['a', 'b'])).keys()]).toEqual(['a', 'b'])
        expect(await cache.get('b')).toBe('b')
      }),
    )
    expect(heard.flatMap(({ keys }) => keys).sort()).toEqual(
      ['a', 'b'].map((id) => `{${place.namespace}:cache:it:${id}}`),
    )
    expect(cache.stats.hits).toMatchObject({ request: 6, redis: 2 })
  })

  it('a miss is loaded once; what is not there is asked for again by who can load it', async () => {
    const cache = make()
    await hf.perRequest(async () => {
      expect(await cache.peek('k')).toBeUndefined()
      expect(await cache.get('k')).toBeUndefined()
      const load = vi.fn(() => 'loaded')
      expect(await cache.get('k', load)).toBe('loaded')
      expect(await cache.get('k', load)).toBe('loaded')
      expect(load).toHaveBeenCalledOnce()
      const nothing = vi.fn(() => undefined)
      expect(await cache.get('nothing', nothing)).toBeUndefined()
      expect(await cache.get('nothing', nothing)).toBeUndefined()
      expect(nothing).toHaveBeenCalledTimes(2)
      expect([...(await cache.getMany(['k', 'm'], (ids) => ids.map((id) => `many ${id}`))).values()]).toEqual([
        'loaded',
        'many m',
      ])
    })
  })

  it('an error is not kept', async () => {
    const cache = make()
    await hf.perRequest(async () => {
      await expect(cache.get('k', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
      expect(await cache.get('k', () => 'well')).toBe('well')
      await expect(cache.getMany(['m'], () => Promise.reject(new Error('no')))).rejects.toThrow('no')
      expect((await cache.getMany(['m'], () => ['well'])).get('m')).toBe('well')
    })
  })

  it.each<[string, (cache: ReturnType<typeof make>) => Promise<unknown>]>([
    ['set', (cache) => cache.set('k', 'new')],
    ['delete', (cache) => cache.delete('k')],
    ['invalidateTag', (cache) => cache.invalidateTag('t')],
    ['invalidatePattern', (cache) => cache.invalidatePattern('k*')],
    ['clear', (cache) => cache.clear()],
  ])('%s is seen at once, be it of this request or of another in the process', async (_, change) => {
    const cache = make({ tags: ['t'] })
    for (const outside of [false, true]) {
      await cache.set('k', 'old')
      let go: () => void = () => {}
      const changed = new Promise<void>((resolve) => {
        go = resolve
      }).then(() => change(cache))
      await hf.perRequest(async () => {
        expect(await cache.get('k')).toBe('old')
        if (outside) {
          go()
          await changed
        } else await change(cache)
        expect(await cache.get('k')).not.toBe('old')
        expect((await cache.getMany(['k'])).get('k')).not.toBe('old')
      })
      go()
      await changed
    }
  })

  it('what was being read while it was invalidated is not kept', async () => {
    const cache = make()
    await hf.perRequest(async () => {
      const slow = gate<string>()
      const early = cache.get('k', slow.load)
      await slow.began
      await cache.delete('k')
      const late = cache.get('k', () => 'new')
      slow.answer('old')
      expect(await early).toBe('old')
      expect(await late).toBe('new')
      expect(await cache.get('k', () => 'never')).toBe('new')
    })
  })

  it("another process's change is seen by the next request, or after maxAge", async () => {
    const [cache, other] = [make(), make({}, elsewhere)]
    await cache.set('k', 'old')
    await hf.perRequest(async () => {
      expect(await cache.get('k')).toBe('old')
      await other.set('k', 'new')
      expect(await cache.get('k')).toBe('old')
    })
    await hf.perRequest(async () => expect(await cache.get('k')).toBe('new'))
    await hf.perRequest(
      async () => {
        expect(await cache.get('k')).toBe('new')
        await other.set('k', 'newer')
        await vi.waitFor(async () => expect(await cache.get('k')).toBe('newer'))
      },
      { maxAge: 5 },
    )
  })

  it('a loader sees what Redis has, not what the request saw: its value is for all', async () => {
    const cache = make()
    const [part, whole] = [hf.cache<string>('other', { ttl: '1m' }), cache]
    await part.set('x', 'old')
    await hf.perRequest(async () => {
      expect(await part.get('x')).toBe('old')
      await elsewhere.cache<string>('other', { ttl: '1m' }).set('x', 'new')
      expect(await part.get('x')).toBe('old')
      expect(await whole.get('all', async () => `of ${await part.get('x')}`)).toBe('of new')
    })
    expect(await make({}, elsewhere).peek('all')).toBe('of new')
  })

  it('one caller may leave; the load goes on for the others of the request', async () => {
    const cache = make()
    await hf.perRequest(async () => {
      const slow = gate<string>()
      let signal: AbortSignal | undefined
      const leaving = new AbortController()
      const load = (_: string, context: { signal: AbortSignal }) => {
        signal = context.signal
        return slow.load()
      }
      const left = cache.get('k', load, { signal: leaving.signal })
      const stays = cache.get('k', load)
      await slow.began
      leaving.abort(new Error('gone'))
      await expect(left).rejects.toThrow('gone')
      expect(signal?.aborted).toBe(false)
      slow.answer('v')
      expect(await stays).toBe('v')
    })
  })
})

describe('a request', () => {
  it('keeps its own, apart from others at the same time, and is one with those begun inside it', async () => {
    const [cache, other] = [make(), make({}, elsewhere)]
    await cache.set('k', 'old')
    await hf.perRequest(async () => {
      expect(await cache.get('k')).toBe('old')
      await other.set('k', 'new')
      await hf.perRequest(async () => expect(await cache.get('k')).toBe('old'))
      expect(await cache.get('k')).toBe('old')
      // Of this instance alone.
      expect(await other.get('k')).toBe('new')
    })
    const seen = await Promise.all(
      [1, 2, 3].map((round) =>
        hf.perRequest(async () => {
          const first = await cache.get('k')
          await other.set('k', `round ${round}`)
          return first === (await cache.get('k'))
        }),
      ),
    )
    expect(seen).toEqual([true, true, true])
  })

  it('is over when its work has settled: what it left running reads as if outside', async () => {
    const [cache, other] = [make(), make({}, elsewhere)]
    await cache.set('k', 'old')
    let after: Promise<unknown> = Promise.resolve()
    let go: () => void = () => {}
    const answer = await hf.perRequest(async () => {
      await cache.get('k')
      after = new Promise<void>((resolve) => {
        go = resolve
      }).then(() => cache.get('k'))
      return 'answer'
    })
    expect(answer).toBe('answer')
    await other.set('k', 'new')
    go()
    expect(await after).toBe('new')
    await expect(hf.perRequest(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    await expect(
      hf.perRequest(() => {
        throw new Error('at once')
      }),
    ).rejects.toThrow('at once')
    expect(await hf.perRequest(() => 5)).toBe(5)
    for (const wrong of [[5], [() => 1, { maxage: 1 }], [() => 1, { maxAge: 'soon' }]])
      await expect(hf.perRequest(...(wrong as [never]))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('counts nothing outside', async () => {
    const cache = make()
    await cache.set('k', 'v')
    await hf.perRequest(() => cache.get('k'))
    await cache.get('k')
    await cache.get('k')
    expect(cache.stats.hits).toMatchObject({ request: 0, redis: 3 })
  })
})
