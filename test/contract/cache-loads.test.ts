// Who waits for a load, and for how long.
import type { Cache, CacheOptions, LoadContext } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { deferred, gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['it'] })
const stampedes = ['process', 'fleet'] as const
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`
const leaseKey = (id: string) => `lease:${entryKey(id)}`

async function make<T = unknown>(options: Partial<CacheOptions<T>> = {}): Promise<Cache<T>> {
  return (await place.connect()).cache<T>('it', { ttl: '1m', ...options })
}

/** Stale from the next millisecond on, and to be served for a minute. */
const STALE = { ttl: 1, expiry: { stale: '1m' } } as const
const turnsStale = () => new Promise((resolve) => setTimeout(resolve, 4))

/** A loader that ends only when its signal fires, and tells of it. */
function listener() {
  const began = deferred()
  const told = deferred<unknown>()
  const load = (_: unknown, { signal }: Pick<LoadContext, 'signal'>) => {
    began.resolve()
    return new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => {
        told.resolve(signal.reason)
        reject(signal.reason)
      })
    })
  }
  return { load, began: began.promise, told: told.promise }
}

describe.each(stampedes)("a loader's signal, with one loader per %s,", (stampede) => {
  it('fires when the last of its callers has left, and who comes after is not told of it', async () => {
    const cache = await make<string>({ stampede })
    const { load, began, told } = listener()
    const [a, b] = [new AbortController(), new AbortController()]
    const gets = [cache.get('k', load, { signal: a.signal }), cache.get('k', load, { signal: b.signal })]
    await began
    a.abort(new Error('a left'))
    await expect(gets[0]).rejects.toThrow('a left')
    // Who stays keeps it going.
    const winner = await Promise.race([told.then(() => 'told'), cache.peek('k').then(() => 'not told')])
    expect(winner).toBe('not told')
    b.abort(new Error('b left'))
    await expect(gets[1]).rejects.toThrow('b left')
    const late = cache.get('k', () => 'new')
    expect(await told).toMatchObject({ name: 'AbortError' })
    expect(await late).toBe('new')
    expect(cache.stats.loadFailures).toBe(0)
  })

  it('never fires while somebody waits who has no signal', async () => {
    const cache = await make<string>({ stampede })
    const slow = gate<string>()
    let signal: AbortSignal | undefined
    const load = (_: string, context: LoadContext) => {
      signal = context.signal
      return slow.load()
    }
    const leaving = new AbortController()
    const left = cache.get('k', load, { signal: leaving.signal })
    const stays = cache.get('k', load)
    await slow.began
    leaving.abort(new Error('gone'))
    await expect(left).rejects.toThrow('gone')
    expect(signal?.aborted).toBe(false)
    slow.answer('v')
    expect(await stays).toBe('v')
  })

  it('fires for a load of many when the last caller of any of them has left', async () => {
    const cache = await make<string>({ stampede })
    const { load, began, told } = listener()
    const [a, b] = [new AbortController(), new AbortController()]
    const many = cache.getMany(['x', 'y'], load, { signal: a.signal })
    await began
    const one = cache.get('y', () => 'never', { signal: b.signal })
    const other = cache.getMany(['y', 'z'], (ids) => ids.map(() => 'z'), { signal: b.signal })
    await vi.waitFor(() => expect(cache.stats.misses).toBeGreaterThanOrEqual(3))
    a.abort(new Error('gone'))
    await expect(many).rejects.toThrow('gone')
    const winner = await Promise.race([told.then(() => 'told'), cache.peek('x').then(() => 'not told')])
    expect(winner).toBe('not told')
    b.abort(new Error('gone'))
    for (const call of [one, other]) await expect(call).rejects.toThrow('gone')
    await told
    expect((await cache.getMany(['x', 'y'], (ids) => ids.map(() => 'new'))).get('y')).toBe('new')
  })

  it('does not fire for a refresh behind, for which nobody waits', async () => {
    const cache = await make<string>({ ...STALE, stampede })
    await cache.set('k', 'old')
    await turnsStale()
    const slow = gate<string>()
    let signal: AbortSignal | undefined
    const leaving = new AbortController()
    const load = (_: string, context: LoadContext) => {
      signal = context.signal
      return slow.load()
    }
    expect(await cache.get('k', load, { signal: leaving.signal })).toBe('old')
    await slow.began
    leaving.abort()
    expect(signal?.aborted).toBe(false)
    slow.answer('new')
    await vi.waitFor(async () => expect(await cache.peek('k')).toBe('new'))
  })
})

describe.each(stampedes)('a load that takes longer than hardTimeout, with one loader per %s,', (stampede) => {
  it('fails its callers by LOAD_TIMEOUT, and its signal fires', async () => {
    const cache = await make<string>({ stampede, loader: { hardTimeout: 30 } })
    const { load, told } = listener()
    const gets = [cache.get('k', load), cache.get('k', load), cache.getMany(['m', 'n'], load)]
    const error = { code: 'LOAD_TIMEOUT', name: 'LoadTimeoutError', timeoutMs: 30, retryable: true }
    for (const end of await Promise.allSettled(gets)) expect(end).toMatchObject({ status: 'rejected', reason: error })
    expect(await told).toMatchObject({ code: 'LOAD_TIMEOUT' })
    expect(cache.stats).toMatchObject({ loadTimeouts: 2, loadFailures: 0 })
    expect(await cache.get('k', () => 'well')).toBe('well')
  })

  it('is kept all the same when it comes late, if its lease still stands', async () => {
    const [cache, other] = [
      await make<string>({ stampede, loader: { hardTimeout: 30 } }),
      await make<string>({ stampede }),
    ]
    const [slow, slowMany] = [gate<string>(), gate<string[]>()]
    await expect(cache.get('k', slow.load)).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
    await expect(cache.getMany(['m', 'n'], slowMany.load)).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
    slow.answer('late')
    slowMany.answer(['late m', 'late n'])
    await vi.waitFor(async () => expect(await other.peek('k')).toBe('late'))
    await vi.waitFor(async () => expect(await other.peek('n')).toBe('late n'))
  })

  it('is not kept when it comes late and was invalidated meanwhile, or its lease is gone', async () => {
    const [cache, other] = [
      await make<string>({ stampede, tags: ['t'], loader: { hardTimeout: 30 } }),
      await make<string>({ stampede, tags: ['t'] }),
    ]
    for (const invalidate of [
      () => other.delete('k'),
      () => other.invalidateTag('t'),
      () => place.command('DEL', leaseKey('k')),
      () => other.set('k', 'newer'),
    ]) {
      const slow = gate<string>()
      const { voided } = cache.stats
      await expect(cache.get('k', slow.load)).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
      await invalidate()
      slow.answer('late')
      await vi.waitFor(() => expect(cache.stats.voided).toBe(voided + 1))
      expect(await other.peek('k')).not.toBe('late')
      await other.delete('k')
    }
  })

  it('is told so when it waits for itself, directly or through another, and holds nobody up after it', async () => {
    const cache = await make<string>({ stampede, loader: { hardTimeout: 30 } })
    const next: Record<string, string> = { self: 'self', a: 'b', b: 'a' }
    const load = async (id: string): Promise<string> => cache.get(next[id] as string, load)
    for (const id of ['self', 'a']) {
      await expect(cache.get(id, load)).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
      expect(await cache.get(id, () => 'well')).toBe('well')
    }
  })

  it('leaves the stale value to be served', async () => {
    const cache = await make<string>({ ...STALE, stampede, loader: { hardTimeout: 20 } })
    await cache.set('k', 'old')
    await turnsStale()
    const { load, told } = listener()
    expect(await cache.get('k', load)).toBe('old')
    expect(await told).toMatchObject({ code: 'LOAD_TIMEOUT' })
    expect(await cache.get('k', () => 'new')).toBe('old')
    await vi.waitFor(async () => expect(await cache.peek('k')).toBe('new'))
  })
})

it("waits no longer than hardTimeout for another process's load", async () => {
  const [a, b] = [
    await make<string>({ stampede: 'fleet' }),
    await make<string>({ stampede: 'fleet', loader: { hardTimeout: 50 } }),
  ]
  const slow = gate<string>()
  const got = a.get('k', slow.load)
  await slow.began
  await expect(b.get('k', () => 'never')).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
  await expect(b.getMany(['k', 'l'], (ids) => ids.map(() => 'never'))).rejects.toMatchObject({ code: 'LOAD_TIMEOUT' })
  slow.answer('v')
  expect(await got).toBe('v')
  expect(await b.get('k', () => 'never')).toBe('v')
})

it('timeouts, lives and stale times of years are none of milliseconds', async () => {
  const cache = await make<string>({
    ttl: '3000d',
    expiry: { stale: '3000d', nullTtl: '3000d', early: true },
    loader: { softTimeout: '3000d', hardTimeout: '3000d' },
  })
  const slow = gate<string>()
  const got = cache.get('k', slow.load)
  await slow.began
  await cache.peek('k')
  slow.answer('v')
  expect(await got).toBe('v')
  await cache.set('stale', 'old', { ttl: 1 })
  await turnsStale()
  const soft = gate<string>()
  const fresh = cache.get('stale', soft.load)
  await soft.began
  await cache.peek('k')
  soft.answer('new')
  expect(await fresh).toBe('new')
})

describe.each(stampedes)('softTimeout, with one loader per %s,', (stampede) => {
  const soft = (softTimeout: number) => make<string>({ ...STALE, stampede, loader: { softTimeout } })

  it('gives the fresh value to those who can have it in time', async () => {
    const cache = await soft(20_000)
    await cache.set('k', 'old')
    await cache.set('m', 'old m')
    await turnsStale()
    const slow = gate<string>()
    const gets = Array.from({ length: 5 }, () => cache.get('k', slow.load))
    await slow.began
    gets.push(cache.get('k', slow.load))
    slow.answer('new')
    expect(new Set(await Promise.all(gets))).toEqual(new Set(['new']))
    expect(slow.calls).toBe(1)
    expect((await cache.getMany(['m'], () => ['new m'])).get('m')).toBe('new m')
    expect(await cache.peek('m')).toBe('new m')
    expect(cache.stats.hits.stale).toBeLessThanOrEqual(2)
  })

  it('serves the stale value to all when it takes longer, and the load goes on behind', async () => {
    const cache = await soft(20)
    await cache.set('k', 'old')
    await cache.set('m', 'old m')
    await turnsStale()
    const [slow, slowMany] = [gate<string>(), gate<string[]>()]
    expect(await Promise.all([cache.get('k', slow.load), cache.get('k', slow.load)])).toEqual(['old', 'old'])
    expect((await cache.getMany(['m'], slowMany.load)).get('m')).toBe('old m')
    expect([slow.calls, slowMany.calls]).toEqual([1, 1])
    slow.answer('new')
    slowMany.answer(['new m'])
    await vi.waitFor(async () => expect(await cache.peek('k')).toBe('new'))
    await vi.waitFor(async () => expect(await cache.peek('m')).toBe('new m'))
  })

  it('serves the stale value when the loader fails, and never one that was invalidated', async () => {
    const cache = await soft(20_000)
    await cache.set('k', 'old')
    await turnsStale()
    const fail = async () => {
      throw new Error('no')
    }
    expect(await cache.get('k', fail)).toBe('old')
    await cache.delete('k')
    await expect(cache.get('k', fail)).rejects.toThrow('no')
  })

  it('keeps nothing of a load whose lease went while the stale value was served', async () => {
    const [cache, other] = [await soft(10), await make<string>({ ...STALE, stampede })]
    await cache.set('k', 'old')
    await turnsStale()
    const slow = gate<string>()
    expect(await cache.get('k', slow.load)).toBe('old')
    await other.delete('k')
    slow.answer('older than the delete')
    await vi.waitFor(() => expect(cache.stats.voided).toBe(1))
    expect(await cache.peek('k')).toBeUndefined()
  })
})
