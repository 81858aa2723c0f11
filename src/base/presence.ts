import { monotonicMs } from './clock.ts'

/** A delay of less than one tick is what timers do. */
const TICKS_OF_LEASE = 12
const LEAST_TICK_MS = 10

/**
 * For how long this process's event loop stood still lately. Who lost something because he was not heard asks it whether he was there to be heard.
 * One timer, a twelfth of a lease apart.
 */
export class Presence {
  readonly #tickMs: number
  readonly #keepMs: number
  /** Each time that it stood still, by when that was over. */
  #absences: { readonly atMs: number; readonly ms: number }[] = []
  #lastMs = 0
  #timer: NodeJS.Timeout | undefined

  /** `leaseMs`: what is asked about lasts so long; what is twice as old is forgotten. */
  constructor(leaseMs: number) {
    this.#tickMs = Math.max(LEAST_TICK_MS, Math.floor(leaseMs / TICKS_OF_LEASE))
    this.#keepMs = 2 * leaseMs
  }

  start(): void {
    if (this.#timer !== undefined) return
    this.#lastMs = monotonicMs()
    this.#timer = setInterval(() => this.#tick(monotonicMs()), this.#tickMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #tick(nowMs: number): void {
    const ms = this.#lateMs(nowMs)
    this.#lastMs = nowMs
    if (ms === 0) return
    // At most so many as there are ticks in what is kept.
    this.#absences = this.#absences.filter(({ atMs }) => atMs > nowMs - this.#keepMs)
    this.#absences.push({ atMs: nowMs, ms })
  }

  #lateMs(nowMs: number): number {
    const lateMs = nowMs - this.#lastMs - this.#tickMs
    return lateMs > this.#tickMs ? lateMs : 0
  }

  /** For how many ms it stood still since then, the time included for which it has not been able to say so yet. Infinity where nobody has looked. */
  awayMs(sinceMs: number): number {
    if (this.#timer === undefined) return Number.POSITIVE_INFINITY
    let sumMs = this.#lateMs(monotonicMs())
    for (const { atMs, ms } of this.#absences) if (atMs > sinceMs) sumMs += ms
    return sumMs
  }
}
