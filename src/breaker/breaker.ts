import { monotonicMs, unlessAborted } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import { Circuit, type Ticket } from './circuit.ts'
import { BreakerOpenError } from './errors.ts'
import { FleetCircuit, type FleetTicket } from './fleet.ts'
import { checkRun, type ResolvedBreakerOptions, type RunOptions } from './options.ts'
import type { Cause, CircuitState, Verdict } from './rules.ts'

const OBSERVED = new Observed('breaker.run')
const LONGEST_TRIP_MS = 365 * 86_400_000

/** What is protected: told the signal of its call, if it has one. */
type Work<T> = (call: { readonly signal: AbortSignal | undefined }) => T | PromiseLike<T>

/** What a breaker did in this process since it was made. */
export interface BreakerStats {
  readonly state: CircuitState
  readonly succeeded: number
  readonly failed: number
  /** Longer than `slowCalls.over`; also among those above. */
  readonly slow: number
  /** Not called, because it was open. */
  readonly refused: number
  /** Times that it opened. */
  readonly opened: number
}

export interface BreakerChange {
  readonly breaker: string
  readonly from: CircuitState
  readonly to: CircuitState
  readonly cause: Cause
}

/**
 * Stops calling what fails, and tries again by one call at a time. Made by `hf.breaker(name, options)`.
 *
 * promise  while it is open nothing is called; half-open, one call is tried at a time, in the fleet with `shared`. Redis away makes a shared
 *          one act for its process alone, and never fails a call
 */
export class Breaker {
  readonly name: string
  readonly #options: ResolvedBreakerOptions
  readonly #circuit: Circuit
  readonly #fleet: FleetCircuit | undefined
  readonly #listeners = new Set<(change: BreakerChange) => void>()
  readonly #counts = { succeeded: 0, failed: 0, slow: 0, refused: 0, opened: 0 }

  /** @internal Made by `hf.breaker`. */
  constructor(redis: Redis, name: string, options: ResolvedBreakerOptions) {
    this.name = name
    this.#options = options
    this.#circuit = new Circuit(options, monotonicMs, (from, to, cause) => this.#tell(from, to, cause))
    this.#fleet = options.shared ? new FleetCircuit(redis, name, this.#circuit, options) : undefined
  }

  /**
   * Calls `work`, unless the breaker is open.
   *
   * work     is told the `signal` of this call, if it has one
   * returns  what `work` answers, or the fallback
   * throws   BreakerOpenError with `retryAfterMs` when it is open; the error of `work` as it is; `signal.reason`
   */
  async run<T, F = never>(work: Work<T>, options?: RunOptions<F>): Promise<Awaited<T | F>> {
    checkRun(work, options)
    options?.signal?.throwIfAborted()
    return OBSERVED.heard
      ? OBSERVED.run({ breaker: this.name }, (operation) => this.#run(work, options, operation))
      : this.#run(work, options)
  }

  async #run<T, F>(work: Work<T>, options: RunOptions<F> | undefined, operation?: Operation): Promise<Awaited<T | F>> {
    const say = (outcome: string) => {
      if (operation !== undefined) operation.outcome = outcome
    }
    const signal = options?.signal
    const admission = this.#fleet === undefined ? this.#circuit.admit() : await this.#ask(this.#fleet, signal, say)
    if (!admission.admitted) {
      this.#counts.refused++
      say('refused')
      const error = new BreakerOpenError(this.name, admission.retryAfterMs)
      if (options?.fallback === undefined) throw error
      return await options.fallback(error)
    }
    const startMs = monotonicMs()
    try {
      const answer = await unlessAborted((async () => await work({ signal }))(), signal)
      say('succeeded')
      await this.#end(admission.ticket, 'ok', startMs)
      return answer
    } catch (error) {
      const verdict = this.#verdictOf(error, signal)
      say(verdict === 'left' ? 'left' : 'failed')
      await this.#end(admission.ticket, verdict, startMs)
      if (verdict !== 'failed' || options?.fallback === undefined) throw error
      return await options.fallback(error)
    }
  }

  /** Who leaves while Redis is waited for is not kept, has called nothing, and gives back what he is admitted to in the end. */
  async #ask(fleet: FleetCircuit, signal: AbortSignal | undefined, say: (outcome: string) => void) {
    const asked = fleet.admit()
    try {
      return await unlessAborted(asked, signal)
    } catch (error) {
      say('left')
      void asked.then((late) => (late.admitted ? fleet.end(late.ticket, 'left', false) : undefined)).catch(() => {})
      throw error
    }
  }

  #verdictOf(error: unknown, signal: AbortSignal | undefined): Verdict {
    if (signal?.aborted)
      return String((signal.reason as { name?: unknown } | null)?.name).endsWith('TimeoutError') ? 'failed' : 'left'
    try {
      return (this.#options.isFailure?.(error) ?? true) ? 'failed' : 'ok'
    } catch {
      // A judge who fails must not leave a trial without its end, nor hide the error that he was asked about.
      return 'failed'
    }
  }

  #end(ticket: Ticket | FleetTicket, verdict: Verdict, startMs: number): Promise<void> | void {
    const { slowRate, slowMs } = this.#options
    const slow = slowRate > 0 && monotonicMs() - startMs > slowMs
    if (verdict === 'ok') this.#counts.succeeded++
    else if (verdict === 'failed') this.#counts.failed++
    if (slow && verdict !== 'left') this.#counts.slow++
    return this.#fleet === undefined
      ? this.#circuit.end(ticket, verdict, slow)
      : this.#fleet.end(ticket as FleetTicket, verdict, slow)
  }

  /** How it stands: for a shared one, in the fleet. `'half-open'`: the cooldown is over, and the next call, or one under way, is the trial. */
  async state(): Promise<CircuitState> {
    await this.#fleet?.look()
    return this.#circuit.state
  }

  /** Opens it now, for so long: by default the cooldown. A shared one that could not be told so in Redis opens in this process. */
  async trip(duration?: Duration): Promise<void> {
    const forMs =
      duration === undefined ? this.#options.cooldownMs : toMs(duration, 'duration', { max: LONGEST_TRIP_MS })
    this.#circuit.open(forMs, 'trip')
    await this.#fleet?.set(forMs)
  }

  /** Closes it now, and forgets what was counted. A shared one that could not be told so in Redis closes in this process. */
  async reset(): Promise<void> {
    this.#circuit.close('reset')
    await this.#fleet?.set(0)
  }

  /** Tells `listener` of every change that this process learns of, until the function that it answers is called. */
  onChange(listener: (change: BreakerChange) => void): () => void {
    if (typeof listener !== 'function') throw new ConfigError('listener', 'a function', listener)
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get stats(): BreakerStats {
    return { state: this.#circuit.state, ...this.#counts }
  }

  #tell(from: CircuitState, to: CircuitState, cause: Cause): void {
    if (to === 'open') this.#counts.opened++
    // What a listener throws is its own affair, not that of the call which made the change.
    for (const listener of this.#listeners) queueMicrotask(() => listener({ breaker: this.name, from, to, cause }))
  }
}
