/** What a sale came to, in figures and in ticks. */

import type { Invariant } from '../audit/audit.ts'
import type { Ending } from '../crowd/buyer.ts'
import type { Figures, Timed } from '../figures/figures.ts'
import type { Traffic } from '../figures/traffic.ts'
import type { Struck } from '../storm/storm.ts'

export interface Counts {
  readonly free: number
  readonly held: number
  readonly sold: number
}

export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly max: number
}

export interface Summary {
  readonly ok: boolean
  readonly run: {
    readonly buyers: number
    readonly seats: number
    readonly seed: number
    readonly processes: number
    readonly server: string
  }
  readonly seats: Counts
  readonly holds: number
  readonly orders: number
  readonly seatsSold: number
  readonly refusals: Readonly<Record<string, number>>
  /** Written and delivered. */
  readonly receipts: number
  /** Sales that their replicas did not acknowledge in time; SQL has them. */
  readonly undurable: number
  readonly expiredHolds: number
  readonly releasedHolds: number
  readonly repeatedRequests: number
  readonly buyersByEnding: Readonly<Record<string, number>>
  readonly cacheHitRatio: number | null
  readonly holdMs: Percentiles
  readonly confirmMs: Percentiles
  /** The longest that anybody waited for the answer to a hold or a payment. */
  readonly longestWaitMs: number
  readonly traffic: Traffic
  /** What happened to the servers meanwhile, in order; null: no storm was asked for. */
  readonly storm: readonly Struck[] | null
  readonly saleMs: number
  readonly wholeMs: number
  readonly invariants: readonly Invariant[]
}

export interface SummarySources {
  readonly run: Summary['run']
  readonly counts: Counts
  readonly endings: ReadonlyMap<number, Ending>
  readonly figures: Figures
  readonly traffic: Traffic
  readonly storm: readonly Struck[] | null
  readonly changes: Readonly<Record<string, number>>
  readonly receipts: number
  readonly invariants: readonly Invariant[]
  readonly saleMs: number
  readonly wholeMs: number
}

export function summaryOf(sources: SummarySources): Summary {
  const { figures, changes, endings, invariants } = sources
  const n = (...names: Parameters<Figures['of']>[0][]) => names.reduce((sum, name) => sum + figures.of(name), 0)
  const buyersByEnding: Record<string, number> = {}
  for (const ending of endings.values()) buyersByEnding[ending] = (buyersByEnding[ending] ?? 0) + 1
  return {
    ok: invariants.every((invariant) => invariant.problems.length === 0),
    run: sources.run,
    seats: sources.counts,
    holds: changes.held ?? 0,
    orders: n('paid'),
    seatsSold: n('seatsSold'),
    refusals: {
      'seat taken': n('taken'),
      'over the limit': n('limit'),
      'card declined': n('declined'),
      'paid too late': n('expired', 'gone'),
      invalid: n('invalid'),
      paused: n('paused'),
    },
    receipts: sources.receipts,
    undurable: n('undurable'),
    expiredHolds: changes.expired ?? 0,
    releasedHolds: changes.released ?? 0,
    repeatedRequests: n('repeatedHolds', 'repeatedPayments'),
    buyersByEnding,
    cacheHitRatio: figures.cacheHitRatio ?? null,
    holdMs: percentiles(figures, 'hold'),
    confirmMs: percentiles(figures, 'confirm'),
    longestWaitMs: Math.round(Math.max(figures.timed('hold').max, figures.timed('pay').max)),
    traffic: sources.traffic,
    storm: sources.storm,
    saleMs: Math.round(sources.saleMs),
    wholeMs: Math.round(sources.wholeMs),
    invariants,
  }
}

function percentiles(figures: Figures, name: Timed): Percentiles {
  const histogram = figures.timed(name)
  const at = (share: number) => Math.round(histogram.percentile(share) * 100) / 100
  return {
    count: histogram.count,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    max: Math.round(histogram.max * 100) / 100,
  }
}

const MOST_PROBLEMS = 5

export function printSummary(summary: Summary): void {
  const { run, seats } = summary
  const where = run.processes === 1 ? 'in this process' : `in ${run.processes} processes`
  const line = (label: string, value: string | number) => console.log(`  ${label.padEnd(22)} ${value}`)
  console.log(`\nOpening night: ${run.buyers} buyers ${where}, ${run.seats} seats, seed ${run.seed}, ${run.server}\n`)
  line('seats', `${seats.sold} sold, ${seats.free} free, ${seats.held} held`)
  line(
    'holds',
    `${summary.holds}, of which ${summary.expiredHolds} ran out and ${summary.releasedHolds} were given back`,
  )
  line('orders paid', `${summary.orders} for ${summary.seatsSold} seats`)
  line('receipts', `${summary.receipts} written, and one report`)
  if (summary.undurable > 0) line('without a replica', `${summary.undurable} sales, which only SQL is sure to keep`)
  line('requests repeated', summary.repeatedRequests)
  line('refusals', words(summary.refusals))
  line('buyers', words(summary.buyersByEnding))
  line('catalogue from cache', summary.cacheHitRatio === null ? '–' : `${(summary.cacheHitRatio * 100).toFixed(2)} %`)
  line('hold', times(summary.holdMs))
  line('confirm', times(summary.confirmMs))
  line('longest wait', `${summary.longestWaitMs} ms for the answer to a hold or a payment`)
  const { repeats, redirects, failovers } = summary.traffic
  if (summary.storm !== null) line('storm', `${summary.storm.length} faults: ${words(kindsOf(summary.storm))}`)
  if (summary.storm !== null || repeats + redirects + failovers > 0)
    line('on the way to Redis', `${repeats} repeats, ${redirects} redirects, ${failovers} failovers`)
  line('the sale took', `${(summary.saleMs / 1_000).toFixed(1)} s, all of it ${(summary.wholeMs / 1_000).toFixed(1)} s`)
  console.log('')
  for (const { name, problems } of summary.invariants) {
    console.log(`  ${problems.length === 0 ? '✓' : '✗'} ${name}`)
    for (const problem of problems.slice(0, MOST_PROBLEMS)) console.log(`      ${problem}`)
    if (problems.length > MOST_PROBLEMS) console.log(`      and ${problems.length - MOST_PROBLEMS} more`)
  }
  const broken = summary.invariants.filter((invariant) => invariant.problems.length > 0)
  console.log(
    broken.length === 0
      ? '\nEvery invariant holds.\n'
      : `\nBROKEN: ${broken.map((invariant) => invariant.name).join('; ')}\n`,
  )
}

function kindsOf(struck: readonly Struck[]): Record<string, number> {
  const kinds: Record<string, number> = {}
  for (const { name } of struck) kinds[name] = (kinds[name] ?? 0) + 1
  return kinds
}

function words(counts: Readonly<Record<string, number>>): string {
  const found = Object.entries(counts).filter(([, n]) => n > 0)
  return found.length === 0 ? 'none' : found.map(([name, n]) => `${n} ${name}`).join(', ')
}

function times({ count, p50, p95, p99, max }: Percentiles): string {
  return `p50 ${p50} ms, p95 ${p95} ms, p99 ${p99} ms, longest ${max} ms (${count})`
}
