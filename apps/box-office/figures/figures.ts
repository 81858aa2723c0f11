/** What happened so far in this process: plain counts and times, for the status page and the summary of a sale. */

import { Histogram, type HistogramDump } from 'holdfast/monitor'

export type Count =
  | 'held'
  | 'taken'
  | 'limit'
  | 'invalid'
  | 'paused'
  | 'repeatedHolds'
  | 'released'
  | 'paid'
  | 'declined'
  | 'expired'
  | 'gone'
  | 'conflict'
  | 'settling'
  | 'undurable'
  | 'repeatedPayments'
  | 'recovered'
  | 'seatsSold'
  | 'cacheReads'
  | 'cacheLoads'
  | 'abandoned'
  | 'buyers'
  | 'limited'
  | 'paymentsPaused'
  | 'receipts'
  | 'faults'

export type Timed = 'hold' | 'confirm' | 'pay'

export interface FiguresDump {
  readonly counts: Partial<Record<Count, number>>
  readonly times: Partial<Record<Timed, HistogramDump>>
}

/** Who is told of times beside: the figures of the fleet. */
export interface Timekeeper {
  time<T>(name: Timed, work: () => Promise<T>): Promise<T>
}

export class Figures {
  readonly #fleet: Timekeeper | undefined
  readonly #counts = new Map<Count, number>()
  readonly #times = new Map<Timed, Histogram>()
  readonly since = Date.now()

  constructor(fleet?: Timekeeper) {
    this.#fleet = fleet
  }

  count(name: Count, by = 1): void {
    this.#counts.set(name, this.of(name) + by)
  }

  of(name: Count): number {
    return this.#counts.get(name) ?? 0
  }

  /** Runs `work` and records how long it took, however it ended. */
  async time<T>(name: Timed, work: () => Promise<T>): Promise<T> {
    const start = performance.now()
    try {
      return await (this.#fleet === undefined ? work() : this.#fleet.time(name, work))
    } finally {
      this.timed(name).record(performance.now() - start)
    }
  }

  timed(name: Timed): Histogram {
    let histogram = this.#times.get(name)
    if (histogram === undefined) {
      histogram = new Histogram()
      this.#times.set(name, histogram)
    }
    return histogram
  }

  /** The share of catalogue reads that needed no SQL; undefined before the first. */
  get cacheHitRatio(): number | undefined {
    const reads = this.of('cacheReads')
    return reads === 0 ? undefined : Math.max(0, 1 - this.of('cacheLoads') / reads)
  }

  dump(): FiguresDump {
    return {
      counts: Object.fromEntries(this.#counts),
      times: Object.fromEntries([...this.#times].map(([name, histogram]) => [name, histogram.dump()])),
    }
  }

  add(dump: FiguresDump): void {
    for (const [name, n] of Object.entries(dump.counts)) this.count(name as Count, n)
    for (const [name, times] of Object.entries(dump.times)) this.timed(name as Timed).add(times)
  }
}
