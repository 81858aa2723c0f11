import { LONGEST_TIMER_MS, monotonicMs } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { guarded } from '../base/listener.ts'

export interface LoopOptions {
  /** Time from the end of one turn to the start of the next. */
  readonly every: Duration
  /** Share of `every` by which each wait is varied, so that processes do not move in step. Default 0.1. */
  readonly jitter?: number
  /** Told of a turn that failed; the loop goes on. Default: nobody. */
  readonly onError?: (error: unknown) => void
}

/**
 * Background work in turns: one at a time, never overlapping, never keeping the process alive by itself.
 * `stop` lets the turn under way end, so that nothing of the loop runs after it.
 */
export class Loop {
  readonly #turn: (signal: AbortSignal) => Promise<void> | void
  readonly #everyMs: number
  readonly #jitter: number
  readonly #onError: (error: unknown) => void
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #dueMs = Number.POSITIVE_INFINITY
  /** When the next turn was asked for while one was under way. */
  #wantedMs = Number.POSITIVE_INFINITY
  #running: Promise<void> | undefined
  #again = false

  constructor(turn: (signal: AbortSignal) => Promise<void> | void, options: LoopOptions) {
    this.#turn = turn
    this.#everyMs = toMs(options.every, 'every')
    this.#jitter = options.jitter ?? 0.1
    this.#onError = guarded('onError of work in turns', options.onError)
  }

  start(): this {
    if (this.#timer === undefined && this.#running === undefined && !this.#stopping.signal.aborted)
      this.#schedule(monotonicMs() + this.#variedMs())
    return this
  }

  /** The next turn now, or right after the one under way; resolves when it has ended. */
  async runNow(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true
      return this.#running
    }
    if (!this.#stopping.signal.aborted) return this.#runTurn()
  }

  /** The next turn no later than `ms` from now. */
  within(ms: number): void {
    if (this.#stopping.signal.aborted) return
    const dueMs = monotonicMs() + ms
    if (this.#running !== undefined) this.#wantedMs = Math.min(this.#wantedMs, dueMs)
    else if (this.#timer === undefined || dueMs < this.#dueMs) this.#schedule(dueMs)
  }

  #variedMs(): number {
    return this.#everyMs * (1 + (Math.random() * 2 - 1) * this.#jitter)
  }

  #schedule(dueMs: number): void {
    clearTimeout(this.#timer)
    this.#dueMs = dueMs
    const leftMs = dueMs - monotonicMs()
    const next = leftMs > LONGEST_TIMER_MS ? () => this.#schedule(dueMs) : () => void this.#runTurn()
    this.#timer = setTimeout(next, Math.min(leftMs, LONGEST_TIMER_MS)).unref()
  }

  #runTurn(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#running ??= this.#run()
    return this.#running
  }

  async #run(): Promise<void> {
    do {
      this.#again = false
      try {
        // A turn that throws at once must not end this before `#running` is set.
        await (async () => this.#turn(this.#stopping.signal))()
      } catch (error) {
        this.#onError(error)
      }
    } while (this.#again && !this.#stopping.signal.aborted)
    this.#running = undefined
    if (this.#stopping.signal.aborted) return
    this.#schedule(Math.min(monotonicMs() + this.#variedMs(), this.#wantedMs))
    this.#wantedMs = Number.POSITIVE_INFINITY
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await this.#running
  }
}
