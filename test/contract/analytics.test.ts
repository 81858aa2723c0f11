import type { AnalyticsOptions, Holdfast } from 'holdfast'
import { beforeEach, expect, it } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const place = new Place({ analytics: ['site', ''] })
const DAY = { window: '1d' } as const
const NAMES = ['', ' ', '{', '}', '{a}b', 'a}:t:page', 'a', 'a:t', '*', '\n', '%7B', 'Ünal 🎭', 'x'.repeat(512)]
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

const siteOf = (one: Holdfast, options: AnalyticsOptions = {}) =>
  one.analytics('site', { flush: { every: '1h' }, ...options })

it.each([1, 5])('counts what several instances mark once and whole, spread over %i slots', async (spread) => {
  const all = [hf, await place.connect(), await place.connect()]
  const sites = all.map((one) => siteOf(one, { spread }))
  const at = Date.now()
  for (let i = 0; i < 600; i++) {
    const site = sites[i % 3] as (typeof sites)[0]
    void site.hit('page', `/${i % 40}`, { visitor: `v${i % 50}`, at })
    void site.track(i % 2 === 0 ? 'seen' : 'booked', { amount: i }, { visitor: `v${i % 25}`, at })
  }
  await Promise.all(sites.map((site) => site.flush()))
  const site = sites[0] as (typeof sites)[0]
  expect(await site.hits('page', DAY)).toBe(600)
  expect(await site.top('page', 40, DAY)).toHaveLength(40)
  expect((await site.top('page', 3, DAY)).every(({ count, error }) => count === 15 && error === 0)).toBe(true)
  expect(Math.abs((await site.unique('page', DAY)) - 50)).toBeLessThanOrEqual(2)
  expect(await site.unique('page', '/7', DAY)).toBe(5)
  expect(await site.count('seen', DAY)).toBe(300)
  expect(await site.sum('booked', 'amount', DAY)).toBe(90_000)
  expect((await site.recent('booked', 3)).map(({ atMs }) => atMs)).toEqual([at, at, at])
  const points = await site.series('seen', { window: '3h', step: '1h' })
  expect(points.map(({ count }) => count).reduce((a, b) => a + b)).toBe(300)
  expect(await site.funnel(['seen', 'booked'], DAY)).toEqual([
    { event: 'seen', visitors: 25, share: 1, error: 0 },
    { event: 'booked', visitors: 25, share: 1, error: 0 },
  ])
  let items = 0
  for await (const { kind } of site.export({ ...DAY, tier: 'day' })) if (kind === 'item') items++
  expect(items).toBe(40)
  const keys = await place.keys(`*${place.namespace}:analytics:*`)
  expect(new Set(keys.map(hashTag)).size).toBe(spread)
  // Minutes are kept for six hours.
  for (const key of keys.slice(0, 20)) expect(await place.command<number>('PTTL', key)).toBeGreaterThan(5 * 3_600_000)
})

it('takes any name, and keeps them apart', async () => {
  for (const name of ['site', '']) {
    const site = hf.analytics(name, { flush: { every: '1h' } })
    for (const [i, one] of NAMES.entries())
      for (let n = 0; n <= i; n++) {
        void site.track(one, { [one]: 2 })
        void site.hit(one, one, { visitor: 'ann' })
      }
    await site.flush()
    await Promise.all(
      NAMES.map(async (one, i) => {
        expect(await site.count(one, DAY)).toBe(i + 1)
        expect(await site.sum(one, one, DAY)).toBe(2 * (i + 1))
        expect(await site.top(one, 5, DAY)).toEqual([{ item: one, count: i + 1, error: 0 }])
        expect(await site.unique(one, one, DAY)).toBe(1)
        expect(await site.recent(one)).toHaveLength(i + 1)
      }),
    )
  }
})
