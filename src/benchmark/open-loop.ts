import { setImmediate as turnOfLoop } from 'node:timers/promises'
import { monotonicMs } from '../base/clock.ts'
import { Histogram } from '../base/histogram.ts'
import type { Operation } from './scenario.ts'

export interface Latency {
  /** Arrivals a second. */
  readonly rate: number
  /** Operations that were measured. */
  readonly count: number
  /** In ms, from the moment at which an operation was to begin. */
  readonly p50: number
  readonly p95: number
  readonly p99: number
  readonly p999: number
  readonly max: number
  /** Most operations under way at once. */
  readonly mostUnderWay: number
}

/**
 * Operations that begin when they are due, at a fixed rate, whether or not those before them were answered; each is measured from when it was due.
 * So a server that stands still for a second counts for all who would have come in that second, and not for one.
 *
 * lanes  two operations whose turns are so many apart may touch the same: the later waits for the earlier one, and the wait counts
 */
export async function measureLatency(
  run: Operation,
  options: {
    readonly rate: number
    readonly forMs: number
    readonly lanes: number
    readonly firstTurn: number
    readonly signal: AbortSignal
  },
): Promise<Latency> {
  const { rate, forMs, lanes, firstTurn, signal } = options
  const histogram = new Histogram()
  const count = Math.max(1, Math.round((rate * forMs) / 1_000))
  const before: Promise<unknown>[] = Array.from({ length: lanes }, () => Promise.resolve())
  let underWay = 0
  let mostUnderWay = 0
  let failure: unknown
  const startMs = monotonicMs()
  const begin = async (n: number) => {
    const dueMs = startMs + (n * 1_000) / rate
    mostUnderWay = Math.max(mostUnderWay, ++underWay)
    try {
      await before[n % lanes]
      await run(firstTurn + n)
      histogram.record(Math.max(0, monotonicMs() - dueMs))
    } catch (error) {
      failure ??= error
    } finally {
      underWay--
    }
  }
  for (let next = 0; next < count && failure === undefined; ) {
    signal.throwIfAborted()
    const due = Math.min(count, Math.floor(((monotonicMs() - startMs) * rate) / 1_000) + 1)
    for (; next < due; next++) before[next % lanes] = begin(next)
    // A timer is late by up to a millisecond, which would count as the server's.
    await turnOfLoop()
  }
  await Promise.all(before)
  if (failure !== undefined) throw failure
  return {
    ...{ rate, count: histogram.count, mostUnderWay, max: histogram.max },
    ...{ p50: histogram.percentile(0.5), p95: histogram.percentile(0.95) },
    ...{ p99: histogram.percentile(0.99), p999: histogram.percentile(0.999) },
  }
}
