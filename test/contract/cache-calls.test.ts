import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { Holdfast } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Place } from './place.ts'

const place = new Place({ caches: ['p', 'sure', 'maybe', 'none'] })
let hf: Holdfast
beforeEach(async () => {
  hf = await place.connect()
})

const gone = () => AbortSignal.abort(new Error('gone'))

describe('a call of the cache', () => {
  it('does nothing when its signal has fired before', async () => {
    let persisted = 0
    let loaded = 0
    const cache = hf.cache<number>('p', {
      ttl: '1m',
      write: { mode: 'through', persist: () => void persisted++ },
      loadMany: (ids) => {
        loaded++
        return ids.map(() => 1)
      },
    })
    await cache.set('kept', 1)
    persisted = 0
    await expect(cache.set('1', 1, { signal: gone() })).rejects.toThrow('gone')
    await expect(cache.getMany(['7'], { signal: gone() })).rejects.toThrow('gone')
    await expect(cache.delete('kept', { signal: gone() })).rejects.toThrow('gone')
    await expect(cache.clear({ signal: gone() })).rejects.toThrow('gone')
    expect([persisted, loaded, await cache.peek('1'), await cache.peek('kept')]).toEqual([0, 0, undefined, 1])
  })

  it('does so also where memory has the answer', async () => {
    const cache = hf.cache<number>('p', { ttl: '1m', memory: {}, load: () => 1 })
    await vi.waitFor(async () => {
      await cache.get('1')
      expect(cache.stats.hits.memory).toBeGreaterThan(0)
    })
    const { memory } = cache.stats.hits
    await expect(cache.get('1', { signal: gone() })).rejects.toThrow('gone')
    await expect(cache.get('1', () => 2, { signal: gone() })).rejects.toThrow('gone')
    await expect(cache.getMany(['1'], { signal: gone() })).rejects.toThrow('gone')
    await expect(cache.peek('1', { signal: gone() })).rejects.toThrow('gone')
    expect([await cache.get('1', { signal: new AbortController().signal }), cache.stats.hits.memory]).toEqual([
      ...[1, memory + 1],
    ])
  })

  it('refuses options that it does not know', async () => {
    const cache = hf.cache<number>('p', { ttl: '1m', load: () => 1 })
    const wrong = { ttll: 1 } as never
    for (const call of [
      cache.set('1', 1, wrong),
      cache.get('1', wrong),
      cache.get('1', () => 1, wrong),
      cache.get('1', 'no function' as never),
      cache.getMany(['1'], wrong),
      cache.peek('1', wrong),
      cache.delete('1', wrong),
      cache.invalidateTag('t', wrong),
    ])
      await expect(call).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('reports on a channel of its own, once', async () => {
    const cache = hf.cache<number>('p', { ttl: '1m', load: () => 1 })
    const heard: string[] = []
    const listener = (_: unknown, name: string | symbol) => void heard.push(String(name).split(':')[2] as string)
    const verbs = ['get', 'getMany', 'peek', 'set', 'delete', 'invalidateTag', 'invalidatePattern', 'clear']
    const names = verbs.map((verb) => `tracing:holdfast:cache.${verb}:start`)
    for (const name of names) subscribe(name, listener)
    await cache.get('1')
    await cache.getMany(['1'])
    await cache.peek('1')
    await cache.set('1', 1)
    await cache.delete('1')
    await cache.invalidateTag('t')
    await cache.invalidatePattern('*')
    await cache.clear()
    for (const name of names) unsubscribe(name, listener)
    expect(heard).toEqual(verbs.map((verb) => `cache.${verb}`))
  })

  it('is refused once the instance is closed, and no new cache is handed out', async () => {
    const other = await place.connect()
    const cache = other.cache<number>('p', { ttl: '1m', load: () => 1 })
    await other.close()
    await expect(cache.get('1')).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    expect(() => other.cache('q', { ttl: 1 })).toThrow(expect.objectContaining({ code: 'CONNECTION_CLOSED' }))
  })
})

describe('the options of a cache', () => {
  it('are others with another bound function, whose text says nothing', () => {
    const load = (value: number) => value
    hf.cache('p', { ttl: '1m', load: load.bind(undefined, 1) })
    expect(() => hf.cache('p', { ttl: '1m', load: load.bind(undefined, 2) })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })

  it('say by the loader whether a value is sure', async () => {
    interface Product {
      readonly id: string
    }
    const sure = hf.cache<Product>('sure', { ttl: '1m', load: async (id) => ({ id }) })
    const maybe = hf.cache<Product>('maybe', { ttl: '1m', load: async (id) => (id === 'x' ? undefined : { id }) })
    const none = hf.cache<Product>('none', { ttl: '1m' })
    const found: Product = await sure.get('1')
    const perhaps: Product | undefined = await maybe.get('x')
    // @ts-expect-error there is no loader, and may be no value
    const absent: Product = await none.get('1')
    const given: Product = await none.get('1', async (id) => ({ id }))
    expect([found.id, perhaps, absent, given.id]).toEqual(['1', undefined, undefined, '1'])
  })
})
