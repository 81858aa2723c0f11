import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Analytics } from '../index.ts'
import { testNamespace } from '../testing/index.ts'
import { checkSteps } from './options.ts'
import { SiteGround } from './site.fixture.ts'
import { coverOf, floorTo, TIERS } from './tiers.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000
const ground = new SiteGround()

/** All that was marked, and each figure by its plain meaning. */
class Oracle {
  readonly marks: {
    readonly event: string
    readonly item: string
    readonly visitor: string
    readonly atMs: number
    readonly amount: number
  }[] = []

  /** Marks of a time, which is widened to whole minutes, or to whole `ms`. */
  within(fromMs: number, toMs: number, ms = MINUTE) {
    const [from, to] = [floorTo(fromMs, ms), Math.ceil(toMs / ms) * ms]
    return this.marks.filter(({ atMs }) => atMs >= from && atMs < to)
  }

  /** Visitors who did all of these, each no earlier than the one before. */
  static funnel(marks: Oracle['marks'], events: readonly string[]): number[] {
    const reached = events.map(() => 0)
    for (const visitor of new Set(marks.map((mark) => mark.visitor))) {
      let atMs = Number.NEGATIVE_INFINITY
      for (const [step, event] of events.entries()) {
        const times = marks.filter((mark) => mark.visitor === visitor && mark.event === event && mark.atMs >= atMs)
        if (times.length === 0) break
        atMs = Math.min(...times.map((mark) => mark.atMs))
        ;(reached[step] as number)++
      }
    }
    return reached
  }
}

const byNumber = <T>(list: readonly T[], keyOf: (one: T) => string): Map<string, number> => {
  const counts = new Map<string, number>()
  for (const one of list) counts.set(keyOf(one), (counts.get(keyOf(one)) ?? 0) + 1)
  return counts
}

const mark = fc.record({
  event: fc.constantFrom('seen', 'booked'),
  item: fc.constantFrom('/', '/bay', '/b:c', ' {x} ', 'ü'),
  visitor: fc.constantFrom(...Array.from({ length: 12 }, (_, i) => `visitor ${i}`)),
  // Further apart than the moments that a day's sample tells apart.
  backMinutes: fc.nat({ max: 1_400 }).map((n) => 2 * n + 1),
  amount: fc.constantFrom(1, 2.5, -3, 1_500),
  process: fc.nat({ max: 1 }),
})
const span = fc.record({
  window: fc.integer({ min: 1, max: 2 * DAY }),
  back: fc.oneof(fc.constant(0), fc.nat({ max: DAY })),
})

it('tells what a plain list tells, for any window, from several processes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(mark, { maxLength: 120 }),
      fc.array(span, { minLength: 2, maxLength: 2 }),
      fc.constantFrom(1, 3),
      async (marks, spans, spread) => {
        const namespace = testNamespace('model')
        const [first, second] = [await ground.connect({ namespace }), await ground.connect({ namespace })]
        const options = { keep: { minute: '4d' }, spread, flush: { every: '1h' } } as const
        const [site, other] = [first.analytics('site', options), second.analytics('site', options)]
        const oracle = new Oracle()
        const nowMs = floorTo(Date.now(), MINUTE)
        for (const { event, item, visitor, backMinutes, amount, process } of marks) {
          const atMs = nowMs - backMinutes * MINUTE
          oracle.marks.push({ event, item, visitor, atMs, amount })
          const one = process === 0 ? site : other
          void one.track(event, { amount, item }, { visitor, at: atMs })
          void one.hit('page', item, { visitor, at: new Date(atMs) })
        }
        await other.flush()
        await Promise.all([
          compare(site, oracle, undefined, 2 * DAY),
          ...spans.map(({ window, back }) => compare(site, oracle, nowMs - back, window)),
        ])
      },
    ),
    { numRuns: 5 },
  )
})

async function compare(site: Analytics, oracle: Oracle, until: number | undefined, window: number): Promise<void> {
  const options = { window, ...(until === undefined ? {} : { until }) }
  const toMs = until ?? Date.now()
  const marks = oracle.within(toMs - window, toMs)
  const [count, hits, sum, top, unique, uniqueItem, steps, points, recent] = await Promise.all([
    site.count('seen', options),
    site.hits('page', options),
    site.sum('seen', 'amount', options),
    site.top('page', 10, options),
    site.unique('page', options),
    site.unique('page', '/b:c', options),
    site.funnel(['seen', 'booked'], options),
    site.series('booked', { ...options, step: '10m', field: 'amount' }),
    site.recent('booked', 7),
  ])
  const seen = marks.filter(({ event }) => event === 'seen')
  expect([count, hits]).toEqual([seen.length, marks.length])
  expect(sum).toBeCloseTo(
    seen.reduce((total, { amount }) => total + amount, 0),
    6,
  )
  expect(new Map(top.map((one) => [one.item, one.count]))).toEqual(byNumber(marks, ({ item }) => item))
  expect(
    top.every(({ error }, i) => error === 0 && (i === 0 || (top[i - 1]?.count ?? 0) >= (top[i]?.count ?? 0))),
  ).toBe(true)
  // A dozen visitors are told apart but for chance, one in many runs.
  const visitors = (list: Oracle['marks']) => new Set(list.map(({ visitor }) => visitor)).size
  expect(Math.abs(unique - visitors(marks))).toBeLessThanOrEqual(1)
  expect(Math.abs(uniqueItem - visitors(marks.filter(({ item }) => item === '/b:c')))).toBeLessThanOrEqual(1)
  const wide = oracle.within(toMs - window, toMs, HOUR)
  expect(steps.map((step) => step.visitors)).toEqual(Oracle.funnel(wide, ['seen', 'booked']))
  expect(steps.every(({ error }) => error === 0)).toBe(true)
  const booked = oracle.marks.filter(({ event }) => event === 'booked')
  const expected = points.map(({ atMs }) => {
    const own = booked.filter((one) => one.atMs >= atMs && one.atMs < atMs + 10 * MINUTE)
    return { atMs, count: own.length, sum: own.reduce((total, { amount }) => total + amount, 0) }
  })
  expect(points).toEqual(expected)
  const newest = booked.map(({ atMs }) => atMs).sort((one, other) => other - one)
  expect(recent.map(({ atMs }) => atMs)).toEqual(newest.slice(0, 7))
}

it('covers any time without a gap, twice nothing, by buckets that are kept, and by few', () => {
  const times = fc.record({
    nowMs: fc.integer({ min: 500 * DAY, max: 502 * DAY }),
    window: fc.oneof(fc.integer({ min: 1, max: 400 * DAY }), fc.integer({ min: 1, max: 3 * HOUR })),
    back: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 3 * DAY })),
    keep: fc.record({
      minute: fc.integer({ min: MINUTE, max: 6 * HOUR }),
      hour: fc.integer({ min: 6 * HOUR, max: 14 * DAY }),
      day: fc.integer({ min: 404 * DAY, max: 410 * DAY }),
    }),
  })
  fc.assert(
    fc.property(times, ({ nowMs, window, back, keep }) => {
      const [fromMs, toMs] = [nowMs - back - window, nowMs - back]
      const { buckets, ...whole } = coverOf(fromMs, toMs, nowMs, keep)
      let atMs = whole.fromMs
      const isSound = buckets.every(({ tier, atMs: beginMs }) => {
        const isNext = beginMs === atMs && beginMs % tier.ms === 0
        atMs += tier.ms
        return isNext && atMs + keep[tier.name] > nowMs
      })
      expect(isSound).toBe(true)
      const finest = (ms: number) =>
        TIERS.find((tier) => floorTo(ms, tier.ms) + tier.ms + keep[tier.name] > nowMs)?.ms as number
      expect(whole.fromMs).toBe(floorTo(fromMs, finest(fromMs)))
      expect(atMs).toBeGreaterThanOrEqual(toMs)
      expect(whole.toMs).toBeGreaterThanOrEqual(toMs)
      // Of what is past, the end is no further than a bucket of what was kept where the last one begins.
      if (back > 0) expect(atMs - toMs).toBeLessThan(finest(buckets.at(-1)?.atMs as number) + (back < DAY ? DAY : 0))
      expect(buckets.length).toBeLessThanOrEqual(2 * 59 + 2 * 23 + Math.ceil(window / DAY) + 2)
    }),
    { numRuns: 300 },
  )
})

it('makes a series of whole steps that are kept, from the start of the window or just before', () => {
  const keep = { minute: 6 * HOUR, hour: 14 * DAY, day: 400 * DAY }
  const asked = fc.record({
    nowMs: fc.integer({ min: 500 * DAY, max: 501 * DAY }),
    window: fc.oneof(fc.constant(6 * HOUR), fc.integer({ min: 1, max: 20 * HOUR })),
    step: fc.integer({ min: 1, max: 300 }).map((n) => n * MINUTE),
  })
  fc.assert(
    fc.property(asked, ({ nowMs, window, step }) => {
      const span = { fromMs: nowMs - window, toMs: nowMs, nowMs }
      fc.pre(window <= keep.minute || step % HOUR === 0)
      const { fromMs, count, tier, stepMs } = checkSteps(step, span, keep)
      expect([stepMs, step % tier.ms, fromMs % step]).toEqual([step, 0, 0])
      expect(fromMs + tier.ms + keep[tier.name]).toBeGreaterThan(nowMs)
      const isWhole = floorTo(span.fromMs, step) + tier.ms + keep[tier.name] > nowMs
      expect(fromMs).toBe(floorTo(span.fromMs, step) + (isWhole ? 0 : step))
      expect(count).toBe(Math.max(0, Math.ceil((nowMs - fromMs) / step)))
    }),
  )
})

it('keeps a top list small whatever comes, and is off by no more than it says', async () => {
  const [items, hits] = [50, 30_000]
  const site = await ground.site({ items, spread: 2, buffer: 1_000_000 })
  const truth = new Map<string, number>()
  const nowMs = Date.now()
  // Over several buckets, of minutes and of hours. Far more items than are kept, by Zipf's law, and each fourth hit one of its own: what comes once must not push out what comes often.
  let seed = 42
  for (let i = 0; i < hits; i++) {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    const item = i % 4 === 0 ? `once ${i}` : `item ${Math.floor(2_000 ** (seed / 2 ** 31))}`
    truth.set(item, (truth.get(item) ?? 0) + 1)
    void site.hit('page', item, { at: nowMs - (i % 4) * 50 * MINUTE })
    if (i % 5_000 === 0) await site.flush()
  }
  const top = await site.top('page', 10, { window: '1d' })
  expect(top).toHaveLength(10)
  for (const { item, count, error } of top) {
    expect(error).toBeLessThanOrEqual(hits / items)
    expect(Math.abs(count - (truth.get(item) ?? 0))).toBeLessThanOrEqual(error)
  }
  // Each count is off by at most its error: so who has more than the last that is named, and the error, is never missing.
  const error = Math.max(...top.map((one) => one.error))
  const all = await site.top('page', items, { window: '1d' })
  const least = all.at(-1)?.count ?? 0
  const heavy = [...truth].filter(([, count]) => count > least + error).map(([item]) => item)
  expect(heavy.length).toBeGreaterThanOrEqual(2)
  expect(all.map(({ item }) => item)).toEqual(expect.arrayContaining(heavy))
  for (const key of await ground.keys('*:t:page*'))
    expect(await ground.server.command('ZCARD', key)).toBeLessThanOrEqual(items)
})

it('samples visitors where there are more than it keeps, and says how far it is off', async () => {
  const site = await ground.site({ sample: 128, buffer: 1_000_000 })
  const at = floorTo(Date.now(), HOUR) - HOUR
  const [seen, booked] = [6_000, 1_500]
  for (let i = 0; i < seen; i++) {
    void site.track('came', {}, { visitor: `v${i}`, at })
    if (i < booked) void site.track('booked', {}, { visitor: `v${i}`, at: at + 1_800_000 })
  }
  const steps = await site.funnel(['came', 'booked'], { window: '5h' })
  for (const [i, truth] of [seen, booked].entries()) {
    const { visitors = 0, error = 0 } = steps[i] ?? {}
    expect(error).toBeGreaterThan(0)
    expect(error).toBeLessThan(Math.sqrt((1.5 * truth * seen) / 128))
    // Always the same visitors, so always the same answer: this one is within three errors.
    expect(Math.abs(visitors - truth)).toBeLessThan(3 * error)
  }
  for (const key of await ground.keys('*:v:came')) expect(await ground.server.command('ZCARD', key)).toBe(128)
  // Nobody goes back in time.
  expect((await site.funnel(['booked', 'came'], { window: '5h' }))[1]).toMatchObject({ visitors: 0, share: 0 })
})
