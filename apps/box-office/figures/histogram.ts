/**
 * How long things took, in a fixed number of buckets: 16 to every doubling, so a percentile is right to about
 * 4.5 %, whatever the count. Two of them from two processes add up, which sorted samples do not.
 */

const STEPS = 16
const SMALLEST_MS = 0.01
const BUCKETS = 420

export class Histogram {
  readonly #counts = new Array<number>(BUCKETS).fill(0)
  #total = 0
  #max = 0

  record(ms: number): void {
    const index = ms <= SMALLEST_MS ? 0 : Math.ceil(Math.log2(ms / SMALLEST_MS) * STEPS)
    const bucket = Math.min(BUCKETS - 1, index)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#total += 1
    if (ms > this.#max) this.#max = ms
  }

  get count(): number {
    return this.#total
  }

  get max(): number {
    return this.#max
  }

  /** The value that `share` (0 to 1) of all were not above; 0 when nothing was recorded. */
  percentile(share: number): number {
    const wanted = Math.ceil(this.#total * share)
    let seen = 0
    for (let index = 0; index < BUCKETS; index += 1) {
      seen += this.#counts[index] ?? 0
      if (seen >= wanted && seen > 0) return Math.min(this.#max, SMALLEST_MS * 2 ** (index / STEPS))
    }
    return this.#max
  }

  /** In a form that crosses processes. */
  dump(): HistogramDump {
    const counts = this.#counts.flatMap((count, index) => (count === 0 ? [] : [[index, count] as const]))
    return { counts, max: this.#max }
  }

  add(dump: HistogramDump): void {
    for (const [index, count] of dump.counts) {
      this.#counts[index] = (this.#counts[index] ?? 0) + count
      this.#total += count
    }
    this.#max = Math.max(this.#max, dump.max)
  }
}

export interface HistogramDump {
  readonly counts: readonly (readonly [bucket: number, count: number])[]
  readonly max: number
}
