import { inspectSite, type SiteView } from '../../analytics/inspect.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'
import { Holdfast } from '../../holdfast.ts'
import { inspectMetrics, type MetricStats } from '../../monitor/inspect.ts'
import type { Redis } from '../../redis/redis.ts'
import type { Context } from '../context.ts'
import { count, short, span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { type Column, table } from '../terminal/table.ts'
import { type SpaceFlags, withHoldfast } from '../with-holdfast.ts'

export interface StatsFlags extends SpaceFlags {
  readonly window?: Duration | undefined
  readonly site?: string | undefined
  readonly spread?: number | undefined
}

/** As long as each keeps its days unless it is told otherwise. */
const LONGEST_MS = { metric: 90 * 86_400_000, site: 400 * 86_400_000 }

export async function stats(this: Context, flags: StatsFlags, ...metrics: string[]): Promise<void> {
  const terminal = this.terminal(flags)
  const { site, spread, json } = flags
  if (site !== undefined && metrics.length > 0)
    throw new ConfigError('metric', 'no metric beside --site', metrics.join(' '))
  if (site === undefined && spread !== undefined) throw new ConfigError('--spread', 'a --site beside it', spread)
  const windowMs = toMs(flags.window ?? '1h', '--window', {
    ...{ min: 60_000, max: site === undefined ? LONGEST_MS.metric : LONGEST_MS.site },
  })
  if (site !== undefined) {
    const [view, space] = await look(this, flags, (redis) =>
      inspectSite(redis, site, { windowMs, options: spread === undefined ? {} : { spread } }),
    )
    const events = view.events.map((event) => ({ ...event, sums: Object.fromEntries(event.sums) }))
    return json ? terminal.json({ site, ...view, events }) : terminal.data(showSite(site, view, space, terminal.paint))
  }
  const names = metrics.length === 0 ? undefined : metrics
  const [found, space] = await look(this, flags, (redis) => inspectMetrics(redis, windowMs, names))
  if (json) return terminal.json({ metrics: Object.fromEntries(found) })
  terminal.data(showMetrics(found, windowMs, space, terminal.paint))
}

/** What is found, and the namespace that was looked into: the one that a program has is easily left out. */
const look = <T>(context: Context, flags: StatsFlags, read: (redis: Redis) => Promise<T>): Promise<[T, string]> =>
  withHoldfast(context, flags, async (hf) => {
    const redis = Holdfast.redisOf(hf)
    return [await read(redis), printable(redis.keyspace.namespace)]
  })

const right = (title: string): Column => ({ title, align: 'right' })
const METRICS: readonly Column[] = [
  { title: 'METRIC' },
  ...['COUNT', 'ERRORS', 'MIN', 'AVG', 'P50', 'P95', 'P99', 'MAX'].map(right),
]

export function showMetrics(
  found: ReadonlyMap<string, MetricStats>,
  windowMs: number,
  space: string,
  paint: Paint,
): string {
  if (found.size === 0) return `No metric of the namespace ${space} has a value within ${span(windowMs)}.`
  const rows = [...found].map(([name, { count: n, errors, min, avg, p50, p95, p99, max }]) => [
    short(printable(name), 60),
    count(n),
    errors === 0 ? '0' : { text: count(errors), colour: 'red' as const },
    ...[min, avg, p50, p95, p99, max].map(figure),
  ])
  return table(METRICS, rows, paint)
}

/** Four digits are enough to compare by. */
const figure = (value: number): string =>
  value >= 1_000 ? count(Math.round(value)) : String(Number(value.toPrecision(4)))

export function showSite(site: string, { fromMs, events, dimensions }: SiteView, space: string, paint: Paint): string {
  if (events.length + dimensions.length === 0)
    return `Nothing was counted for ${printable(site)} in the namespace ${space}.`
  const parts = [`${paint('bold', printable(site))}, from ${new Date(fromMs).toISOString()}`]
  if (events.length > 0) {
    const sumsOf = (sums: ReadonlyMap<string, number>) =>
      [...sums].map(([field, sum]) => `${printable(field)} ${figure(sum)}`)
    const rows = events.map(({ event, count: n, sums }) => [printable(event), count(n), sumsOf(sums).join(', ')])
    parts.push(table([{ title: 'EVENT' }, right('COUNT'), { title: 'SUMS' }], rows, paint))
  }
  if (dimensions.length > 0) {
    const rows = dimensions.flatMap(({ dimension, hits, visitors, top }) => [
      [{ text: printable(dimension), colour: 'bold' as const }, count(hits), count(visitors)],
      ...top.map(({ item, count: n, error }) => [
        `  ${short(printable(item), 60)}`,
        error === 0 ? count(n) : `${count(n)} ± ${count(error)}`,
        '',
      ]),
    ])
    parts.push(table([{ title: 'DIMENSION' }, right('HITS'), right('VISITORS')], rows, paint))
  }
  return parts.join('\n\n')
}
