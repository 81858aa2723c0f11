import { describe, expect, it } from 'vitest'
import { sameOptions } from '../base/named.ts'
import { type CacheOptions, inOrder, resolveCacheOptions } from './options.ts'

const resolve = (options: object) => resolveCacheOptions({ ttl: '1m', ...options } as CacheOptions<unknown>)

describe('the options of a cache', () => {
  it('have the defaults that their docs say', () => {
    expect(resolve({})).toMatchObject({
      ttlMs: 60_000,
      staleMs: 0,
      nullTtlMs: 30_000,
      jitter: 0,
      early: 0,
      softMs: 0,
      hardMs: undefined,
      fleet: false,
      whenDown: 'load',
      memory: undefined,
      write: undefined,
    })
    expect([true, false, 2.5].map((early) => resolve({ expiry: { early } }).early)).toEqual([1, 0, 2.5])
    expect(resolve({ ttl: '5s' }).nullTtlMs).toBe(5_000)
    expect(resolve({ memory: {} }).memory).toEqual({ maxEntries: 10_000, maxBytes: 64 * 1024 * 1024, ttlMs: 60_000 })
  })

  it.each<[string, object]>([
    ['ttl', { ttl: undefined }],
    ['ttl', { ttl: 'soon' }],
    ['ttl', { ttl: 0 }],
    ['ttl', { ttl: -1 }],
    ['ttl', { ttl: Number.NaN }],
    ['ttk', { ttk: '1m' }],
    ['load', { load: 5 }],
    ['loadMany', { loadMany: 'x' }],
    ['tags', { tags: 'one' }],
    ['tags', { tags: Array.from({ length: 65 }, String) }],
    ['tags[1]', { tags: ['fine', 7] }],
    ['tags[0]', { tags: ['x'.repeat(513)] }],
    ['memory', { memory: true }],
    ['memory.maxEntries', { memory: { maxEntries: 0 } }],
    ['memory.maxBytes', { memory: { maxBytes: 0.5 } }],
    ['memory.ttl', { memory: { ttl: 'x' } }],
    ['memory.size', { memory: { size: 1 } }],
    ['stampede', { stampede: 'none' }],
    ['expiry', { expiry: 5 }],
    ['expiry.stale', { expiry: { stale: -1 } }],
    ['expiry.nullTtl', { expiry: { nullTtl: 0 } }],
    ['expiry.jitter', { expiry: { jitter: 1.5 } }],
    ['expiry.early', { expiry: { early: -1 } }],
    ['expiry.early', { expiry: { early: 1_001 } }],
    ['expiry.early', { expiry: { early: Number.NaN } }],
    ['expiry.early', { expiry: { early: 'yes' } }],
    ['loader.softTimeout', { loader: { softTimeout: -1 } }],
    ['loader.softTimeout', { loader: { softTimeout: '1s' } }],
    ['loader.softTimeout', { expiry: { stale: '1m' }, loader: { softTimeout: '2s', hardTimeout: '1s' } }],
    ['loader.hardTimeout', { loader: { hardTimeout: 0 } }],
    ['loader.timeout', { loader: { timeout: 1 } }],
    ['expiry.grace', { expiry: { grace: 1 } }],
    ['loader.concurrency', { loader: { concurrency: 0 } }],
    ['loader', { loader: () => 1 }],
    ['whenDown', { whenDown: 'wait' }],
    ['write.mode', { write: { mode: 'around', persist: () => 1 } }],
    ['write.persist', { write: { mode: 'through' } }],
    ['write.retry.attempts', { write: { mode: 'through', persist: () => 1, retry: { attempts: 0 } } }],
    ['write.retry.base', { write: { mode: 'through', persist: () => 1, retry: { base: 'x' } } }],
  ])('refuse a wrong %s at once, by name', (option, options) => {
    expect(() => resolve(options)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  })

  it('refuse what is no object', () => {
    for (const options of [undefined, null, 5, 'x'])
      expect(() => resolveCacheOptions(options as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('are the same when they mean the same', () => {
    const load = (id: string) => id
    expect(sameOptions(resolve({ ttl: '60s', load }), resolve({ ttl: 60_000, load }))).toBe(true)
    expect(sameOptions(resolve({ tags: ['a'] }), resolve({ tags: ['b'] }))).toBe(false)
    expect(sameOptions(resolve({ memory: {} }), resolve({}))).toBe(false)
    expect(sameOptions(resolve({ loadMany: () => [] }), resolve({ loadMany: () => [1] }))).toBe(false)
  })

  it('take a Map or an array of many, and nothing of another length', () => {
    expect(inOrder(['a', 'b'], new Map([['b', 1]]))).toEqual([undefined, 1])
    expect(inOrder(['a', 'b'], [1, 2])).toEqual([1, 2])
    for (const wrong of [[1], [1, 2, 3], undefined, 5, { a: 1 }])
      expect(() => inOrder(['a', 'b'], wrong)).toThrow(expect.objectContaining({ option: 'loadMany' }))
  })
})
