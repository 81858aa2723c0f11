import type { Redis } from '../redis/redis.ts'
import { MonitorStore } from './store.ts'
import { cover } from './tiers.ts'

export interface MetricStats {
  readonly count: number
  readonly errors: number
  readonly sum: number
  /** In ms for what `time` measured; 0 where count is 0, as all below. */
  readonly min: number
  readonly max: number
  readonly avg: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  /** Where the window begins: at the start of the minute, hour or day that is kept of that time. In ms of the server's clock. */
  readonly fromMs: number
  readonly toMs: number
}

/** What is written of one metric, by all processes, over the last `windowMs`. */
export async function readMetric(store: MonitorStore, name: string, windowMs: number): Promise<MetricStats> {
  const toMs = Math.floor(store.nowMs)
  const { fromMs, cells } = cover(windowMs, toMs)
  const { values, errors } = await store.read(name, cells)
  return {
    ...{ count: values.count, errors, sum: values.sum, min: values.min, max: values.max },
    // Sums are kept in thousandths: of small values the mean may be beyond all of them.
    avg: Math.min(values.max, Math.max(values.min, values.mean)),
    ...{ p50: values.percentile(0.5), p95: values.percentile(0.95), p99: values.percentile(0.99) },
    ...{ fromMs, toMs },
  }
}

/** Metrics that are read side by side: each is up to 90 hashes. */
const ABREAST = 10

/** Every metric of the namespace, or those that are named, by name; writes nothing. Those without a value in the window are left out. */
export async function inspectMetrics(
  redis: Redis,
  windowMs: number,
  names?: readonly string[],
): Promise<ReadonlyMap<string, MetricStats>> {
  const store = new MonitorStore(redis)
  const wanted = names ?? (await store.names())
  const found = new Map<string, MetricStats>()
  for (let at = 0; at < wanted.length; at += ABREAST) {
    const lot = wanted.slice(at, at + ABREAST)
    const stats = await Promise.all(lot.map((name) => readMetric(store, name, windowMs)))
    for (const [i, one] of stats.entries()) if (one.count + one.errors > 0) found.set(lot[i] as string, one)
  }
  return found
}
