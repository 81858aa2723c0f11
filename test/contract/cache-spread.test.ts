// What a cache promises when its keys lie on several servers. On one server it holds all the same.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Cache, CacheOptions } from 'holdfast'
import { describe, expect, it, vi } from 'vitest'
import { slotOf } from '../../src/redis/slots.ts'
import { STREAM_BOUND_MS } from '../../src/redis/subscriber.ts'
import type { ChildSaid } from './cache-child.ts'
import { gate } from './cache-deferred.ts'
import { keepAllInMemory } from './cache-memory.ts'
import { Place } from './place.ts'
import { tap } from './tap.ts'

const place = new Place({ caches: ['it', 'other'] })
const memory = { maxEntries: 10_000 }
const IDS = Array.from({ length: 600 }, (_, i) => `id:${(i * 7919) % 600}`)

async function make<T = unknown>(options: Partial<CacheOptions<T>> = {}): Promise<Cache<T>> {
  return (await place.connect()).cache<T>('it', { ttl: '1m', ...options })
}

const entries = () => place.keys(`{${place.namespace}:cache:it:*`)
const entryKey = (id: string) => `{${place.namespace}:cache:it:${id}}`

/** How many of our keys each server has. */
const countsByServer = () =>
  Promise.all(place.all.map(async (witness) => (await witness.keys(`*${place.namespace}:cache:*`)).length))

describe.each([
  ['without memory', {}],
  ['with memory', { memory }],
] as const)('getMany of hundreds of ids, %s,', (_, tier) => {
  it.each(['process', 'fleet'] as const)(
    'keeps their order and loads what is missing by one call, with one loader per %s',
    async (stampede) => {
      const cache = await make<string>({ ...tier, stampede })
      const there = IDS.filter((_, i) => i % 3 === 0)
      await Promise.all(there.map((id) => cache.set(id, `set ${id}`)))
      const load = vi.fn(async (ids: readonly string[]) => ids.map((id) => `loaded ${id}`))
      const found = await cache.getMany(IDS, load)
      expect([...found.keys()]).toEqual(IDS)
      for (const [i, id] of IDS.entries()) expect(found.get(id)).toBe(i % 3 === 0 ? `set ${id}` : `loaded ${id}`)
      expect(load).toHaveBeenCalledOnce()
      expect(load.mock.calls[0]?.[0].toSorted()).toEqual(IDS.filter((_, i) => i % 3 !== 0).sort())
      // All were stored, where they belong, and no lease is left.
      expect(await cache.getMany(IDS, load)).toEqual(found)
      expect(load).toHaveBeenCalledOnce()
      expect(await entries()).toHaveLength(IDS.length)
      for (const count of await countsByServer()) expect(count).toBeGreaterThan(0)
      expect(await place.keys(`lease:*${place.namespace}*`)).toEqual([])
      const other = await make<string>({ ...tier, stampede })
      expect(await other.getMany(IDS)).toEqual(found)
    },
  )
})

it('getMany asks by one command for each slot of a Cluster, and for each server elsewhere, whatever the number of ids', async () => {
  const cache = await make<string>()
  const ids = IDS.slice(0, 200)
  await cache.getMany(ids, (missing) => missing.map((id) => id))
  const heard = await tap(place, () => cache.getMany(ids))
  const places = new Set(
    ids.map((id) => (place.kind === 'cluster' ? slotOf(entryKey(id)) : place.at(entryKey(id)).port)),
  )
  expect(heard).toHaveLength(places.size)
  expect(heard.flatMap(({ keys }) => keys).sort()).toEqual(ids.map(entryKey).sort())
  for (const { command, keys, port } of heard) {
    expect(command).toBe(keys.length === 1 && place.sharesKeys ? 'GET' : 'MGET')
    for (const key of keys) expect(place.at(key).port).toBe(port)
  }
})

it('shares the loads of overlapping getMany of one process, whose ids lie on all servers', async () => {
  const cache = await make<string>()
  const loaded: string[] = []
  const load = async (ids: readonly string[]) => {
    loaded.push(...ids)
    await new Promise((resolve) => setTimeout(resolve, 100))
    return ids.map((id) => `loaded ${id}`)
  }
  const found = await Promise.all(Array.from({ length: 5 }, (_, i) => cache.getMany(IDS.slice(i * 100), load)))
  for (const [i, one] of found.entries()) {
    expect([...one.keys()]).toEqual(IDS.slice(i * 100))
    for (const [id, value] of one) expect(value).toBe(`loaded ${id}`)
  }
  expect(loaded.sort()).toEqual(IDS.toSorted())
})

describe('tags', () => {
  it('end the entries of all servers at once, though their epochs are on one', async () => {
    const [a, b] = [await make<number>({ tags: ['t'] }), await make<number>({ tags: ['t'] })]
    const ids = IDS.slice(0, 60)
    await a.getMany(ids, (missing) => missing.map(() => 1))
    const tags = (await place.keys(`{${place.namespace}:cache:it}:*`)).map((key) => place.at(key).port)
    expect(new Set(tags).size).toBe(1)
    const homes = new Set(ids.map((id) => place.at(entryKey(id)).port))
    expect(homes.size).toBe(place.all.length)
    for (const by of [a, b]) {
      expect([...(await b.getMany(ids)).values()]).toEqual(ids.map(() => 1))
      await by.invalidateTag('t')
      for (const cache of [a, b]) expect([...(await cache.getMany(ids)).values()]).toEqual(ids.map(() => undefined))
      for (const id of ids) expect(await a.get(id, () => 1)).toBe(1)
    }
  })

  it('that the values name are compared at the fill of each, be it here or there', async () => {
    const options = { tags: (value: { group: string }) => [`group:${value.group}`] }
    const [a, b] = [await make<{ group: string }>(options), await make<{ group: string }>(options)]
    const ids = IDS.slice(0, 60)
    const late = a.getMany(ids, async (missing) => {
      await b.invalidateTag('group:1')
      return missing.map((id) => ({ group: String(Number(id.slice(3)) % 3) }))
    })
    await late
    const kept = [...(await b.getMany(ids)).values()].filter((value) => value !== undefined)
    // Which tags there are was not known when the load began: one that was invalidated since voids all it might concern.
    expect(kept.every(({ group }) => group !== '1')).toBe(true)
    await a.getMany(ids, (missing) => missing.map((id) => ({ group: String(Number(id.slice(3)) % 3) })))
    await a.invalidateTag('group:2')
    const left = await b.getMany(ids)
    for (const [id, value] of left) expect(value === undefined).toBe(Number(id.slice(3)) % 3 === 2)
  })
})

describe('what is removed', () => {
  it('by a pattern is gone from every server, and nothing else is', async () => {
    const cache = await make<number>()
    const users = IDS.slice(0, 200).map((id) => `user:${id}`)
    const orders = IDS.slice(0, 50).map((id) => `order:${id}`)
    await Promise.all([...users, ...orders].map((id, i) => cache.set(id, i)))
    expect(await cache.invalidatePattern('user:*')).toBe(users.length)
    expect(await place.keys(`*${place.namespace}:cache:it:user:*`)).toEqual([])
    expect(await entries()).toEqual(orders.map(entryKey).sort())
  })

  it('by clear leaves nothing on any server, of entries, leases and tags, and nothing of others is lost', async () => {
    const hf = await place.connect()
    const cache = hf.cache<number>('it', { ttl: '1m', tags: (value) => [`t${value % 7}`] })
    const other = hf.cache<number>('other', { ttl: '1m', tags: ['t'] })
    await cache.getMany(IDS, (ids) => ids.map((_, i) => i))
    await other.getMany(IDS.slice(0, 60), (ids) => ids.map((_, i) => i))
    const before = await place.keys(`*${place.namespace}:cache:other*`)
    expect(before.length).toBeGreaterThan(60)
    const slow = gate<number>()
    const loading = cache.get('slow', slow.load)
    await slow.began
    await cache.clear()
    slow.answer(1)
    expect(await loading).toBe(1)
    expect(await place.keys(`*${place.namespace}:cache:it:*`)).toEqual([])
    expect((await place.keys(`*${place.namespace}:cache:it}:tag:*`)).length).toBeLessThanOrEqual(1)
    expect(await place.keys(`*${place.namespace}:cache:other*`)).toEqual(before)
  })
})

describe('the memory tier', () => {
  it('hears within its bound of changes by another instance, of keys on every server', async () => {
    const [a, b] = [await make<number>({ memory }), await make<number>()]
    const ids = IDS.slice(0, 90)
    expect(new Set(ids.map((id) => place.at(entryKey(id)).port)).size).toBe(place.all.length)
    await keepAllInMemory(a, ids, 0)
    const changes: readonly ((id: string) => Promise<unknown>)[] = [
      (id) => b.set(id, 1),
      (id) => b.delete(id),
      (id) => place.command('DEL', entryKey(id)),
    ]
    const changedMs = performance.now()
    await Promise.all(ids.map((id, i) => changes[i % 3]?.(id)))
    await vi.waitFor(
      async () => {
        for (const [i, id] of ids.entries()) expect(await a.get(id)).toBe(i % 3 === 0 ? 1 : undefined)
      },
      { timeout: STREAM_BOUND_MS, interval: 5 },
    )
    expect(performance.now() - changedMs).toBeLessThan(STREAM_BOUND_MS)
  })

  it('hears within its bound of tags, whose news come from another server than the entry', async () => {
    const options = { memory, tags: ['t'] }
    const [a, b] = [await make<number>(options), await make<number>({ tags: ['t'] })]
    const ids = IDS.slice(0, 30)
    await keepAllInMemory(a, ids, 1)
    await b.invalidateTag('t')
    await vi.waitFor(
      async () => {
        for (const id of ids) expect(await a.get(id)).toBeUndefined()
      },
      { timeout: STREAM_BOUND_MS, interval: 5 },
    )
  })

  it('is on for keys of every server again after its connections were cut', async () => {
    const [a, b] = [await make<number>({ memory }), await make<number>()]
    const ids = IDS.slice(0, 30)
    await keepAllInMemory(a, ids, 1)
    await place.killListeners()
    await Promise.all(ids.map((id) => b.set(id, 2)))
    await vi.waitFor(
      async () => {
        for (const id of ids) expect(await a.get(id)).toBe(2)
      },
      { timeout: STREAM_BOUND_MS, interval: 5 },
    )
    await vi.waitFor(async () => {
      const before = a.stats.hits.memory
      for (const id of ids) expect(await a.get(id)).toBe(2)
      expect(a.stats.hits.memory - before).toBe(ids.length)
    })
  })
})

describe('a fleet', () => {
  it('loads each of many cold keys once, from several instances at once', async () => {
    let loads = 0
    const options: Partial<CacheOptions<string>> = {
      stampede: 'fleet',
      load: async (id) => {
        loads++
        await new Promise((resolve) => setTimeout(resolve, 50))
        return `loaded ${id}`
      },
    }
    const caches = await Promise.all([make<string>(options), make<string>(options), make<string>(options)])
    const ids = IDS.slice(0, 30)
    const got = await Promise.all(
      caches.flatMap((cache) => ids.map((id) => Promise.all([id, cache.get(id), cache.get(id)]))),
    )
    for (const [id, one, two] of got) expect([one, two]).toEqual([`loaded ${id}`, `loaded ${id}`])
    expect(loads).toBe(ids.length)
  })

  // A process takes three seconds of a processor to start.
  const costly = place.variant.product === 'redis' && !place.isMain ? it : undefined
  costly?.('of two processes loads a cold key once', async () => {
    let loads = 0
    const load = async () => {
      loads++
      await new Promise((resolve) => setTimeout(resolve, 200))
      return 'loaded here'
    }
    const own = await make<string>({ stampede: 'fleet', load })
    const [url, { addressMap, namespace, timeout }] = await place.address()
    const child = fork(new URL('./cache-child.ts', import.meta.url), {
      execArgv: ['--import', new URL('../../scripts/typescript.mjs', import.meta.url).href],
    })
    try {
      await said(child, 'up')
      child.send({ url, options: { addressMap, namespace, timeout }, callers: 100 })
      await said(child, 'ready')
      const done = said(child, 'done')
      child.send('go')
      const values = await Promise.all(Array.from({ length: 100 }, () => own.get('cold')))
      const theirs = await done
      expect(loads + theirs.loads).toBe(1)
      expect(new Set([...values, ...theirs.values]).size).toBe(1)
      await once(child, 'exit')
    } finally {
      child.kill('SIGKILL')
    }
  })
})

/** The next thing of that kind which the child says. */
const said = (child: ChildProcess, what: string) =>
  new Promise<ChildSaid>((resolve, reject) => {
    child.on('message', (message: ChildSaid) => message.said === what && resolve(message))
    child.once('exit', (code) => reject(new Error(`the child ended with ${code} before it said ${what}`)))
  })
