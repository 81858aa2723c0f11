import type { Cache, CacheOptions, WarmProgress } from 'holdfast'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const place = new Place()

const make = async <T = unknown>(options: Partial<CacheOptions<T>> = {}): Promise<Cache<T>> =>
  (await place.connect()).cache<T>('it', { ttl: '1m', ...options })
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`

function* rows(count: number): Generator<[string, number]> {
  for (let i = 0; i < count; i++) yield [`k${i}`, i]
}

describe('warm', () => {
  it('writes all rows of an iterable or an async iterable, over all slots, and says how many and how much', async () => {
    const cache = await make<number>()
    async function* later() {
      for (const row of rows(1_000)) {
        if (row[1] % 100 === 0) await new Promise(setImmediate)
        yield row
      }
    }
    for (const source of [rows(1_000), later(), [...rows(1_000)], new Map(rows(1_000))]) {
      const seen: WarmProgress[] = []
      const result = await cache.warm(source, { ttl: '5m', onProgress: (so) => seen.push(so) })
      expect(result).toMatchObject({ read: 1_000, written: 1_000, failed: 0, failures: [], complete: true })
      expect(result.bytes).toBeGreaterThan(1_000 * 17)
      expect(seen.length).toBe(Math.ceil(1_000 / 128))
      expect(seen.at(-1)).toMatchObject({ written: 1_000, bytes: result.bytes })
      const ids = [...rows(1_000)].map(([id]) => id)
      expect([...(await cache.getMany(ids)).values()]).toEqual([...rows(1_000)].map(([, value]) => value))
      expect(await place.command<number>('PTTL', entryKey('k7'))).toBeGreaterThan(60_000)
      await cache.clear()
    }
  })

  it('asks the source for no more than has room on the way', async () => {
    const cache = await make<number>()
    let pulled = 0
    let written = 0
    let most = 0
    function* source() {
      for (const row of rows(3_000)) {
        pulled++
        most = Math.max(most, pulled - written)
        yield row
      }
    }
    const onProgress = (so: WarmProgress) => {
      written = so.written
    }
    await cache.warm(source(), { concurrency: 2, onProgress })
    expect(pulled).toBe(3_000)
    // Two batches on the way and one being filled.
    expect(most).toBeLessThanOrEqual(3 * 128 + 1)
  })

  it('reports each row that cannot be written with its id and the reason, and writes the others', async () => {
    const cache = await make<unknown>({ encoding: { schema: z.union([z.number(), z.any()]), version: '1' } })
    const bad = ['x'.repeat(5_000), 7, undefined]
    const told: unknown[] = []
    const source = [
      ['a', 1],
      ['b', { run: () => 1 }],
      [bad[0], 1],
      [bad[1], 1],
      ['c', undefined],
      'no row',
      ['d', 4],
    ] as Iterable<readonly [string, unknown]>
    const result = await cache.warm(source, { onFailure: ({ id }) => told.push(id) })
    expect(result).toMatchObject({ read: 7, written: 2, failed: 5, complete: true })
    const code = ({ error }: { error?: unknown }) => (error as { code: string }).code
    expect(result.failures.map((failure) => [failure.id, code(failure)])).toEqual([
      [bad[0], 'CONFIG_INVALID'],
      [bad[1], 'CONFIG_INVALID'],
      ['c', 'CONFIG_INVALID'],
      [undefined, 'CONFIG_INVALID'],
      ['b', 'VALUE_UNWRITABLE'],
    ])
    expect(told).toHaveLength(5)
    expect([...(await cache.getMany(['a', 'b', 'd'])).values()]).toEqual([1, undefined, 4])
  })

  it('stops where it is told to: by the first failure, a signal, the source, a callback', async () => {
    const cache = await make<number>()
    let ended = 0
    let pulled = 0
    function* source(bad = -1) {
      try {
        for (const [id, value] of rows(100_000)) {
          pulled++
          yield [id, value === bad ? (undefined as never) : value] as const
        }
      } finally {
        ended++
      }
    }
    const stopped = await cache.warm(source(300), { stopOnFailure: true, concurrency: 1 })
    expect(stopped).toMatchObject({ complete: false, failed: 1 })
    expect(stopped.read).toBeLessThan(1_000)

    const leaving = new AbortController()
    const onProgress = () => leaving.abort('enough')
    await expect(cache.warm(source(), { signal: leaving.signal, onProgress })).rejects.toBe('enough')
    const never = { [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }) }
    await expect(cache.warm(never, { signal: AbortSignal.timeout(20) })).rejects.toMatchObject({ name: 'TimeoutError' })

    const error = new Error('no more')
    const fail = () => {
      throw error
    }
    await expect(cache.warm(source(), { onProgress: fail })).rejects.toBe(error)
    async function* broken() {
      yield ['last', 1] as const
      fail()
    }
    await expect(cache.warm(broken())).rejects.toBe(error)
    expect(ended).toBe(3)
    expect(pulled).toBeLessThan(10_000)
  })

  it('voids loads that are under way, and is as fresh as it says: the loaded value is not stored over it', async () => {
    const cache = await make<string>()
    const slow = gate<string>()
    const got = cache.get('k', slow.load)
    await slow.began
    await cache.warm([['k', 'published']])
    slow.answer('loaded before')
    expect(await got).toBe('loaded before')
    expect(await cache.peek('k')).toBe('published')
  })

  it('has nothing served that was read before its tag was invalidated', async () => {
    for (const tags of [['t'], () => ['t']] as const) {
      const cache = await make<number>({ tags })
      async function* source() {
        yield* rows(128)
        // What follows was read before, for all that anybody knows.
        await cache.invalidateTag('t')
        yield ['late', 1] as const
      }
      await cache.warm(source())
      expect(await cache.peek('k1')).toBeUndefined()
      expect(await cache.peek('late')).toBeUndefined()
      await cache.warm(rows(3))
      expect(await cache.peek('k1')).toBe(1)
      await cache.clear()
    }
  })

  it('refuses rows whose tag, known by the value alone, was invalidated since it began', async () => {
    const cache = await make<string>({ tags: (value) => [value] })
    const known = ['one', 'two', 'three'].map((tag) => [tag, tag] as const)
    expect(await cache.warm(known)).toMatchObject({ written: 3 })
    async function* source() {
      yield ['a', 'one'] as const
      await cache.invalidateTag('two')
      yield ['b', 'two'] as const
      yield ['c', 'three'] as const
      // Nobody can tell a tag that was never there from one that was invalidated and evicted.
      yield ['d', 'unheard of'] as const
    }
    const result = await cache.warm(source())
    const [b, d] = ['b', 'd'].map((id) => ({ id, reason: 'invalidated' }))
    expect(result).toMatchObject({ written: 2, failures: [b, d] })
    expect([...(await cache.getMany(['a', 'b', 'c'])).values()]).toEqual(['one', undefined, 'three'])
  })

  it('refuses rows that are being changed behind a fence', async () => {
    const [cache, other] = await Promise.all([make<number>(), make<number>()])
    await other.mutate(['k1', 'k3'], async () => {
      const result = await cache.warm(rows(5))
      expect(result).toMatchObject({ written: 3, failed: 2 })
      expect(result.failures.map(({ id, reason }) => `${id} ${reason}`).sort()).toEqual(['k1 fenced', 'k3 fenced'])
    })
    expect([...(await cache.getMany(['k0', 'k1'])).values()]).toEqual([0, undefined])
  })

  it.each([
    ['rows', (cache: Cache<number>) => cache.warm('text' as never)],
    ['rows', (cache: Cache<number>) => cache.warm(7 as never)],
    ['concurrency', (cache: Cache<number>) => cache.warm([], { concurrency: 0 })],
    ['onProgress', (cache: Cache<number>) => cache.warm([], { onProgress: 1 as never })],
    ['options.tll', (cache: Cache<number>) => cache.warm([], { tll: 1 } as never)],
  ])('refuses a wrong %s', async (option, call) => {
    await expect(call(await make())).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  })
})
