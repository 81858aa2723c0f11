import type { CacheOptions } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { gate } from './cache-deferred.ts'
import { keepInMemory } from './cache-memory.ts'
import { Place } from './place.ts'

const place = new Place()

/** Caches of one name in instances of their own: as many processes, each with options of its own. */
const deploy = <T = unknown>(...all: readonly Partial<CacheOptions<T>>[]) =>
  Promise.all(all.map(async (options) => (await place.connect()).cache<T>('it', { ttl: '1m', ...options })))

const rich = {
  at: new Date(5),
  map: new Map([[1, new Set([2n])]]),
  bytes: Buffer.from([0, 255, 128]),
  nothing: undefined,
  text: 'again and again, '.repeat(200),
}

describe('a binary frame', () => {
  it.each([
    ['msgpack', { encoding: { codec: 'msgpack' } }],
    ['msgpack, compressed, with tags', { encoding: { codec: 'msgpack', compress: true }, tags: ['t'] }],
    ['json, compressed, one loader per fleet', { encoding: { compress: true }, stampede: 'fleet' }],
  ] as [string, Partial<CacheOptions<unknown>>][])(
    'comes back as it was, however it was written: %s',
    async (_, options) => {
      const [a, b] = (await deploy(options, options)) as [
        Awaited<ReturnType<typeof deploy>>[0],
        Awaited<ReturnType<typeof deploy>>[0],
      ]
      await a.set('set', rich)
      await a.get('loaded', () => rich)
      await a.getMany(['x', 'y'], (ids) => ids.map(() => rich))
      for (const id of ['set', 'loaded', 'x']) expect(await b.get(id, () => 'never')).toStrictEqual(rich)
      expect([...(await b.getMany(['set', 'loaded', 'x', 'y'])).values()]).toStrictEqual([rich, rich, rich, rich])
      expect(b.stats).toMatchObject({ misses: 0, hits: { redis: 7 } })
    },
  )

  it('is kept in memory by the weight of its value', async () => {
    const [a] = await deploy<string>({ encoding: { compress: true }, memory: { maxBytes: 150_000 } })
    await keepInMemory(a as never, 'k', 'x'.repeat(100_000))
    expect((a as NonNullable<typeof a>).stats.memory.bytes).toBeGreaterThan(100_000)
  })
})

describe('a schema', () => {
  const user = z.object({ id: z.number(), role: z.string().default('reader') })
  type User = z.infer<typeof user>
  const invalid = { code: 'VALUE_INVALID', path: '$.id' }

  it('is held to by all that is loaded or set, with the path of what does not fit, and nothing of it is stored', async () => {
    const [cache] = (await deploy<User>({ encoding: { schema: user } })) as [
      Awaited<ReturnType<typeof deploy<User>>>[0],
    ]
    const wrong = { id: '7' } as never
    await expect((cache as never as { set(...args: unknown[]): Promise<void> }).set('k', wrong)).rejects.toMatchObject(
      invalid,
    )
    await expect(cache?.get('k', () => wrong)).rejects.toMatchObject(invalid)
    await expect(cache?.getMany(['k', 'l'], () => [wrong, wrong])).rejects.toMatchObject(invalid)
    expect(await place.keys(`{${place.namespace}:cache:it:*`)).toEqual([])
    expect(await cache?.get('gone', () => undefined)).toBeUndefined()
  })

  it('gives every caller what it makes of a value, the first one too', async () => {
    const [a, b] = await deploy<User>({ encoding: { schema: user } }, { encoding: { schema: user } })
    const full = { id: 7, role: 'reader' }
    expect(await a?.get('k', () => ({ id: 7 }) as User)).toEqual(full)
    expect(await b?.peek('k')).toEqual(full)
    expect((await a?.getMany(['m'], () => [{ id: 7 } as User]))?.get('m')).toEqual(full)
    await a?.set('s', { id: 7 } as User)
    expect(await b?.peek('s')).toEqual(full)
  })

  it('may answer later, and lets a stale value serve while what is loaded does not fit', async () => {
    const slow = user.refine(async ({ id }) => id > 0)
    const [cache] = await deploy<User>({ ttl: 1, expiry: { stale: '1m' }, encoding: { schema: slow, version: '1' } })
    await cache?.set('k', { id: 7, role: 'x' })
    await vi.waitFor(async () => {
      expect(await cache?.get('k', () => ({ id: -7, role: 'x' }))).toEqual({ id: 7, role: 'x' })
      expect(cache?.stats.loadFailures).toBeGreaterThan(0)
    })
  })

  it('of a deploy never reads what another wrote, nor breaks it: they share keys, leases and invalidations', async () => {
    const [old, young, bare] = (await deploy<unknown>(
      { encoding: { schema: z.object({ id: z.number() }) } },
      { encoding: { schema: z.object({ id: z.string() }), codec: 'msgpack' } },
      {},
    )) as [
      Awaited<ReturnType<typeof deploy>>[0],
      Awaited<ReturnType<typeof deploy>>[0],
      Awaited<ReturnType<typeof deploy>>[0],
    ]
    await old?.get('k', () => ({ id: 1 }))
    expect(await young?.peek('k')).toBeUndefined()
    expect(await bare?.peek('k')).toBeUndefined()
    expect(await young?.get('k', () => ({ id: 'one' }))).toEqual({ id: 'one' })
    expect(await old?.get('k', () => ({ id: 1 }))).toEqual({ id: 1 })
    expect(young?.stats.misses).toBe(2)
    // What either invalidates, both have loaded in vain.
    const slow = gate<{ id: string }>()
    const got = young?.get('l', slow.load)
    await slow.began
    await old?.delete('l')
    slow.answer({ id: 'old' })
    expect(await got).toEqual({ id: 'old' })
    expect(await young?.peek('l')).toBeUndefined()
  })
})
