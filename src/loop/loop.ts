import { type Duration, toMs } from '../base/duration.ts'

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
  #running: Promise<void> | undefined
  #again = false

  constructor(turn: (signal: AbortSignal) => Promise<void> | void, options: LoopOptions) {
    this.#turn = turn
    this.#everyMs = toMs(options.every, 'every')
    this.#jitter = options.jitter ?? 0.1
    this.#onError = options.onError ?? (() => {})
  }

  start(): this {
    if (this.#timer === undefined && this.#running === undefined && !this.#stopping.signal.aborted)
      this.#schedule(this.#everyMs)
    return this
  }

  /** The next turn now, or right after the one under way; resolves when it has ended. */
  async runNow(): Promise<void> {
    if (this.#running !== undefined) {
      this.#again = true
      await this.#running
    }
    if (this.#stopping.signal.aborted) return
    clearTimeout(this.#timer)
    await this.#runTurn()
  }

  /** The next turn no later than `ms` from now. */
  within(ms: number): void {
    if (this.#stopping.signal.aborted || this.#running !== undefined) return
    clearTimeout(this.#timer)
    this.#schedule(ms, 0)
  }

  #schedule(ms: number, jitter = this.#jitter): void {
    const varied = ms * (1 + (Math.random() * 2 - 1) * jitter)
    this.#timer = setTimeout(() => void this.#runTurn(), varied)
    this.#timer.unref()
  }

  #runTurn(): Promise<void> {
    this.#running ??= (async () => {
      try {
        do {
          this.#again = false
          await this.#turn(this.#stopping.signal)
        } while (this.#again && !this.#stopping.signal.aborted)
      } catch (error) {
        this.#onError(error)
      } finally {
        this.#running = undefined
        if (!this.#stopping.signal.aborted) this.#schedule(this.#everyMs)
      }
    })()
    return this.#running
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    clearTimeout(this.#timer)
    await this.#running
  }
}
