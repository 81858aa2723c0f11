import type { CacheOptions, Holdfast } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { deferred, gate } from './cache-deferred.ts'
import { keepAllInMemory } from './cache-memory.ts'
import { Place } from './place.ts'

const place = new Place()

/** The same cache in two instances: two processes, as far as it can tell. */
async function two<T = unknown>(options: Partial<CacheOptions<T>> = {}) {
  const [a, b] = (await Promise.all([place.connect(), place.connect()])) as [Holdfast, Holdfast]
  const made = { ttl: '1m', ...options } as CacheOptions<T>
  return [a.cache<T>('it', made), b.cache<T>('it', made)] as const
}

const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`
const fenceKey = (id: string) => `fence:${entryKey(id)}`
const IDS = Array.from({ length: 20 }, (_, i) => `k${i}`)

describe.each(['process', 'fleet'] as const)('mutate, with one loader per %s,', (stampede) => {
  it('removes the entries, has everyone load and nobody store while it runs, and leaves nothing behind', async () => {
    const [a, b] = await two<string>({ stampede })
    for (const id of IDS) await a.set(id, 'old')
    const change = deferred()
    const began = deferred()
    let row = 'old'
    const done = a.mutate(IDS, async () => {
      began.resolve()
      await change.promise
      row = 'new'
      return 'answer'
    })
    await began.promise
    for (const cache of [a, b]) {
      expect(await cache.get('k0', () => row)).toBe('old')
      expect(new Set((await cache.getMany(IDS, (ids) => ids.map(() => row))).values())).toEqual(new Set(['old']))
      for (const id of IDS) expect(await cache.peek(id)).toBeUndefined()
      expect(cache.stats.missesBy.fenced).toBe(1 + IDS.length)
    }
    change.resolve()
    expect(await done).toBe('answer')
    for (const cache of [a, b]) {
      expect(await cache.get('k0', () => row)).toBe('new')
      expect(new Set((await cache.getMany(IDS, (ids) => ids.map(() => row))).values())).toEqual(new Set(['new']))
    }
    expect(await b.peek('k1')).toBe('new')
    expect(await place.keys(`fence:{${place.namespace}:*`)).toEqual([])
  })

  it('voids loads that began before it or while it runs, also of callers who would board one', async () => {
    const [a, b] = await two<string>({ stampede })
    for (const reader of [a, b]) {
      const [before, during] = [gate<string>(), gate<string>()]
      const first = reader.get('k', before.load)
      await before.began
      let second: Promise<string> | undefined
      await a.mutate('k', async () => {
        second = reader.get('other', during.load)
        const also = reader.get('k', () => 'old too')
        before.answer('old')
        expect(await also).toMatch(/^old/)
      })
      expect(await first).toBe('old')
      during.answer('x')
      await second
      expect(await reader.get('k', () => 'new')).toBe('new')
      await a.delete('k')
      await a.delete('other')
    }
  })
})

describe('mutate', () => {
  it('removes the entries and lifts the fence after an error too, which passes as it is', async () => {
    const [a, b] = await two<string>()
    const error = new Error('the database says no')
    await a.set('k', 'old')
    await expect(
      a.mutate('k', async () => {
        await b.set('k', 'set meanwhile')
        throw error
      }),
    ).rejects.toBe(error)
    expect(await b.peek('k')).toBeUndefined()
    expect(await b.get('k', () => 'new')).toBe('new')
    expect(await b.peek('k')).toBe('new')
  })

  it('keeps the entries closed until the last of several has ended, and whatever others invalidate', async () => {
    const [a, b] = await two<string>()
    const [one, other] = [gate(), gate()]
    const running = [a.mutate('k', one.load), b.mutate(['k', 'l'], other.load)]
    await Promise.all([one.began, other.began])
    const isStored = async (cache: typeof a) => {
      await cache.get('k', () => 'loaded')
      return (await cache.peek('k')) !== undefined
    }
    await b.delete('k')
    await b.clear()
    expect(await isStored(a)).toBe(false)
    other.answer(1)
    await running[1]
    expect(await isStored(b)).toBe(false)
    one.answer(1)
    await running[0]
    expect(await isStored(b)).toBe(true)
  })

  it('renews its fence while it runs, and a fence that nobody renews ends by itself', async () => {
    const [a, b] = await two<string>()
    await a.mutate(
      'k',
      async () => {
        const end = () => place.command<number>('PTTL', fenceKey('k'))
        let last = await end()
        // It grows again: somebody has renewed it.
        await vi.waitFor(async () => {
          const now = await end()
          const grown = now > last
          last = now
          expect(grown).toBe(true)
        })
        await b.get('k', () => 'old')
        expect(await b.peek('k')).toBeUndefined()
      },
      { fence: '1s' },
    )
    // As one who died would have left it.
    const soon = Date.now() + 300
    await place.command('ZADD', fenceKey('k'), soon, 'somebody who died')
    await place.command('PEXPIREAT', fenceKey('k'), soon)
    await b.get('k', () => 'old')
    expect(await b.peek('k')).toBeUndefined()
    await vi.waitFor(async () => {
      expect(await b.get('k', () => 'new')).toBe('new')
      expect(await b.peek('k')).toBe('new')
    })
  })

  it('does not begin for one whose signal has fired, stops waiting when it fires, and tells the change', async () => {
    const [a, b] = await two<string>()
    const change = vi.fn()
    await expect(a.mutate('k', change, { signal: AbortSignal.abort('over') })).rejects.toBe('over')
    expect(change).not.toHaveBeenCalled()
    const leaving = new AbortController()
    const told = deferred<unknown>()
    const untilTold = ({ signal }: { signal: AbortSignal }) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          told.resolve(signal.reason)
          resolve()
        })
      })
    const left = a.mutate('k', untilTold, { signal: leaving.signal })
    await vi.waitFor(async () => expect(await place.keys(fenceKey('k').replace(/[{}]/g, '?'))).toHaveLength(1))
    leaving.abort('gone')
    await expect(left).rejects.toBe('gone')
    expect(await told.promise).toBe('gone')
    await vi.waitFor(async () => {
      await b.get('k', () => 'new')
      expect(await b.peek('k')).toBe('new')
    })
  })

  it('empties the memory of other processes before it ends, within the stated bound', async () => {
    const [a, b] = await two<string>({ memory: { maxEntries: 100 } })
    await keepAllInMemory(b, ['k', 'l'], 'old')
    let row = 'old'
    await a.mutate(['k', 'l'], () => {
      row = 'new'
    })
    expect(await a.get('k', () => row)).toBe('new')
    await vi.waitFor(async () => expect(await b.get('l', () => row)).toBe('new'))
  })

  it.each([
    ['id', (cache: Awaited<ReturnType<typeof two>>[0]) => cache.mutate([7 as never], () => 1)],
    ['fn', (cache: Awaited<ReturnType<typeof two>>[0]) => cache.mutate('k', 7 as never)],
    ['fence', (cache: Awaited<ReturnType<typeof two>>[0]) => cache.mutate('k', () => 1, { fence: 5 })],
    ['options.ttl', (cache: Awaited<ReturnType<typeof two>>[0]) => cache.mutate('k', () => 1, { ttl: 5 } as never)],
  ])('refuses a wrong %s', async (option, call) => {
    const [a] = await two()
    await expect(call(a)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  })
})
