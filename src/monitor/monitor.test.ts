import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { connect } from 'holdfast'
import { testNamespace } from 'holdfast/testing'
import { describe, expect, it, vi } from 'vitest'
import { Ground } from '../holdfast.fixture.ts'
import { Holdfast as Instance } from '../holdfast.ts'
import { readMetric } from './inspect.ts'
import { Series } from './series.ts'
import { MonitorStore } from './store.ts'
import { cover, endOfLife } from './tiers.ts'

// So that its files may be sent where nothing can be written.
const ground = new Ground('monitor', { config: { 'enable-protected-configs': 'yes' } })

it('covers any window by cells that lie side by side, and are kept for so long', () => {
  const MINUTE = 60_000
  fc.assert(
    fc.property(
      fc.integer({ min: MINUTE, max: 90 * 86_400_000 }),
      fc.integer({ min: 1.7e12, max: 1.9e12 }),
      (windowMs, nowMs) => {
        const { fromMs, cells } = cover(windowMs, nowMs)
        expect(fromMs).toBeLessThanOrEqual(nowMs - windowMs)
        let atMs = fromMs
        for (const cell of cells) {
          if (cell.index * cell.tier.cellMs !== atMs || endOfLife(cell) <= nowMs) expect.unreachable(`${atMs}`)
          atMs += cell.tier.cellMs
        }
        expect(atMs).toBeGreaterThan(nowMs)
        expect(cells.length).toBeLessThan(60 + 60 + 24 + 24 + 91)
        const beyond = windowMs <= 3 * 3_600_000 ? MINUTE : windowMs <= 7 * 86_400_000 ? 3_600_000 : 86_400_000
        expect(nowMs - windowMs - fromMs).toBeLessThan(beyond)
      },
    ),
    { numRuns: 300 },
  )
})

/** Around two values that are far apart, and now and then one of a tail that has no end. */
const sampleOf = (i: number, share: number): number =>
  i % 5 === 0 ? Math.min(9e12, 0.5 / share ** 2) : i % 2 === 0 ? 1 + share / 10 : 1_000 + share

it.each([
  ['midnight', 86_400_000],
  ['the hour', 3_600_000],
])('tells what a plain list tells, of four processes and of any window, just after %s', async (_, edgeMs) => {
  const namespace = testNamespace('monitor')
  const [HOUR, DAY] = [3_600_000, 86_400_000]
  let aheadMs = 0
  class Shifted extends MonitorStore {
    override get nowMs() {
      return super.nowMs + aheadMs
    }
  }
  const hfs = await Promise.all([0, 1, 2, 3].map(() => ground.connect({ namespace })))
  const stores = hfs.map((hf) => new Shifted(Instance.redisOf(hf)))
  const series = stores.map((store) => new Series(store, 'load'))
  const [reader] = stores as [MonitorStore]
  const endMs = Math.ceil(reader.nowMs / edgeMs) * edgeMs + 5
  const samples = fc
    .sample(fc.tuple(fc.double({ min: 1e-6, max: 1, noNaN: true }), fc.nat({ max: 3 })), { numRuns: 120, seed: 7 })
    .map(([share, reach], i) => {
      const at = Math.floor(endMs - share * ([120_000, 3 * HOUR, 6 * DAY, 80 * DAY][reach] as number))
      return { at, value: i % 9 === 0 ? undefined : sampleOf(i, share), by: series[i % 4] as Series }
    })
    .sort((a, b) => a.at - b.at)
  for (const { at, value, by } of samples) {
    aheadMs += at - reader.nowMs
    if (value === undefined) by.fail(1, at)
    else by.record(value, 1, at)
    expect(await by.write()).toBe(true)
  }
  aheadMs += endMs - reader.nowMs
  for (const windowMs of [60_000, HOUR, HOUR + 1, 3 * HOUR, 3 * HOUR + 1, DAY, 7 * DAY, 7 * DAY + 1, 90 * DAY]) {
    const stats = await readMetric(reader, 'load', windowMs)
    const inside = samples.filter(({ at }) => at >= stats.fromMs)
    const values = inside.flatMap(({ value }) => value ?? []).sort((a, b) => a - b)
    expect(stats).toMatchObject({
      ...{ count: values.length, errors: inside.length - values.length },
      ...{ min: values[0] ?? 0, max: values.at(-1) ?? 0 },
    })
    for (const [name, share] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      const exact = values[Math.ceil(share * values.length) - 1] ?? 0
      expect(Math.abs(stats[name] - exact), `${name} of ${windowMs}`).toBeLessThanOrEqual(0.0005 + exact / 64)
    }
  }
})

describe('a batch', () => {
  it('is added once, also when the answer to it was lost', async () => {
    const proxy = await ground.proxy()
    const namespace = testNamespace('monitor')
    const through = await ground.connect({ namespace }, proxy.url)
    await through.monitor.record({ orders: { value: 1 } })
    for (let i = 0; i < 3; i++) {
      proxy.dropReplies()
      const recorded = through.monitor.record({ orders: { value: 1 } })
      await vi.waitFor(async () => {
        const [key] = await ground.server.command<string[]>('KEYS', `{${namespace}:monitor:orders}:d*`)
        expect(await ground.server.command('HGET', key as string, 'n')).toBe(String(i + 2))
      })
      // The connection that lost the answer is reset.
      await proxy.heal()
      expect(await recorded).toBe(true)
    }
    expect(await through.monitor.stats('orders')).toMatchObject({ count: 4, sum: 4, errors: 0 })
  })

  it('that nobody heard of for an hour is given up: its minute may not know any more that it was added', async () => {
    const proxy = await ground.proxy()
    const namespace = testNamespace('monitor')
    const [through, reader] = [
      await ground.connect({ namespace, timeout: 200, lazy: true }, proxy.url),
      await ground.connect({ namespace }),
    ]
    let laterMs = 0
    class Later extends MonitorStore {
      override get nowMs() {
        return super.nowMs + laterMs
      }
    }
    const series = new Series(new Later(Instance.redisOf(through)), 'orders')
    // The server knows the script from here on: its first answer would be that it does not.
    await vi.waitFor(async () => expect(await through.monitor.record({ others: {} })).toBe(true), 10_000)
    proxy.dropReplies()
    series.record(1, 1, Date.now())
    expect(await series.write()).toBe(false)
    const counted = async () =>
      expect(await reader.monitor.stats('orders', { window: '1d' })).toMatchObject({ count: 1 })
    await vi.waitFor(counted, 10_000)
    await proxy.heal()
    laterMs = 4 * 3_600_000
    for (const key of await ground.server.command<string[]>('KEYS', `{${namespace}:monitor:orders}:m*`))
      await ground.server.command('DEL', key)
    await vi.waitFor(async () => expect(await series.write()).toBe(true))
    expect(series.lost).toBe(1)
    const days = await ground.server.command<string[]>('KEYS', `{${namespace}:monitor:orders}:d*`)
    expect(await Promise.all(days.map((day) => ground.server.command('HGET', day, 'n')))).toEqual(['1'])
  })

  it('stays with its process while Redis is frozen, and is written when it is back', async () => {
    const hf = await ground.connect({ timeout: '500ms' })
    await hf.monitor.record({ orders: { value: 1 } })
    await ground.server.pause()
    try {
      expect(await hf.monitor.record({ orders: { value: 2 } })).toBe(false)
      expect(await hf.monitor.time('checkout', () => 1)).toBe(1)
      expect(await hf.monitor.record({ orders: { value: 3, count: 2 } })).toBe(false)
    } finally {
      await ground.server.resume()
    }
    await vi.waitFor(async () => expect(await hf.monitor.flush()).toBe(true))
    expect(await hf.monitor.stats('orders')).toMatchObject({ count: 4, sum: 6 })
    expect(await hf.monitor.stats('checkout')).toMatchObject({ count: 1 })
    expect(hf.monitor.lost).toBe(0)
  })

  it('stays with its process while the server cannot write to its disk, or is full, and is written after that', async () => {
    const { monitor } = await ground.connect()
    const gone = mkdtempSync(join(tmpdir(), 'monitor-'))
    const [, dir] = await ground.server.command<string[]>('CONFIG', 'GET', 'dir')
    await ground.server.command('CONFIG', 'SET', 'dir', gone, 'save', '3600 1')
    rmSync(gone, { recursive: true })
    try {
      await ground.server.command('BGSAVE')
      await vi.waitFor(() => expect(ground.server.command('SET', 'x', '1')).rejects.toMatchObject({ reply: 'MISCONF' }))
      expect(await monitor.record({ orders: { value: 1 } })).toBe(false)
    } finally {
      await ground.server.command('CONFIG', 'SET', 'dir', dir as string, 'save', '')
    }
    await ground.server.command('CONFIG', 'SET', 'maxmemory', '1')
    expect(await monitor.record({ orders: { value: 2 } })).toBe(false)
    await ground.server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect(await monitor.record({ orders: { value: 3 } })).toBe(true)
    expect(await monitor.stats('orders')).toMatchObject({ count: 3, sum: 6 })
    expect(monitor.lost).toBe(0)
  })

  it('is written by close, and by the loop before it', async () => {
    const namespace = testNamespace('monitor')
    const [a, reader] = [
      await ground.connect({ namespace, monitor: { flush: 10 } }),
      await ground.connect({ namespace }),
    ]
    await a.monitor.time('checkout', () => 1)
    await vi.waitFor(async () => expect(await reader.monitor.stats('checkout')).toMatchObject({ count: 1 }))
    const b = await ground.connect({ namespace })
    await b.monitor.time('checkout', () => 1)
    await b.close()
    expect(await reader.monitor.stats('checkout')).toMatchObject({ count: 2 })
  })
})

it('keeps a cell small, however many values there are, and under its bound wherever they lie', async () => {
  const namespace = testNamespace('monitor')
  const { monitor } = await ground.connect({ namespace })
  // Each of the 1,568 buckets: to 0.063 one by one, above it 32 to a doubling.
  const everywhere = Array.from({ length: 64 }, (_, i) => i / 1_000)
  for (let value = 0.064; value <= 9e12; value *= 2 ** (1 / 64)) everywhere.push(value)
  await monitor.record({ alike: { values: Array.from({ length: 50_000 }, (_, i) => 5 + (i % 500) / 100) } })
  await monitor.record({ everywhere: { values: everywhere } })
  for (const [name, most] of [
    ['alike', 400],
    ['everywhere', 81_920],
  ] as const) {
    const cells = await ground.server.command<string[]>('KEYS', `{${namespace}:monitor:${name}}:*`)
    const sizes = await Promise.all(
      cells.map((cell) => ground.server.command<number>('MEMORY', 'USAGE', cell, 'SAMPLES', 0)),
    )
    expect(sizes.length).toBeGreaterThanOrEqual(3)
    expect(Math.max(...sizes), name).toBeLessThan(most)
  }
  const [day] = await ground.server.command<string[]>('KEYS', `{${namespace}:monitor:everywhere}:d*`)
  expect(await ground.server.command<number>('HLEN', day as string)).toBeGreaterThan(1_500)
})

it('counts what one name too many brings apart', async () => {
  const { monitor } = await ground.connect()
  const names = Array.from({ length: 1_005 }, (_, i) => `m${i}`)
  await monitor.record(Object.fromEntries(names.map((name) => [name, {}])))
  expect(await monitor.stats('m999')).toMatchObject({ count: 1 })
  expect(await monitor.stats('m1000')).toMatchObject({ count: 0 })
  expect(await monitor.stats('(other)')).toMatchObject({ count: 5 })
  expect(await monitor.list()).toHaveLength(1_001)
})

it('never tells a mean that is beyond all of its values', async () => {
  const { monitor } = await ground.connect({})
  await monitor.record({ a: { value: 0.0002 }, b: { value: 0.0186 } })
  expect(await monitor.stats('a')).toMatchObject({ min: 0.0002, max: 0.0002, avg: 0.0002 })
  expect(await monitor.stats('b')).toMatchObject({ max: 0.0186, avg: 0.0186 })
})

it('sums what is beyond the largest whole number, and tells when Redis refuses what it is given', async () => {
  const namespace = testNamespace('monitor')
  const { monitor } = await ground.connect({ namespace })
  const largest = { values: Array.from({ length: 1_200 }, () => 9e12) }
  for (let i = 0; i < 2; i++)
    expect(await monitor.record({ bytes: largest, times: { count: 1e12, value: 9e12 } })).toBe(true)
  const { count, sum, avg } = await monitor.stats('bytes')
  expect([count, sum / 2_400 / 9e12, avg / 9e12]).toEqual([2_400, expect.closeTo(1, 9), expect.closeTo(1, 9)])
  expect(await monitor.stats('times')).toMatchObject({ count: 2e12, sum: 1.8e13, p50: 9 })
  for (const cell of await ground.server.command<string[]>('KEYS', `{${namespace}:monitor:bytes}:*`))
    await ground.server.command('SET', cell, 'of another kind')
  await expect(monitor.record({ bytes: { value: 1 }, others: { value: 2 } })).rejects.toMatchObject({
    reply: 'WRONGTYPE',
  })
  expect(monitor.lost).toBe(1)
  expect(await monitor.stats('others')).toMatchObject({ count: 1, sum: 2 })
})

it("publishes the library's own operations, of a memory tier their number alone", async () => {
  const hf = await ground.connect({ monitor: { publish: true } })
  const quiet = await ground.connect()
  const products = hf.cache<number>('p', { ttl: '1m', memory: {}, load: () => 1 })
  await expect.poll(() => products.get('1').then(() => products.stats.hits.memory)).toBeGreaterThan(0)
  await expect(quiet.lock('l').run(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  const hits = products.stats.hits.memory
  await hf.monitor.flush()
  expect(await hf.monitor.stats('holdfast.cache.memoryHits')).toMatchObject({ count: hits })
  const timed = await hf.monitor.stats('holdfast.cache.get')
  expect(timed.count).toBeGreaterThan(0)
  expect(timed.max).toBeGreaterThan(0)
  expect(await hf.monitor.stats('holdfast.lock.run')).toMatchObject({ errors: 1 })
  expect(await quiet.monitor.list()).toEqual([])
})

it('refuses what makes no sense, and then adds nothing', async () => {
  const { monitor } = await ground.connect()
  for (const [option, sample] of [
    ['metrics.b.value', { value: -1 }],
    ['metrics.b.count', { count: 1.5 }],
    ['metrics.b.count', { count: 0, value: 1 }],
    ['metrics.b.values[1]', { values: [1, Number.NaN] }],
    ['metrics.b.values', { values: [1], count: 1 }],
    // biome-ignore lint/suspicious/noSparseArray: a hole is what it is about.
    ['metrics.b.values[1]', { values: [1, , 2] as never }],
    ['metrics.b.vlaue', { vlaue: 1 } as never],
  ] as const)
    await expect(monitor.record({ a: {}, b: sample })).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  for (const wrong of [undefined, [], new Map([['a', {}]])])
    await expect(monitor.record(wrong as never)).rejects.toMatchObject({ option: 'metrics' })
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, '1', null, 5n, Symbol('one')])
    expect(() => monitor.observe('a', wrong as number)).toThrow('value: expected a number of 0 to 9e12')
  expect(() => monitor.observe(5 as never, 1)).toThrow('name: expected a string')
  // On the wire it would be another's name.
  await expect(monitor.time('half \ud83c', () => expect.unreachable())).rejects.toMatchObject({ option: 'name' })
  await expect(monitor.time('a', undefined as never)).rejects.toThrow('work: expected a function')
  expect(await monitor.stats('a')).toMatchObject({ count: 0, errors: 0 })
  expect(await monitor.list()).toEqual([])
  await expect(monitor.stats('a', { window: '91d' })).rejects.toMatchObject({ option: 'window' })
  await expect(connect({ monitor: { publsh: true } as never })).rejects.toMatchObject({ option: 'monitor.publsh' })
})
