/**
 * What the status page shows beside the counts of this process: figures of the whole fleet, out of monitor, analytics, queues and the breaker. Read once a
 * second at most, however many look; while Redis is away, what was known last.
 */

import type { Breaker, BreakerState, Holdfast } from 'holdfast'
import { audienceOf, SOLD } from '../audience/audience.ts'
import type { Mood, MoodyBank } from '../payment/moody-bank.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { Reports } from '../reports/reports.ts'
import { soldWords } from '../reports/words.tsx'
import type { Timed } from './figures.ts'

export interface Board {
  /** Of each of the last thirty minutes, the oldest first. */
  readonly sales: readonly { readonly atMs: number; readonly orders: number; readonly seats: number }[]
  /** Of the last five minutes. */
  readonly times: readonly TimesRow[]
  readonly queues: readonly QueueRow[]
  readonly payments: {
    readonly state: BreakerState
    readonly mood: Mood
    readonly refused: number
    readonly opened: number
  }
  /** Requests that a limit refused in the last hour, by the limit. */
  readonly limits: readonly { readonly limit: string; readonly count: number }[]
  /** The latest report in short, and when the next ones are due. */
  readonly report: { readonly words: string; readonly untilMs: number } | undefined
  readonly due: readonly { readonly what: string; readonly atMs: number }[]
  /** False while Redis does not answer. */
  readonly fresh: boolean
}

export interface TimesRow {
  readonly what: Timed
  readonly count: number
  readonly errors: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface QueueRow {
  readonly name: string
  readonly waiting: number
  readonly active: number
  readonly delayed: number
  readonly dead: number
  /** How long the first that could run has waited; undefined where none waits. */
  readonly oldestMs: number | undefined
}

export interface BoardSources {
  readonly hf: Holdfast
  readonly payments: Breaker
  readonly testBank: MoodyBank
  readonly receipts: Receipts
  readonly reports: Reports
}

const FRESH_MS = 900
const MINUTES = 30
const TIMED: readonly Timed[] = ['hold', 'confirm', 'pay']

/** The name of a time in `hf.monitor`. */
export function metricOf(timed: Timed): string {
  return `box-office.${timed}`
}

export function createBoard(sources: BoardSources): () => Promise<Board> {
  let known = nothingYet(sources)
  let atMs = Number.NEGATIVE_INFINITY
  let asking: Promise<Board> | undefined
  return () => {
    if (performance.now() - atMs < FRESH_MS) return Promise.resolve(known)
    asking ??= read(sources)
      .catch(() => ({ ...known, fresh: false }))
      .then((board) => {
        known = board
        atMs = performance.now()
        return board
      })
      .finally(() => {
        asking = undefined
      })
    return asking
  }
}

async function read(sources: BoardSources): Promise<Board> {
  const { hf, payments, testBank, receipts, reports } = sources
  const site = audienceOf(hf)
  const [points, times, queues, state, limits, latest, schedules] = await Promise.all([
    site.series(SOLD, { window: `${MINUTES}m`, step: '1m', field: 'seats' }),
    Promise.all(TIMED.map((what) => timesOf(hf, what))),
    Promise.all([receipts.queue, reports.queue].map(rowOf)),
    payments.state(),
    site.top('refused', 5, { window: '1h' }),
    reports.read(),
    reports.schedules(),
  ])
  return {
    sales: points.slice(-MINUTES).map(({ atMs, count, sum }) => ({ atMs, orders: count, seats: sum })),
    ...{ times, queues },
    payments: { state, mood: testBank.mood, refused: payments.stats.refused, opened: payments.stats.opened },
    limits: limits.map(({ item, count }) => ({ limit: item, count })),
    report:
      latest === undefined ? undefined : { words: soldWords(latest.report), untilMs: latest.report.until.getTime() },
    due: schedules.flatMap(({ id, nextAtMs }) => (nextAtMs === undefined ? [] : [{ what: id, atMs: nextAtMs }])),
    fresh: true,
  }
}

async function timesOf({ monitor }: Holdfast, what: Timed): Promise<TimesRow> {
  const { count, errors, p50, p95, p99 } = await monitor.stats(metricOf(what), { window: '5m' })
  return { what, count, errors, p50, p95, p99 }
}

async function rowOf(queue: Receipts['queue'] | Reports['queue']): Promise<QueueRow> {
  const { waiting, active, delayed, dead, oldestMs } = await queue.counts()
  return { name: queue.name, waiting, active, delayed, dead, oldestMs }
}

function nothingYet({ testBank }: BoardSources): Board {
  return {
    ...{ sales: [], times: [], queues: [], limits: [], report: undefined, due: [], fresh: false },
    payments: { state: 'closed', mood: testBank.mood, refused: 0, opened: 0 },
  }
}
