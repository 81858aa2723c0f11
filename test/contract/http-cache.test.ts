import type { Holdfast } from 'holdfast'
import { type CacheResponseOptions, cacheResponse, responseTags } from 'holdfast/fetch'
import { HoldfastKeyv } from 'holdfast/keyv'
import { Keyv } from 'keyv'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { gate } from './cache-deferred.ts'
import { Place } from './place.ts'

const place = new Place({ caches: ['pages', 'tagged', 'fleet'], keyv: ['', 'other'] })
let hf: Holdfast
beforeEach(async () => {
  hf = await place.connect()
})

describe('a cache of responses', () => {
  const open = (
    one: Holdfast,
    handler: (request: Request) => Response | Promise<Response>,
    options?: CacheResponseOptions<Request>,
  ) => {
    const pages = cacheResponse(one.cache('pages', { ttl: '1h' }), { ttl: '1m', ...options })
    const ask = async (path: string, headers: Record<string, string> = {}) =>
      (await pages(handler)(new Request(`http://shop.test${path}`, { headers }))).text()
    return Object.assign(ask, pages)
  }

  it('answers other processes from what one has stored, each variant by itself, until it is purged', async () => {
    const handler = vi.fn(
      async (request: Request) =>
        new Response(`${request.url} ${request.headers.get('accept-language')}`, {
          headers: { vary: 'Accept-Language' },
        }),
    )
    const [one, other] = [open(hf, handler), open(await place.connect(), handler)]
    const paths = ['/', '/a?b=1', '/ü', '/{x}']
    const all = async (ask: typeof one) => {
      const texts = []
      for (const path of paths)
        for (const language of ['de', 'fr']) texts.push(await ask(path, { 'accept-language': language }))
      return texts
    }
    const first = await all(one)
    expect(new Set(first).size).toBe(8)
    await vi.waitFor(async () => {
      handler.mockClear()
      expect(await all(other)).toEqual(first)
      expect(handler).not.toHaveBeenCalled()
    })
    await one.purge('http://shop.test/a?b=1')
    await other.purge('/')
    await all(other)
    expect(handler).toHaveBeenCalledTimes(4)
  })

  it('stores nothing that was made before its tag was invalidated', async () => {
    const cache = hf.cache('tagged', { ttl: '1h', tags: responseTags })
    const slow = gate<Response>()
    const pages = cacheResponse(cache, { ttl: '1m', tags: () => ['team:7'] })
    const old = pages(slow.load)(new Request('http://shop.test/p'))
    await slow.began
    await cache.invalidateTag('team:7')
    slow.answer(new Response('old'))
    expect(await (await old).text()).toBe('old')
    const fresh = pages(() => new Response('new'))
    await vi.waitFor(async () => expect(await (await fresh(new Request('http://shop.test/p'))).text()).toBe('new'))
  })

  it('runs the handler once among processes', async () => {
    const slow = gate<Response>()
    const ask = async (one: Holdfast) =>
      (
        await cacheResponse(one.cache('fleet', { ttl: '1h', stampede: 'fleet' }), { ttl: '1m' })(slow.load)(
          new Request('http://shop.test/p'),
        )
      ).text()
    const other = await place.connect()
    const all = [hf, other, hf, other].map(ask)
    await slow.began
    slow.answer(new Response('one'))
    expect(await Promise.all(all)).toEqual(Array(4).fill('one'))
    expect(slow.calls).toBe(1)
  })
})

it('a store for Keyv keeps many keys wherever they live, and clears its own', async () => {
  const [one, other] = [
    new Keyv({ store: new HoldfastKeyv(hf), namespace: 'a', throwOnErrors: true }),
    new Keyv({ store: new HoldfastKeyv(hf, 'other'), namespace: 'a', throwOnErrors: true }),
  ]
  const keys = Array.from({ length: 50 }, (_, i) => `k${i}`)
  await one.setMany(keys.map((key) => ({ key, value: { key }, ttl: 60_000 })))
  await other.set('k0', 'other')
  expect(await one.getMany(keys)).toEqual(keys.map((key) => ({ key })))
  const found: string[] = []
  for await (const [key] of (one.iterator as NonNullable<typeof one.iterator>)({})) found.push(key)
  expect(found.sort()).toEqual([...keys].sort())
  expect(await one.deleteMany(keys.slice(0, 10))).toBe(true)
  expect(await one.hasMany(['k9', 'k10'])).toEqual([false, true])
  await one.clear()
  expect(await one.getMany(keys)).toEqual(keys.map(() => undefined))
  expect(await other.get('k0')).toBe('other')
})
