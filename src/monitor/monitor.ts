import { checkText } from '../base/check.ts'
import { monotonicMs } from '../base/clock.ts'
import { ConfigError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import { Loop } from '../loop/loop.ts'
import type { Redis } from '../redis/redis.ts'
import { type MetricStats, readMetric } from './inspect.ts'
import {
  checkValue,
  type MetricSample,
  type ResolvedMonitorOptions,
  resolveSample,
  resolveWindow,
  type StatsOptions,
} from './options.ts'
import { Series } from './series.ts'
import { MonitorStore } from './store.ts'

const OBSERVED = { record: new Observed('monitor.record'), stats: new Observed('monitor.stats') } as const

/** Names that one process counts apart: what is beyond goes to one that says so. */
const MOST_NAMES = 1_000
const OTHERS = '(other)'

/**
 * How often things happen, how long they take and how often they fail, in the whole fleet. It is `hf.monitor`.
 *
 * promise  counts are exact, percentiles right to 1.6 %, over all processes; a batch is added once, however often it is sent. A process that dies
 *          loses what `time` measured since the last write, at most `flush` of it; Redis away loses what is older than an hour
 * costs    `time` no round trip; a write for each metric and `flush`, all in one tick; about 1 KB for a metric and cell
 */
export class Monitor {
  readonly #store: MonitorStore
  readonly #series = new Map<string, Series>()
  readonly #loop: Loop
  /** Asked at each turn for what is only counted: tells what was not told before. */
  readonly #sources: (() => Iterable<readonly [name: string, count: number]>)[] = []
  #started = false

  /** @internal Made by the instance. */
  constructor(redis: Redis, options: ResolvedMonitorOptions) {
    this.#store = new MonitorStore(redis)
    this.#loop = new Loop(() => this.flush().then(() => {}), { every: options.flushMs / 1.1, jitter: 0.1 })
  }

  /**
   * Runs `work` and measures it; what it throws counts as an error, and not among the times. Redis is not asked: nothing is waited for, and no call
   * fails because it is away.
   *
   * name  any string of at most 512 bytes; the thousand-and-first of a process, and all after it, are counted under `(other)`
   */
  async time<T>(name: string, work: () => T | PromiseLike<T>): Promise<Awaited<T>> {
    if (!this.#series.has(name)) checkText('name', name)
    if (typeof work !== 'function') throw new ConfigError('work', 'a function', work)
    const startMs = monotonicMs()
    try {
      const answer = await work()
      this.observe(name, monotonicMs() - startMs)
      return answer
    } catch (error) {
      this.observe(name, undefined)
      throw error
    }
  }

  /**
   * Adds to many metrics at once, in one round trip.
   *
   * metrics  by name: see MetricSample
   * returns  true when Redis has them; false when it is away: they are kept, and written once it is back
   * throws   ConfigError for a sample that makes no sense, and then none is added; SERVER_DENIED and what else Redis refuses for good: those
   *          are lost
   */
  async record(metrics: Readonly<Record<string, MetricSample>>): Promise<boolean> {
    if (typeof metrics !== 'object' || metrics === null || Symbol.iterator in metrics)
      throw new ConfigError('metrics', 'an object of samples by name', metrics)
    const samples = Object.entries(metrics).map(
      ([name, sample]) => [checkText('metrics', name), resolveSample(name, sample)] as const,
    )
    const nowMs = this.#store.nowMs
    const touched = samples.map(([name, { values, errors }]) => {
      const series = this.#of(name)
      for (const [value, times] of values) series.record(value, times, nowMs)
      if (errors > 0) series.fail(errors, nowMs)
      return series
    })
    return OBSERVED.record.run({ metrics: touched.length }, async (operation) => {
      const isWritten = await this.#write(touched)
      operation.outcome = isWritten ? 'written' : 'kept'
      return isWritten
    })
  }

  /**
   * What happened to one metric, in all processes; what this one has not written yet is written first.
   *
   * throws  TIMEOUT, CONNECTION_LOST when Redis cannot be asked
   */
  async stats(name: string, options?: StatsOptions): Promise<MetricStats> {
    checkText('name', name)
    const windowMs = resolveWindow(options)
    return OBSERVED.stats.run({ metric: name }, () => this.#read(name, windowMs))
  }

  async #read(name: string, windowMs: number): Promise<MetricStats> {
    const series = this.#series.get(name)
    // What could not be written is counted as lost; that is no reason to tell nothing.
    if (series?.isWritten === false) await this.#write([series]).catch(() => {})
    return readMetric(this.#store, name, windowMs)
  }

  /** Names of all metrics that were written in the last 90 days, sorted. */
  async list(): Promise<readonly string[]> {
    await this.flush().catch(() => {})
    return this.#store.names()
  }

  /** Writes all that this process has measured. False when Redis is away: it is kept. Throws when Redis refused some of it for good. */
  async flush(): Promise<boolean> {
    for (const tell of this.#sources)
      for (const [name, count] of tell()) if (count > 0) this.#of(name).record(0, count, this.#store.nowMs)
    const unwritten = [...this.#series.values()].filter(({ isWritten }) => !isWritten)
    return unwritten.length === 0 || this.#write(unwritten)
  }

  /** Values and errors that were given up: Redis was away for more than an hour, or refused them for good. */
  get lost(): number {
    return [...this.#series.values()].reduce((sum, { lost }) => sum + lost, 0)
  }

  /**
   * Adds one value that was measured elsewhere, as `time` does: at once, in this process, and written behind.
   *
   * value   0 to 9 × 10^12; undefined: it failed
   * throws  ConfigError
   */
  observe(name: string, value: number | undefined): void {
    const series = this.#series.get(name) ?? this.#first(name, value)
    if (value === undefined) series.fail(1, this.#store.nowMs)
    else series.record(value, 1, this.#store.nowMs)
    if (this.#started) return
    this.#started = true
    this.#loop.start()
  }

  #first(name: string, value: number | undefined): Series {
    checkText('name', name)
    // A value that is refused takes none of the names that a process has.
    if (value !== undefined) checkValue('value', value)
    return this.#of(name)
  }

  /** @internal Counts that somebody else keeps, asked for before each write: by name, what came since. */
  addSource(tell: () => Iterable<readonly [name: string, count: number]>): void {
    this.#sources.push(tell)
    this.#started = true
    this.#loop.start()
  }

  async #write(touched: readonly Series[]): Promise<boolean> {
    const written = touched.map((series) => series.write())
    const registered = this.#store.register(touched.map(({ name }) => name)).catch(() => {})
    const all = await Promise.allSettled(written)
    await registered
    for (const one of all) if (one.status === 'rejected') throw one.reason
    return all.every((one) => one.status === 'fulfilled' && one.value)
  }

  #of(name: string): Series {
    const known = this.#series.get(name)
    if (known !== undefined) return known
    const isBeyond = this.#series.size >= MOST_NAMES && name !== OTHERS
    if (isBeyond) return this.#of(OTHERS)
    const series = new Series(this.#store, name)
    this.#series.set(name, series)
    return series
  }

  /** @internal Writes what is left, while Redis answers, and ends. */
  async close(): Promise<void> {
    await this.#loop.stop()
    await this.flush().catch(() => {})
  }
}
