import type { CacheOptions, Holdfast } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['it', 'own'] })
let hf: Holdfast
beforeEach(async () => {
  hf = await place.connect()
})

const on = (one: Holdfast, options: Partial<CacheOptions<string>> = {}) =>
  one.cache<string>('it', { ttl: '1m', ...options } as CacheOptions<string>)

describe.each(['process', 'fleet'] as const)('refresh, one load per %s,', (stampede) => {
  it('replaces a value, which others are served meanwhile, by one load for all who ask for it', async () => {
    const cache = on(hf, { stampede })
    await cache.set('k', 'old')
    const slow = gate<string>()
    const both = [cache.refresh('k', slow.load), cache.refresh('k', () => 'never')]
    await slow.began
    expect([await cache.peek('k'), await cache.get('k', () => 'never')]).toEqual(['old', 'old'])
    slow.answer('new')
    expect(await Promise.all(both)).toEqual(['new', 'new'])
    expect(await cache.peek('k')).toBe('new')
  })

  it('leaves the old value where the load fails or gives none', async () => {
    const cache = on(hf, { stampede })
    await cache.set('k', 'old')
    await expect(
      cache.refresh('k', () => {
        throw new Error('down')
      }),
    ).rejects.toThrow('down')
    expect(await cache.refresh('k', () => undefined)).toBeUndefined()
    expect(await cache.peek('k')).toBe('old')
  })

  it('stores nothing that was loaded before an invalidation', async () => {
    const cache = on(hf, { stampede })
    await cache.set('k', 'old')
    const slow = gate<string>()
    const refreshed = cache.refresh('k', slow.load)
    await slow.began
    await cache.delete('k')
    slow.answer('read before')
    expect(await refreshed).toBe('read before')
    expect(await cache.peek('k')).toBeUndefined()
  })
})

it("waits for another process's refresh, and takes its value only if it will do", async () => {
  const other = on(await place.connect(), { stampede: 'fleet' })
  const cache = on(hf, { stampede: 'fleet' })
  await cache.set('k', 'old')
  const slow = gate<string>()
  const first = other.refresh('k', slow.load)
  await slow.began
  const load = vi.fn(() => 'mine')
  const seen: string[] = []
  const unless = (value: string) => seen.push(value) > 0 && value === 'new'
  const second = cache.refresh('k', load, { unless })
  await vi.waitFor(() => expect(cache.stats.waited).toBeGreaterThan(1))
  expect(seen).toContain('old')
  slow.answer('new')
  expect(await Promise.all([first, second])).toEqual(['new', 'new'])
  expect(load).not.toHaveBeenCalled()
})

it('refuses what it cannot do', async () => {
  await expect(on(hf).refresh('k')).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'load' })
  await expect(on(hf).refresh('k', () => '', { unless: 1 as never })).rejects.toMatchObject({ option: 'unless' })
  const own = hf.cache<string>('own', { ttl: '1m', load: (id) => `own ${id}` })
  expect(await own.refresh('k')).toBe('own k')
})
