import { checkInteger, checkText } from '../base/check.ts'
import { toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import { type FunnelStep, readFunnel } from './funnel.ts'
import { AnalyticsKeys, fields } from './keys.ts'
import { SAMPLED } from './lot.ts'
import {
  checkFields,
  checkMark,
  checkSteps,
  checkWindow,
  type EventFields,
  type ExportOptions,
  type MarkOptions,
  type RateOptions,
  type ResolvedAnalyticsOptions,
  type SeriesOptions,
  type WindowOptions,
} from './options.ts'
import { countVisitors, readCounts } from './reader.ts'
import { type RecentRecord, readRecent } from './recent.ts'
import { analyticsRights } from './rights.ts'
import { type AnalyticsRow, readRows } from './rows.ts'
import { type Cover, coverOf, isKept, TIERS, type Tier } from './tiers.ts'
import { readTop, type TopItem } from './top.ts'
import { shortened, visitorOf } from './visitor.ts'
import { Writer } from './writer.ts'

/** What happened in one step of a series. */
export interface SeriesPoint {
  readonly atMs: number
  readonly count: number
  /** Of the field that was asked for; 0 without one. */
  readonly sum: number
}

/** What an instance of analytics did in this process. */
export interface AnalyticsStats {
  /** Marks that wait to be sent: what is the same is one. */
  readonly pending: number
  /** Marks that Redis has counted. */
  readonly flushed: number
  /** Calls that were not counted, in full or in part: no room while Redis was away, or too old, or of a time to come. */
  readonly dropped: number
  /** Marks that a bucket of Redis had no room for: too many names of events, or of items with visitors. */
  readonly crowded: number
}

const READ = new Observed('analytics.read')
const DONE = Promise.resolve()
/** How far ahead of the server's clock a mark may be. */
const AHEAD_MS = 60_000
const MOST_TOP = 1_000

/**
 * What happens on a site, counted for the whole fleet: hits with their top items and visitors, events with their sums, series, the newest
 * ones and funnels. Made by `hf.analytics(name, options)`.
 *
 * promise  what was counted is added up in this process, sent every `flush.every`, and counted once, however often a lot has to be sent again.
 *          A process that dies loses what it had not sent; while Redis is away, at most `buffer` marks are kept, and nobody who counts waits
 *          or is told. A failover may forget the last of what was sent
 * reads    what this process has counted is sent first, so that it is part of what it reads
 */
export class Analytics implements AsyncDisposable {
  readonly name: string
  readonly #redis: Redis
  readonly #options: ResolvedAnalyticsOptions
  readonly #keys: AnalyticsKeys
  readonly #writer: Writer
  #early = 0
  #vetted = false

  /** @internal Made by `hf.analytics`. */
  constructor(redis: Redis, name: string, options: ResolvedAnalyticsOptions) {
    this.name = name
    this.#redis = redis
    this.#options = options
    this.#keys = new AnalyticsKeys(redis.keyspace, name, options.spread)
    this.#writer = new Writer(redis, this.#keys, options)
  }

  /**
   * Counts a hit of an item, such as a page, among those of its dimension.
   *
   * item     any string; of one longer than 512 bytes its start and a hash of the whole
   * returns  at once; with `sync: true` when it is stored, or an error says that it is not yet
   */
  hit(dimension: string, item: string, options?: MarkOptions): Promise<void> {
    checkText('dimension', dimension)
    if (typeof item !== 'string') throw new ConfigError('item', 'a string', item)
    const { visitor, atMs, sync } = checkMark(options, this.#redis.serverNowMs())
    const who = visitor === undefined ? undefined : visitorOf(visitor)
    if (this.#takes(atMs)) this.#writer.hit(dimension, shortened(item), who, atMs)
    return sync ? this.flush() : DONE
  }

  /**
   * Counts an event, and sums its numbers by name.
   *
   * fields   at most 64; `recent` shows all of them
   * options  a `visitor` makes it a step of funnels
   * returns  as `hit`
   */
  track(event: string, eventFields?: EventFields, options?: MarkOptions): Promise<void> {
    checkText('event', event)
    const checked = checkFields(eventFields)
    const { visitor, atMs, sync } = checkMark(options, this.#redis.serverNowMs())
    const who = visitor === undefined ? undefined : visitorOf(visitor)
    if (this.#takes(atMs)) this.#writer.track(event, checked, who, atMs)
    return sync ? this.flush() : DONE
  }

  #takes(atMs: number): boolean {
    this.#vet()
    const nowMs = this.#redis.serverNowMs()
    if (atMs <= nowMs + AHEAD_MS && isKept(TIERS[2], atMs, nowMs, this.#options.keep)) return true
    this.#early++
    return false
  }

  /**
   * The items of a dimension with the most hits.
   *
   * n  1 to 1,000
   */
  async top(dimension: string, n: number, options: WindowOptions): Promise<readonly TopItem[]> {
    checkText('dimension', dimension)
    checkInteger('n', n, 1, MOST_TOP)
    const { buckets } = this.#cover(options)
    return this.#reading('top', () => readTop(this.#redis, this.#keys, dimension, buckets, n, this.#options.items))
  }

  /** How often an event was. */
  async count(event: string, options: WindowOptions): Promise<number> {
    checkText('event', event)
    return this.#total('count', event, fields.event(event), options)
  }

  /** The sum of a number that came with an event. */
  async sum(event: string, field: string, options: WindowOptions): Promise<number> {
    checkText('event', event)
    checkText('field', field)
    return this.#total('sum', event, fields.sum(event, field), options)
  }

  /** How many hits a dimension had. */
  async hits(dimension: string, options: WindowOptions): Promise<number> {
    checkText('dimension', dimension)
    return this.#total('hits', dimension, fields.dimension(dimension), options)
  }

  /** How often an event was, per second or per `per`, over the time that is known of the window. */
  async rate(event: string, options: RateOptions): Promise<number> {
    checkText('event', event)
    const { per = '1s', ...window } = options ?? {}
    const perMs = toMs(per, 'per')
    const { fromMs, toMs: endMs, buckets } = this.#cover(window as WindowOptions)
    const count = await this.#totalOf('rate', event, fields.event(event), buckets)
    return endMs > fromMs ? (count * perMs) / (endMs - fromMs) : 0
  }

  /** How many visitors a dimension had, or one of its items: an estimate, one standard error is 0.81 %. */
  unique(dimension: string, options: WindowOptions): Promise<number>
  unique(dimension: string, item: string, options: WindowOptions): Promise<number>
  async unique(dimension: string, item: string | WindowOptions, options?: WindowOptions): Promise<number> {
    checkText('dimension', dimension)
    const one = typeof item === 'string' ? shortened(item) : undefined
    const { buckets } = this.#cover((typeof item === 'string' ? options : item) as WindowOptions)
    const part = this.#keys.partOf(one ?? dimension)
    const keys = buckets.map((bucket) => this.#keys.visitors(part, bucket, dimension, one))
    return this.#reading('unique', () => countVisitors(this.#redis, keys))
  }

  /** An event by steps of time, the oldest first, also those in which it was not. The first begins at or before the window, unless it is not kept whole. */
  async series(event: string, options: SeriesOptions): Promise<readonly SeriesPoint[]> {
    checkText('event', event)
    const span = checkWindow(options, this.#redis.serverNowMs(), this.#options.keep, ['step', 'field'])
    const { stepMs, tier, fromMs, count } = checkSteps(options.step, span, this.#options.keep)
    const { field } = options
    const wanted = [fields.event(event), ...(field === undefined ? [] : [fields.sum(event, checkText('field', field))])]
    const each = stepMs / tier.ms
    const buckets = Array.from({ length: count * each }, (_, i) => ({ tier, atMs: fromMs + i * tier.ms }))
    const part = this.#keys.partOf(event)
    const values = await this.#reading('series', () =>
      readCounts(this.#redis, this.#keys, part, buckets, wanted, 'analytics.series'),
    )
    return Array.from({ length: count }, (_, i) => {
      const own = values.slice(i * each, (i + 1) * each)
      const [events, sum] = [0, 1].map((at) => own.reduce((total, row) => total + (row[at] ?? 0), 0))
      return { atMs: fromMs + i * stepMs, count: events as number, sum: sum as number }
    })
  }

  /** The newest events of this name, the newest first: at most `n`, and those that are kept. */
  async recent(event: string, n = 100): Promise<readonly RecentRecord[]> {
    checkText('event', event)
    checkInteger('n', n, 1, 10_000)
    return this.#reading('recent', () => readRecent(this.#redis, this.#keys, event, n))
  }

  /**
   * How many visitors went from one event to the next, in this order; between two steps there may be others.
   *
   * events  2 to 10, tracked with a `visitor`
   * exact   while no bucket has more than `sample` visitors; above, each step says its standard error
   */
  async funnel(events: readonly string[], options: WindowOptions): Promise<readonly FunnelStep[]> {
    if (!Array.isArray(events) || events.length < 2 || events.length > 10)
      throw new ConfigError('events', 'a list of 2 to 10 events', events)
    for (const event of events) checkText('events', event)
    if (this.#options.sample === 0) throw new ConfigError('sample', 'more than 0, for funnels', 0)
    const { buckets } = this.#cover(options, SAMPLED)
    return this.#reading('funnel', () => readFunnel(this.#redis, this.#keys, events, buckets, this.#options.sample))
  }

  /** Every figure of a time as rows, bucket by bucket, the oldest first. */
  async *export(options: ExportOptions): AsyncGenerator<AnalyticsRow> {
    const { keep, items } = this.#options
    const span = checkWindow(options, this.#redis.serverNowMs(), keep, ['tier'])
    const tiers = options.tier === undefined ? TIERS : TIERS.filter(({ name }) => name === options.tier)
    const tier = tiers.find((one) => isKept(one, span.fromMs, span.nowMs, keep)) ?? tiers.at(-1)
    if (tier === undefined) throw new ConfigError('tier', "'minute', 'hour' or 'day'", options.tier)
    const { buckets } = coverOf(span.fromMs, span.toMs, span.nowMs, keep, [tier])
    await this.#settle()
    yield* readRows(this.#redis, this.#keys, buckets, items)
  }

  /** Sends what this process has counted; rejects where that cannot be now, and then it is sent later. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /** What this instance did in this process. */
  get stats(): AnalyticsStats {
    const { flushed, dropped, crowded } = this.#writer.stats
    return { pending: this.#writer.pending, flushed, dropped: dropped + this.#early, crowded }
  }

  /** Sends what is left. Called by the close of the instance that made it. */
  close(): Promise<void> {
    return this.#writer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #cover(options: WindowOptions, tiers?: readonly Tier[]): Cover {
    const { keep } = this.#options
    const { fromMs, toMs: endMs, nowMs } = checkWindow(options, this.#redis.serverNowMs(), keep)
    return coverOf(fromMs, endMs, nowMs, keep, tiers)
  }

  async #total(verb: string, name: string, field: string, options: WindowOptions): Promise<number> {
    return this.#totalOf(verb, name, field, this.#cover(options).buckets)
  }

  async #totalOf(verb: string, name: string, field: string, buckets: Cover['buckets']): Promise<number> {
    const part = this.#keys.partOf(name)
    const rows = await this.#reading(verb, () =>
      readCounts(this.#redis, this.#keys, part, buckets, [field], `analytics.${verb}`),
    )
    return rows.reduce((sum, [value]) => sum + (value as number), 0)
  }

  #reading<T>(verb: string, read: () => Promise<T>): Promise<T> {
    return READ.run({ analytics: this.name, verb }, async () => {
      await this.#settle()
      return read()
    })
  }

  async #settle(): Promise<void> {
    this.#vet()
    await this.#writer.flush()
  }

  #vet(): void {
    if (this.#vetted) return
    this.#vetted = true
    const sample = this.#keys.writer(0, 'probe')
    this.#redis.vet('analytics', 'state', analyticsRights(this.#keys), sample, '').catch(() => {})
  }
}
