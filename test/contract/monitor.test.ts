import type { Holdfast } from 'holdfast'
import { Histogram } from 'holdfast/monitor'
import { beforeEach, expect, it } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const place = new Place({ monitor: true })
/** So many metrics lie on every one of three servers, but once in a million runs. */
const NAMES = Array.from({ length: 36 }, (_, i) => `metric ${i}`)
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

it('measures work, passes on what it answers and throws, and tells times and errors apart', async () => {
  const { monitor } = hf
  for (let i = 0; i < 4; i++) expect(await monitor.time('checkout', async () => i)).toBe(i)
  await expect(monitor.time('checkout', () => Promise.reject(new Error('sold out')))).rejects.toThrow('sold out')
  const other = await place.connect()
  expect(await other.monitor.stats('checkout')).toMatchObject({ count: 0, errors: 0 })
  const stats = await monitor.stats('checkout', { window: '1m' })
  expect(stats).toMatchObject({ count: 4, errors: 1 })
  expect(stats.min).toBeLessThanOrEqual(stats.p50)
  expect(stats.p99).toBeLessThanOrEqual(stats.max)
  expect(stats.toMs - stats.fromMs).toBeGreaterThanOrEqual(60_000)
  expect(await other.monitor.stats('checkout', { window: '90d' })).toMatchObject({
    count: 4,
    errors: 1,
    sum: stats.sum,
  })
  expect(await other.monitor.list()).toEqual(['checkout'])
})

it('adds up over four instances to what one would have counted', async () => {
  const all = await Promise.all([0, 1, 2, 3].map(() => place.connect()))
  const whole = new Histogram()
  const lots = all.map((_, part) =>
    // Each once, so that least and most are each of one instance alone.
    Array.from({ length: 300 }, (_, i) => ((((i * 4 + part) * 7_919) % 1_201) + 1) ** 2 / 8),
  )
  for (const value of lots.flat()) whole.record(value)
  await Promise.all(all.map(({ monitor }, i) => monitor.record({ load: { values: lots[i] as number[], errors: i } })))
  for (const window of ['1m', '1h', '1d', '90d'] as const) {
    const stats = await hf.monitor.stats('load', { window })
    expect(stats).toMatchObject({ count: 1_200, errors: 6, min: whole.min, max: whole.max })
    expect(stats.sum).toBeCloseTo(whole.sum, 1)
    expect([stats.p50, stats.p95, stats.p99]).toEqual([0.5, 0.95, 0.99].map((share) => whole.percentile(share)))
  }
})

it('records many metrics at once, each on one server, all of them for a time', async () => {
  expect(await hf.monitor.record({ orders: { count: 3, value: 120.5 }, logins: {}, mails: { errors: 2 } })).toBe(true)
  expect(await hf.monitor.stats('orders')).toMatchObject({ count: 3, sum: 120.5, avg: 120.5 / 3, errors: 0 })
  expect(await hf.monitor.stats('logins')).toMatchObject({ count: 1, sum: 0 })
  expect(await hf.monitor.stats('mails')).toMatchObject({ count: 0, avg: 0, p99: 0, errors: 2 })
  await hf.monitor.record(Object.fromEntries(NAMES.map((name, i) => [name, { value: i }])))
  expect(await hf.monitor.list()).toEqual([...NAMES, 'logins', 'mails', 'orders'].sort())
  const keys = await place.keys(`*${place.namespace}:monitor*`)
  expect(keys).toHaveLength(3 * (NAMES.length + 3) + 1)
  expect(new Set(keys.map(hashTag)).size).toBe(NAMES.length + 4)
  for (const key of keys) expect(await place.command<number>('PTTL', key)).toBeGreaterThan(3 * 3_600_000)
})

it('takes any name, and keeps them apart', async () => {
  const names = ['', ' ', '{', '}', 'a:m1', 'a', '*', '\n', '%7B', 'Ünal 🎭', '__proto__', 'x'.repeat(512)]
  await hf.monitor.record(Object.fromEntries(names.map((name, i) => [name, { value: i }])))
  for (const [i, name] of names.entries()) expect((await hf.monitor.stats(name)).sum).toBe(i)
  expect(await hf.monitor.list()).toEqual(names.sort())
})
