import type { Cache, CacheOptions, LoadContext } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { keepInMemory } from './cache-memory.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['it'] })
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`

/** So that an entry whose load took a few ms is due at one look in some. */
const EARLY = { ttl: '1m', expiry: { early: 1_000 } } as const

async function make(options: Partial<CacheOptions<string>> = {}): Promise<Cache<string>> {
  return (await place.connect()).cache<string>('it', { ...EARLY, ...options })
}

const costly = async () => {
  await new Promise((resolve) => setTimeout(resolve, 30))
  return 'present'
}

/** Reads until the refresh has begun, and checks that nobody waits for it. */
async function readUntilDue(read: () => Promise<unknown>, isDue: () => boolean): Promise<void> {
  await vi.waitFor(
    async () => {
      for (let i = 0; i < 20; i++) expect(await read()).toBe('present')
      expect(isDue()).toBe(true)
    },
    { timeout: 10_000, interval: 1 },
  )
}

describe.each([
  ['one loader per process', {}],
  ['one loader per fleet', { stampede: 'fleet' }],
] as const)('an early refresh, with %s,', (_, options) => {
  it('is made by one process of all, and until it ends everybody is served the present value', async () => {
    const caches = await Promise.all([make(options), make(options), make(options)])
    const a = caches[0] as Cache<string>
    await a.get('k', costly)
    const slow = gate<string>()
    let seen: unknown
    const load = (_: string, { stale }: LoadContext) => {
      seen = stale
      return slow.load()
    }
    await readUntilDue(
      () => a.get('k', load),
      () => slow.calls > 0,
    )
    for (const cache of caches) for (let i = 0; i < 30; i++) expect(await cache.get('k', load)).toBe('present')
    expect(slow.calls).toBe(1)
    expect(seen).toBe('present')
    slow.answer('new')
    await vi.waitFor(async () => expect(await (caches[1] as Cache<string>).get('k', () => 'new')).toBe('new'))
  })

  it('is voided by an invalidation like any other load', async () => {
    const [a, b] = [await make({ ...options, tags: ['t'] }), await make({ ...options, tags: ['t'] })]
    for (const invalidate of [() => b.delete('k'), () => b.invalidateTag('t'), () => b.set('k', 'newer')]) {
      await a.delete('k')
      await a.get('k', costly)
      const slow = gate<string>()
      await readUntilDue(
        () => a.get('k', slow.load),
        () => slow.calls > 0,
      )
      await invalidate()
      const { voided } = a.stats
      slow.answer('older')
      await vi.waitFor(() => expect(a.stats.voided).toBe(voided + 1))
      expect(await b.peek('k')).not.toBe('older')
    }
  })
})

it('an early refresh is made for getMany too, by its own loader', async () => {
  const cache = await make()
  await cache.getMany(['a', 'b'], async (ids) => Promise.all(ids.map(costly)))
  const slow = gate<string[]>()
  const ids: string[] = []
  const load = (asked: readonly string[]) => {
    ids.push(...asked)
    return slow.load()
  }
  await readUntilDue(
    async () => (await cache.getMany(['a', 'b'], load)).get('a'),
    () => slow.calls > 0,
  )
  slow.answer(['new'])
  await vi.waitFor(async () => expect(await cache.peek(ids[0] as string)).toBe('new'))
})

it('a value leaves memory at a time that is drawn like that of its refresh', async () => {
  const memory = { maxEntries: 100 }
  const ids = Array.from({ length: 40 }, (_, i) => `k${i}`)
  const kept = async (expiry: CacheOptions<string>['expiry'], namespace: string) => {
    const hf = await place.connect({ namespace })
    const cache = hf.cache<string>('it', { ttl: '5s', memory, ...(expiry && { expiry }) })
    await keepInMemory(cache, 'warm', 'set, which costs nothing')
    await cache.getMany(ids, async (missing) => Promise.all(missing.map(costly)))
    // The news of the fills pass first.
    for (let i = 0; i < 5; i++) await Promise.all(ids.map((id) => cache.peek(id)))
    return cache
  }
  const off = await kept(undefined, place.namespace)
  await vi.waitFor(async () => {
    await Promise.all(ids.map((id) => off.peek(id)))
    expect(off.stats.memory.entries).toBe(41)
  })
  // 30 ms times 1,000 before the end, on average: of 5 s, most have nothing left.
  const on = await kept({ early: 1_000 }, `${place.namespace}-on`)
  expect(on.stats.memory.entries).toBeLessThan(41)
})

it('what a load took is stored only where it is wanted', async () => {
  const cache = await make()
  await cache.get('k', costly)
  const other = (await place.connect({ namespace: `${place.namespace}-off` })).cache<string>('it', { ttl: '1m' })
  await other.get('k', costly)
  const flagOf = async (key: string) => (await place.command<string>('GETRANGE', key, 3, 3)).charCodeAt(0) & 32
  expect(await flagOf(entryKey('k'))).toBe(32)
  expect(await flagOf(`{${place.namespace}-off:cache:it:k}`)).toBe(0)
})
