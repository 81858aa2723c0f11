import { describe, expect, it, vi } from 'vitest'
import type { Analytics } from '../index.ts'
import { Redis } from '../redis/redis.ts'
import { resolveSettings } from '../redis/settings.ts'
import { slotOf } from '../redis/slots.ts'
import { testNamespace } from '../testing/index.ts'
import { inspectAnalytics } from './inspect.ts'
import { SiteGround } from './site.fixture.ts'

const ground = new SiteGround()
const DAY = { window: '1d' } as const

describe('what was counted', () => {
  it('is part of what the same process reads, and reaches others within the flush interval', async () => {
    const namespace = testNamespace('analytics')
    const options = { flush: { every: 20 } }
    const site = (await ground.connect({ namespace })).analytics('site', options)
    const other = (await ground.connect({ namespace })).analytics('site', options)
    await site.hit('page', '/halong-bay', { visitor: 'ann' })
    await site.track('booking_completed', { user_id: 'USR123', amount: 1_500 })
    expect(await site.top('page', 10, { window: '1h' })).toEqual([{ item: '/halong-bay', count: 1, error: 0 }])
    expect(await site.count('booking_completed', DAY)).toBe(1)
    expect(await site.recent('booking_completed')).toEqual([
      { atMs: expect.any(Number), fields: { user_id: 'USR123', amount: 1_500 } },
    ])
    await site.hit('page', '/sapa')
    await vi.waitFor(async () => expect(await other.hits('page', DAY)).toBe(2))
    expect(other.stats).toEqual({ pending: 0, flushed: 0, dropped: 0, crowded: 0 })
  })

  it('is added up in the process: any number of the same is one mark, and one run of a script', async () => {
    const site = await ground.site()
    const at = Date.now()
    for (let i = 0; i < 10_000; i++) void site.hit('page', '/halong-bay', { at })
    expect(site.stats.pending).toBe(2)
    await site.hit('page', '/halong-bay', { at, sync: true })
    expect(site.stats).toEqual({ pending: 0, flushed: 2, dropped: 0, crowded: 0 })
    expect(await site.hits('page', DAY)).toBe(10_001)
  })

  it('is sent when there is much of it, before its time', async () => {
    const site = await ground.site({ flush: { every: '1h', count: 50 } })
    const at = Date.now()
    for (let i = 0; i < 60; i++) void site.hit('page', `/${i}`, { at })
    await vi.waitFor(() => expect(site.stats.pending).toBe(0))
    expect(site.stats.flushed).toBe(61)
  })

  it('is sent by close, and then nothing more is taken', async () => {
    const namespace = testNamespace('analytics')
    const hf = await ground.connect({ namespace })
    const site = hf.analytics('site', { flush: { every: '1h' } })
    void site.track('seen')
    await hf.close()
    await site.track('seen')
    expect(site.stats).toEqual({ pending: 0, flushed: 2, dropped: 1, crowded: 0 })
    await expect(site.track('seen', {}, { sync: true })).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    expect(() => hf.analytics('other')).toThrow('close() was called')
    expect(await (await ground.connect({ namespace })).analytics('site').count('seen', DAY)).toBe(1)
  })

  it('of a time that is not kept, or to come, is dropped, and what is late goes into the tiers that are kept', async () => {
    const site = await ground.site({ keep: { minute: '1h', hour: '2d', day: '30d' } })
    const nowMs = Date.now()
    for (const daysAgo of [-1, 0, 1, 10, 40]) void site.track('seen', {}, { at: nowMs - daysAgo * 86_400_000 })
    expect(site.stats.dropped).toBe(2)
    expect(await site.count('seen', { window: '1m' })).toBe(1)
    expect(await site.count('seen', { window: '30d' })).toBe(3)
    const tiers = new Set<string>()
    for await (const { tier } of site.export({ window: '30d' })) tiers.add(tier)
    expect(tiers).toEqual(new Set(['day']))
  })
})

describe('while Redis is away', () => {
  it('nobody who counts waits or fails; what fits is kept, the rest is dropped and counted, and all that was kept arrives', async () => {
    const namespace = testNamespace('analytics')
    const proxy = await ground.proxy()
    const hf = await ground.connect({ namespace, timeout: 200 }, proxy.url)
    const site = hf.analytics('site', { buffer: 100, recent: 0, flush: { every: 20, count: 50 } })
    proxy.drop()
    const at = Date.now()
    for (let i = 0; i < 300; i++) await site.track(`event ${i}`, {}, { at })
    // What stands there already needs no room.
    for (let i = 0; i < 50; i++) await site.track('event 7', {}, { at })
    expect(site.stats).toMatchObject({ pending: 100, flushed: 0, dropped: 200 })
    await expect(site.track('event 7', {}, { at, sync: true })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(site.count('event 7', DAY)).rejects.toMatchObject({ retryable: true })
    await proxy.heal()
    await vi.waitFor(() => expect(site.stats.pending).toBe(0))
    expect(site.stats.dropped).toBe(200)
    expect(await site.count('event 7', DAY)).toBe(52)
    expect(await site.count('event 99', DAY)).toBe(1)
    expect(await site.count('event 100', DAY)).toBe(0)
  })

  it('a lot whose answer was lost is sent again and counted once', async () => {
    const namespace = testNamespace('analytics')
    const proxy = await ground.proxy()
    const site = (await ground.connect({ namespace, timeout: 150 }, proxy.url)).analytics('site')
    const plain = (await ground.connect({ namespace })).analytics('site')
    for (let round = 1; round <= 3; round++) {
      proxy.dropReplies()
      void site.track('seen', { amount: 2 }, { visitor: 'ann' })
      for (let i = 0; i < 700; i++) void site.hit('page', `/${i}`)
      await expect(site.flush()).rejects.toMatchObject({ code: 'TIMEOUT', sent: true })
      // It was counted, and the sender does not know.
      await vi.waitFor(async () => expect(await plain.count('seen', DAY)).toBe(round))
      expect(site.stats.pending).toBeGreaterThan(0)
      void site.hit('page', '/1')
      await proxy.heal()
      await vi.waitFor(() => site.flush())
      expect(await plain.count('seen', DAY)).toBe(round)
      expect(await plain.sum('seen', 'amount', DAY)).toBe(2 * round)
      expect(await plain.hits('page', DAY)).toBe(701 * round)
      expect(await plain.recent('seen')).toHaveLength(round)
      const [top] = await plain.top('page', 1, DAY)
      expect(top).toMatchObject({ item: '/1', count: 2 * round })
    }
    expect(site.stats).toMatchObject({ pending: 0, dropped: 0 })
  })

  it('connections that break at any moment of a flush cost nothing and count nothing twice', async () => {
    const namespace = testNamespace('analytics')
    const proxy = await ground.proxy()
    const site = (await ground.connect({ namespace }, proxy.url)).analytics('site', {
      recent: 0,
      flush: { every: '1h' },
    })
    const rounds = 8
    for (let round = 0; round < rounds; round++) {
      for (let i = 0; i < 600; i++) void site.track(`event ${i % 300}`, { amount: 1 })
      const sent = proxy.bytes.toServer
      const flushing = site.flush()
      // Each time a little further on: before the first lot has left, between two, behind the last.
      await vi.waitFor(() => expect(proxy.bytes.toServer).toBeGreaterThanOrEqual(sent + (round % 4) * 7_000), {
        interval: 1,
      })
      proxy.cut()
      await flushing
    }
    const counts = await Promise.all(Array.from({ length: 300 }, (_, i) => site.sum(`event ${i}`, 'amount', DAY)))
    expect(counts.reduce((a, b) => a + b)).toBe(rounds * 600)
    expect(site.stats).toMatchObject({ pending: 0, dropped: 0 })
  })

  it('a server that is full keeps nobody from counting, and is told when it has room', async () => {
    const site = await ground.site()
    await site.track('seen', {}, { sync: true })
    await ground.server.command('CONFIG', 'SET', 'maxmemory', '1')
    await site.track('seen')
    await expect(site.flush()).rejects.toMatchObject({ code: 'SERVER_FULL' })
    expect(site.stats).toMatchObject({ pending: 2, dropped: 0 })
    await ground.server.command('CONFIG', 'SET', 'maxmemory', '0')
    expect(await site.count('seen', DAY)).toBe(2)
  })

  it('close ends within its deadline, and says how much was lost', async () => {
    const proxy = await ground.proxy()
    const hf = await ground.connect({ timeout: 100, lazy: true }, proxy.url)
    const site = hf.analytics('site')
    proxy.drop()
    void site.hit('page', '/')
    await hf.close()
    expect(site.stats).toEqual({ pending: 0, flushed: 0, dropped: 2, crowded: 0 })
  })
})

describe('memory', () => {
  it('keeps what an event was, whatever becomes of the object that told it', async () => {
    const site = (await ground.connect()).analytics('site')
    const fields = Object.assign(Object.create({ inherited: Number.NaN, toJSON: () => 'mine' }), {
      amount: 1,
      what: 'a',
    })
    void site.track('booking', fields)
    Object.assign(fields, { amount: Number.NaN, what: 'b' })
    expect(await site.recent('booking', 1)).toEqual([{ atMs: expect.any(Number), fields: { amount: 1, what: 'a' } }])
    expect(await site.sum('booking', 'amount', { window: '1h' })).toBe(1)
  })

  it('holds the newest events alone, in the order of their time', async () => {
    const site = await ground.site({ recent: 5 })
    const at = Date.now() - 10_000
    for (let i = 0; i < 20; i++) void site.track('seen', { i: (i * 7) % 20 }, { at: at + ((i * 7) % 20) })
    await site.flush()
    void site.track('seen', { i: -1 }, { at: at - 1 })
    expect((await site.recent('seen', 10)).map(({ fields }) => fields.i)).toEqual([19, 18, 17, 16, 15])
  })

  it('counts the visitors of so many items and no more, and says so', async () => {
    const site = await ground.site({ uniqueItems: 3 })
    const at = Date.now()
    for (let i = 0; i < 5; i++) void site.hit('page', `/${i}`, { visitor: 'ann', at })
    await site.flush()
    // One of each tier.
    expect(site.stats.crowded).toBe(2 * 3)
    void site.hit('page', '/0', { visitor: 'bob', at })
    expect(await site.unique('page', '/0', DAY)).toBe(2)
    expect(await site.unique('page', '/4', DAY)).toBe(0)
    expect(await site.unique('page', DAY)).toBe(2)
    expect(await site.hits('page', DAY)).toBe(6)
  })

  it('finds what is never among the first of a bucket, and has the most of them all', async () => {
    // As many lists as this are read from their first items down; all of these are of one slot, so that each list is deep.
    const site = await ground.site({ spread: 64 })
    const together: string[] = []
    for (let i = 0; together.length < 200; i++) if (slotOf(`/${i}`) % 64 === 0) together.push(`/${i}`)
    const [steady = '', ...others] = together
    for (let day = 1; day <= 30; day++) {
      const at = Date.now() - day * 86_400_000
      void site.hit('page', steady, { at })
      for (const other of others.slice(6 * day - 6, 6 * day))
        for (let twice = 0; twice < 2; twice++) void site.hit('page', other, { at })
    }
    expect(await site.top('page', 1, { window: '120d' })).toEqual([{ item: steady, count: 30, error: 0 }])
  })

  it('shortens an item that is too long, and tells two of them apart', async () => {
    const site = await ground.site()
    const long = `/search?q=${'ü'.repeat(2_000)}`
    void site.hit('page', `${long}1`)
    void site.hit('page', `${long}2`, { visitor: 'ann' })
    const items = (await site.top('page', 5, DAY)).map(({ item }) => item)
    expect(items).toHaveLength(2)
    for (const item of items) expect(Buffer.byteLength(item)).toBeLessThanOrEqual(512)
    expect(await site.unique('page', `${long}2`, DAY)).toBe(1)
  })

  it('cuts a string that is too long, for whoever typed it is not to blame', async () => {
    const site = await ground.site()
    void site.track('searched', {
      words: 'ü'.repeat(2_000),
      smile: '😀'.repeat(512),
      cut: `ab${'😀'.repeat(600)}`,
      n: 1,
    })
    const [seen] = await site.recent('searched', 1)
    const cut = `ab${'😀'.repeat(510)}…`
    expect(seen?.fields).toEqual({ words: `${'ü'.repeat(1_023)}…`, smile: '😀'.repeat(512), cut, n: 1 })
    expect(await site.sum('searched', 'n', DAY)).toBe(1)
  })
})

it('tells a rate over the time that it knows', async () => {
  const site = await ground.site()
  const at = Date.now() - 1_800_000
  for (let i = 0; i < 120; i++) void site.track('seen', {}, { at })
  // 60 minutes and the part of a minute that they are widened by.
  expect(await site.rate('seen', { window: '1h', per: '1m' })).toBeGreaterThan(120 / 61)
  expect(await site.rate('seen', { window: '1h', per: '1m' })).toBeLessThanOrEqual(2)
})

it('takes half a character of an item as one that is none, everywhere', async () => {
  const site = await ground.site({ spread: 3 })
  for (const item of ['\ud83c', '\ud83d', '\ufffd', '🎭']) void site.hit('page', item, { visitor: item })
  expect(await site.top('page', 3, DAY)).toEqual([
    { item: '\ufffd', count: 3, error: 0 },
    { item: '🎭', count: 1, error: 0 },
  ])
  expect(await site.unique('page', '\ud83d', DAY)).toBe(await site.unique('page', '\ufffd', DAY))
})

it('has nothing of a time before all that is kept, and of one that is kept in part what is kept', async () => {
  const site = await ground.site({ keep: { minute: '1h', hour: '1d', day: '10d' } })
  const [nowMs, dayMs] = [Date.now(), 86_400_000]
  void site.track('seen', { amount: 2 }, { at: nowMs - 8 * dayMs })
  const before = { window: '3d', until: nowMs - 20 * dayMs } as const
  expect(await site.series('seen', before)).toEqual([])
  expect([await site.count('seen', before), await site.rate('seen', before)]).toEqual([0, 0])
  const half = { window: '10d', until: nowMs - 7 * dayMs } as const
  const points = await site.series('seen', { ...half, field: 'amount' })
  expect(points.filter(({ count }) => count > 0)).toEqual([expect.objectContaining({ count: 1, sum: 2 })])
  expect(points.length).toBeLessThanOrEqual(5)
  expect(await site.count('seen', half)).toBe(1)
})

it('gives every figure of a time as rows', async () => {
  const site = await ground.site({ spread: 2 })
  void site.track('a:b', { 'x:y': 1.5, note: 'n' }, { visitor: 'ann' })
  void site.hit('page', '/1', { visitor: 'ann' })
  void site.hit('page', '/2')
  const rows: unknown[] = []
  for await (const { kind, name, detail, value } of site.export({ window: '1h', tier: 'day' }))
    rows.push([kind, name, detail, value])
  expect(rows.sort()).toEqual([
    ['event', 'a:b', '', 1],
    ['hits', 'page', '', 2],
    ['item', 'page', '/1', 1],
    ['item', 'page', '/2', 1],
    ['sum', 'a:b', 'x:y', 1.5],
    ['visitors', 'page', '', 1],
  ])
})

it('shows what a bucket holds to whoever looks from outside', async () => {
  const namespace = testNamespace('analytics')
  const site = (await ground.connect({ namespace })).analytics('site')
  const at = Date.now()
  await site.track('seen', { amount: 4 }, { at })
  await site.hit('page', '/', { at, visitor: 'ann', sync: true })
  const redis = new Redis(resolveSettings(ground.server.url, { namespace }))
  const [record] = await inspectAnalytics(redis, 'site', { tier: 'hour', atMs: at })
  await redis.close()
  expect(record).toEqual({
    events: new Map([['seen', 1]]),
    sums: [{ event: 'seen', field: 'amount', sum: 4 }],
    dimensions: new Map([['page', 1]]),
    items: new Map([['page', 1]]),
  })
})

it('refuses what it cannot keep or tell, by name', async () => {
  const hf = await ground.connect()
  const site: Analytics = hf.analytics('site', { keep: { minute: '1h' } })
  expect(hf.analytics('site', { keep: { minute: 3_600_000 } })).toBe(site)
  expect(() => hf.analytics('site')).toThrow("the options with which the analytics 'site' was made first")
  const wrong: readonly [() => unknown, string][] = [
    [() => hf.analytics('x', { spread: 0 }), 'spread'],
    [() => hf.analytics('x', { keep: { minute: '2d', hour: '1d' } }), 'keep.hour'],
    [() => hf.analytics('x', { flush: { evry: 1 } as never }), 'flush.evry'],
    [() => site.hit('page', 5 as never), 'item'],
    [() => site.hit('x'.repeat(600), '/'), 'dimension'],
    [() => site.hit('page', '/', { at: Number.NaN }), 'at'],
    [() => site.track('seen', { amount: Number.POSITIVE_INFINITY }), 'fields.amount'],
    [() => site.track('seen', { deep: {} as never }), 'fields.deep'],
    [() => site.track('seen', { big: 5n as never }), 'fields.big'],
    [() => site.track('half \ud83c'), 'event'],
    [() => site.hit('half \ud83c', '/'), 'dimension'],
  ]
  for (const [act, option] of wrong) expect(act).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option }))
  const refused: readonly [Promise<unknown>, string][] = [
    [site.top('page', 0, DAY), 'n'],
    [site.count('seen', { window: '500d' }), 'window'],
    [site.count('seen', undefined as never), 'options'],
    [site.series('seen', { window: '1d', step: '10m' }), 'step'],
    [site.series('seen', { window: '1h', step: '90s' }), 'step'],
    [site.funnel(['seen'], DAY), 'events'],
    [site.rate('seen', undefined as never), 'window'],
    [site.count(5 as never, DAY), 'event'],
    [site.recent('seen', 0), 'n'],
  ]
  for (const [act, option] of refused) await expect(act).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
})
