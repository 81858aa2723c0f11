import { monotonicMs } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { TimeoutError } from '../base/errors.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import type { Ending } from '../stream/settlements.ts'
import { doneOf, endEventOf, failedOf, forgottenOf, HANDED_BACK } from './endings.ts'
import { JobCancelledError, JobLeaseLostError, JobTimeoutError } from './errors.ts'
import type { EndEvent, Tell } from './events.ts'
import { legible } from './failure.ts'
import type { Families } from './families.ts'
import type { Finisher } from './finisher.ts'
import { type ChildOutcome, Job, leavesSomething, optionsOf } from './job.ts'
import type { ResolvedQueue } from './options.ts'
import type { Reports } from './reports.ts'

export interface PulledOwner {
  readonly finisher: Finisher
  readonly reports: Reports
  readonly families: Families
  /** Told how attempts end; undefined where nobody wants to know. */
  readonly tell: Tell<EndEvent>
  /** How long its ends are waited for. */
  readonly timeoutMs: number
  /** An end did not count. */
  readonly onRefused: () => void
}

/**
 * A job that was taken by hand: it is the taker's for the job's `timeout`, or for the queue's lease where there is none, and for longer by
 * `extend`. Whoever forgets it lives on and so does the process' lease: that alone would never bring it back.
 */
export class PulledJob<T = unknown> extends Job<T> implements AsyncDisposable {
  readonly #queue: string
  readonly #options: ResolvedQueue
  readonly #onRefused: () => void
  readonly #timeoutMs: number
  /** How long it is its taker's, if that is not extended. */
  readonly #ownMs: number
  readonly #isTimed: boolean
  readonly #controller = new AbortController()
  readonly #finisher: Finisher
  readonly #tell: Tell<EndEvent>
  readonly #takenMs = monotonicMs()
  #timer: NodeJS.Timeout | undefined
  #isEnded = false

  /** @internal */
  constructor(
    queue: string,
    options: ResolvedQueue,
    delivery: Delivery,
    data: T,
    owner: PulledOwner,
    children?: readonly ChildOutcome[],
  ) {
    super(delivery, data, owner.reports, children)
    this.#timeoutMs = owner.timeoutMs
    this.#finisher = owner.finisher
    this.#tell = owner.tell
    this.#queue = queue
    this.#options = options
    this.#onRefused = owner.onRefused
    delivery.onLost = (why) => this.#stop(new JobLeaseLostError(queue, this.id, why))
    // Its end is still its taker's to tell.
    delivery.onCancel = () => this.#controller.abort(new JobCancelledError(queue, this.id))
    const timeoutMs = optionsOf(delivery).timeoutMs ?? options.timeoutMs
    this.#isTimed = timeoutMs > 0
    this.#ownMs = this.#isTimed ? timeoutMs : options.leaseMs
    this.#endIn(this.#ownMs)
  }

  /** Fires when the lease is lost or the time for the job is over: from then on it may run elsewhere. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  #endIn(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      const error = new JobTimeoutError(this.#queue, this.id, ms)
      const endingOf = this.#isTimed ? failedOf : forgottenOf
      const ending = this.#unlessCancelled(() => endingOf(this.#options, this.delivery, error))
      this.#stop(error)
      if (ending.op === 'done' && this.#isChild) return void this.#finisher.forget(this.delivery)
      this.delivery.lease.settle(this.delivery, ending, (settled) => settled && this.#told(ending, error))
    }, ms).unref()
  }

  get #isChild(): boolean {
    return optionsOf(this.delivery).siblings !== undefined
  }

  /** A cancelled one is neither tried again nor kept, whatever its taker says of it. */
  #unlessCancelled(ending: () => Ending): Ending {
    return this.signal.reason instanceof JobCancelledError ? doneOf(this.delivery) : ending()
  }

  #stop(reason: Error): void {
    this.#isEnded = true
    clearTimeout(this.#timer)
    this.#controller.abort(reason)
  }

  /**
   * It is done, and came to `result`, which is kept where its adder asked for that.
   *
   * throws  JOB_LEASE_LOST when that does not count, since it may run elsewhere; TIMEOUT when the server has not said so in time: it is
   *         told on, for as long as the lease lasts
   */
  async complete(result?: unknown): Promise<void> {
    if (!leavesSomething(optionsOf(this.delivery)) || this.#isEnded) return this.#end(doneOf(this.delivery))
    clearTimeout(this.#timer)
    this.#isEnded = true
    try {
      if (await this.#finisher.finish(this.delivery, undefined, result)) return this.#told(doneOf(this.delivery))
    } catch (error) {
      // Nothing was done: it is still to be ended.
      this.#isEnded = false
      this.#endIn(this.#ownMs)
      throw error
    }
    this.#onRefused()
    throw this.#lostError()
  }

  /** It failed: it is tried again after the queue's backoff, or is among the dead letters if this was its last attempt. */
  async fail(error: unknown): Promise<void> {
    const ending = this.#unlessCancelled(() => failedOf(this.#options, this.delivery, legible(error)))
    if (ending.op !== 'done' || !this.#isChild || this.#isEnded) return this.#end(ending, error)
    this.#stop(this.signal.reason)
    await this.#finisher.forget(this.delivery)
  }

  /** Back for another to take, without using an attempt. */
  release(): Promise<void> {
    return this.#end(this.#unlessCancelled(() => HANDED_BACK))
  }

  /** The time for it is over so long from now. Throws JOB_LEASE_LOST when it is over already. */
  async extend(time: Duration): Promise<void> {
    const ms = toMs(time, 'time', { max: 2 ** 31 - 1 })
    if (this.#isEnded || !this.delivery.lease.isValid()) throw this.#lostError()
    this.#endIn(ms)
  }

  #told(ending: Ending, thrown?: unknown): void {
    if (ending.op === 'back') return
    this.#tell?.(endEventOf(this.delivery, ending, monotonicMs() - this.#takenMs, thrown))
  }

  #end(ending: Ending, thrown?: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      clearTimeout(this.#timer)
      const late = setTimeout(() => reject(new TimeoutError('queue.settle', this.#timeoutMs, true)), this.#timeoutMs)
      const told = (settled: boolean, error?: unknown) => {
        clearTimeout(late)
        if (error !== undefined) return reject(error)
        if (settled) {
          this.#told(ending, thrown)
          return resolve()
        }
        const lost = this.#lostError()
        this.#stop(lost)
        reject(lost)
      }
      if (!this.#isEnded && this.delivery.lease.settle(this.delivery, ending, told)) {
        this.#isEnded = true
        return
      }
      clearTimeout(late)
      this.#onRefused()
      reject(this.#lostError())
    })
  }

  #lostError(): Error {
    const { reason } = this.signal
    return reason instanceof JobLeaseLostError
      ? reason
      : new JobLeaseLostError(this.#queue, this.id, 'it was ended, or given to another', reason)
  }

  /** Back for another to take, if it was not ended. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isEnded) await this.release()
  }
}
