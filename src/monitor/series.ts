import { Histogram } from '../base/histogram.ts'
import { isOutage } from '../redis/redis.ts'
import type { Batch, MonitorStore } from './store.ts'
import { MINUTE_MS } from './tiers.ts'

/** Batches that wait for Redis, one a minute at most: after an hour without it the oldest are given up. */
const MOST_WAITING = 60
/** Nothing older is sent: its minute's cell, which knows what was added already, would have ended before long. */
const OLDEST_MS = 60 * MINUTE_MS

/** The server takes no writes for a while: it is full, or cannot write to its disk. */
function isUnready(error: unknown): boolean {
  const { code, reply } = error as { code?: unknown; reply?: unknown }
  return code === 'SERVER_FULL' || reply === 'MISCONF'
}

/** One metric in this process: what is not yet written, and how it is. */
export class Series {
  readonly name: string
  readonly #store: MonitorStore
  #minuteMs = 0
  #values: Histogram | undefined
  #errors = 0
  #seq = 0
  readonly #waiting: Batch[] = []
  #under: Promise<boolean> | undefined
  #next: Promise<boolean> | undefined
  /** Values that were given up. */
  lost = 0

  constructor(store: MonitorStore, name: string) {
    this.#store = store
    this.name = name
  }

  record(value: number, times: number, nowMs: number): void {
    this.#enter(nowMs)
    const values = this.#values ?? new Histogram()
    values.record(value, times)
    // Not before it took the value: of one that is refused nothing is to be written.
    this.#values = values
  }

  fail(times: number, nowMs: number): void {
    this.#enter(nowMs)
    this.#errors += times
  }

  get isWritten(): boolean {
    return this.#waiting.length === 0 && this.#values === undefined && this.#errors === 0
  }

  /** What came in another minute is a batch of its own. */
  #enter(nowMs: number): void {
    const minuteMs = Math.floor(nowMs / MINUTE_MS) * MINUTE_MS
    if (minuteMs === this.#minuteMs) return
    this.#seal()
    this.#minuteMs = minuteMs
  }

  #seal(): void {
    if (this.#values === undefined && this.#errors === 0) return
    const { counts, sum, min, max } = (this.#values ?? new Histogram()).dump()
    const count = this.#values?.count ?? 0
    const batch = { seq: ++this.#seq, minuteMs: this.#minuteMs, count, errors: this.#errors, sum, min, max, counts }
    this.#waiting.push(batch)
    this.#values = undefined
    this.#errors = 0
    if (this.#waiting.length <= MOST_WAITING) return
    // The first may be under way: it is confirmed or sent again, and nothing else.
    const [given] = this.#waiting.splice(1, 1) as [Batch]
    this.lost += given.count + given.errors
  }

  /**
   * Resolves when all that was recorded by now is written: true; false when Redis cannot be asked, and it stays. Rejects when Redis refused
   * some of it for good: that is lost.
   */
  write(): Promise<boolean> {
    if (this.#under === undefined) {
      this.#under = this.#drain().finally(() => {
        this.#under = undefined
      })
      return this.#under
    }
    // One more for all who come meanwhile.
    this.#next ??= this.#under.then(() => {
      this.#next = undefined
      return this.write()
    })
    return this.#next
  }

  async #drain(): Promise<boolean> {
    // While batches wait, what comes in the same minute is gathered in one.
    if (this.#waiting.length === 0) this.#seal()
    const refusals: unknown[] = []
    for (;;) {
      const [batch] = this.#waiting
      if (batch === undefined) {
        if (refusals.length > 0) throw refusals[0]
        return true
      }
      try {
        if (this.#store.nowMs - batch.minuteMs > OLDEST_MS + MINUTE_MS) this.lost += batch.count + batch.errors
        else await this.#store.add(this.name, batch)
      } catch (error) {
        if (isOutage(error) || isUnready(error)) return false
        // Denied, closed, or a key of another kind in its place: trying again would not help.
        refusals.push(error)
        this.lost += batch.count + batch.errors
      }
      this.#waiting.shift()
      if (this.#waiting.length === 0) this.#seal()
    }
  }
}
