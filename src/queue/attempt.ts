import { monotonicMs } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { Observed } from '../base/observe.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import type { Ending } from '../stream/settlements.ts'
import { Effects, type FollowOptions } from './effects.ts'
import { deferredOf, doneOf, endEventOf, expiredOf, failedOf, HANDED_BACK, PayloadFault } from './endings.ts'
import { isFull, JobCancelledError, JobLeaseLostError, JobTimeoutError, WorkerClosedError } from './errors.ts'
import type { EndEvent, Tell } from './events.ts'
import { delayBefore, legible } from './failure.ts'
import type { Families } from './families.ts'
import type { Finisher } from './finisher.ts'
import { type ChildOutcome, Job, leavesSomething, optionsOf } from './job.ts'
import type { ResolvedQueue } from './options.ts'
import type { Payloads } from './payload.ts'
import type { Reports } from './reports.ts'
import { firstOf, type InboxOptions } from './sql/inbox.ts'
import type { Sql } from './sql/sql.ts'

const PROCESSED = new Observed('queue.process')

/** What a handler is given beside its job. */
export interface JobContext {
  /**
   * Fires when the lease is lost, or the worker waits no longer: from then on what it does is not counted. And when the timeout has passed, or the
   * job was cancelled: it may still end well, for as long as the queue's `grace` says.
   */
  readonly signal: AbortSignal
  /** The job's fence. */
  readonly fence: bigint
  /** Tell how far it is, for `queue.progress(id)`: anything that can be stored. Kept for an hour. */
  readonly progress: (value: unknown) => Promise<void>
  /** Put the job back for so long when the handler ends, without using an attempt. */
  readonly defer: (delay: Duration) => void
  /**
   * Add a job when this one is done, in the same step: both or neither, however often this one is tried. Into another queue, or under an id that
   * belongs into another shard, it is added right before, under an id that each attempt uses again: at least once.
   */
  readonly follow: (data: unknown, options?: FollowOptions) => void
  /** Count by so much, 1 if nothing else is said, when this job is done, in the same step: exactly once. See `queue.tallies`. */
  readonly tally: (name: string, by?: number) => void
  /**
   * Whether this job has still to be done, asked in the transaction of its effect: true for the first that commits, false from then on,
   * however often the job runs. `sql` is the transaction; the table is that of `inboxSchema()`. An id that is used again is the same job.
   */
  readonly once: (sql: Sql, options?: InboxOptions) => Promise<boolean>
}

export type Handler<T> = (job: Job<T>, context: JobContext) => unknown

/** Where attempts run. */
export interface Workplace {
  readonly queue: string
  readonly options: ResolvedQueue
  readonly payloads: Payloads
  readonly handler: Handler<never>
  readonly finisher: Finisher
  readonly reports: Reports
  readonly families: Families
  /** Told how attempts end; undefined where nobody wants to know. */
  readonly tell: Tell<EndEvent>
  /** The attempt's place may be given to another. `isZombie`: its handler still runs. */
  left(attempt: Attempt, isZombie: boolean): void
  /** The handler of one that had left its place has ended. */
  zombieEnded(): void
  done(): void
  failed(error: unknown, job: { readonly id: string; readonly attempt: number }): void
  /** It is done, and what it came to cannot be kept. */
  unkept(error: unknown, job: { readonly id: string; readonly attempt: number }): void
  /** It is a dead letter from now on. */
  buried(id: string, reason: string, error: unknown): void
  /** What it ended with does not count. */
  refused(): void
}

/** One attempt at one job, from its delivery to the end of its handler. */
export class Attempt implements JobContext {
  readonly #place: Workplace
  readonly #delivery: Delivery
  #controller: AbortController | undefined
  #stop: Error | undefined
  #timer: NodeJS.Timeout | undefined
  #deferMs: number | undefined
  #effects: Effects | undefined
  /** Told how it ended, or that there is nothing to tell. */
  #isSettled = false
  #begunMs = 0
  #hasLeft = false

  constructor(place: Workplace, delivery: Delivery) {
    this.#place = place
    this.#delivery = delivery
    delivery.onLost = (why) => this.#onLost(why)
    delivery.onCancel = () => this.#onCancel()
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#stop !== undefined) this.#controller.abort(this.#stop)
    }
    return this.#controller.signal
  }

  get fence(): bigint {
    return this.#delivery.fence
  }

  get progress(): (value: unknown) => Promise<void> {
    return (value) => this.#place.reports.tell(this.#delivery.envelope, value)
  }

  get defer(): (delay: Duration) => void {
    return (delay) => {
      this.#deferMs = toMs(delay, 'delay', { min: 0 })
    }
  }

  get follow(): JobContext['follow'] {
    return (data, options) => this.#collected.follow(data, options)
  }

  get tally(): JobContext['tally'] {
    return (name, by) => this.#collected.tally(name, by)
  }

  get once(): JobContext['once'] {
    return (sql, options) => firstOf(sql, this.#place.queue, this.#delivery.envelope.id, options)
  }

  /** It is not wanted any more: neither tried again nor kept. */
  get #isCancelled(): boolean {
    return this.#stop instanceof JobCancelledError
  }

  get #collected(): Effects {
    this.#effects ??= new Effects()
    return this.#effects
  }

  start(): void {
    const expired = expiredOf(this.#delivery)
    if (expired !== undefined) {
      this.#place.buried(this.#delivery.envelope.id, 'expired', expired.error)
      this.#settle(expired.ending, this.#endOf(expired.ending))
      return this.#leave(false)
    }
    if (optionsOf(this.#delivery).children === undefined) return this.#begin()
    this.#place.families.gather(this.#delivery).then(
      (children) => {
        if (children !== undefined && !this.#isSettled) return this.#begin(children)
        this.#isSettled = true
        this.#leave(false)
      },
      (error) => this.#failed(error),
    )
  }

  #begin(children?: readonly ChildOutcome[]): void {
    const { payloads } = this.#place
    let data: unknown
    try {
      data = payloads.read(this.#delivery.envelope)
    } catch (error) {
      return this.#failed(new PayloadFault(error))
    }
    if (!payloads.hasSchema) return this.#run(data, children)
    payloads.fit(data).then(
      (fitting) => this.#run(fitting, children),
      (error) => this.#failed(new PayloadFault(error)),
    )
  }

  #run(data: unknown, children: readonly ChildOutcome[] | undefined): void {
    const { options, handler } = this.#place
    if (this.#place.tell !== undefined) this.#begunMs = monotonicMs()
    const timeoutMs = optionsOf(this.#delivery).timeoutMs ?? options.timeoutMs
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#onTimeout(timeoutMs), timeoutMs)
    let answer: unknown
    let isLater = false
    try {
      const job = new Job(this.#delivery, data as never, this.#place.reports, children)
      answer = PROCESSED.heard
        ? PROCESSED.run({ queue: this.#place.queue, id: job.id, attempt: job.attempt }, async () => handler(job, this))
        : handler(job, this)
      // Asking may throw too, and must not keep others of the same turn from being begun.
      isLater = typeof (answer as PromiseLike<unknown> | undefined)?.then === 'function'
    } catch (error) {
      return this.#failed(error)
    }
    if (!isLater) return this.#succeeded(answer)
    Promise.resolve(answer).then(
      (value) => this.#succeeded(value),
      (error) => this.#failed(error),
    )
  }

  #succeeded(value: unknown): void {
    if (this.#isSettled) return this.#endedLate()
    const isDeferred = this.#deferMs !== undefined && !this.#isCancelled
    if (!isDeferred && (this.#effects !== undefined || leavesSomething(optionsOf(this.#delivery))))
      return this.#finish(value)
    const ending = isDeferred ? deferredOf(this.#delivery, this.#deferMs as number) : doneOf(this.#delivery)
    if (this.#settle(ending, isDeferred ? undefined : this.#endOf(ending))) this.#place.done()
    this.#leave(false)
  }

  /** By a call of its own, whose answer is waited for. */
  #finish(value: unknown): void {
    this.#isSettled = true
    clearTimeout(this.#timer)
    const { id, used } = this.#delivery.envelope
    // Its work is done: another attempt would do it again, and come to the same.
    const onUnkept = (error: unknown) => this.#place.unkept(error, { id, attempt: used + this.#delivery.deliveries })
    this.#place.finisher
      .finish(this.#delivery, this.#effects, value, onUnkept)
      .then(
        (counts) => {
          if (!counts) return this.#place.refused()
          this.#place.done()
          this.#endOf(doneOf(this.#delivery))?.()
        },
        (error) => (isFull(error) && !this.#isCancelled ? this.#putBack(error) : this.#fail(legible(error))),
      )
      .finally(() => this.#leave(false))
  }

  #failed(error: unknown): void {
    if (this.#isSettled) return this.#endedLate()
    // A handler that heeds its signal throws the signal's reason, or something that comes of it.
    this.#fail(this.#stop ?? legible(error))
    this.#leave(false)
  }

  #fail(error: unknown): void {
    if (this.#isCancelled) return this.#forget()
    const { envelope, deliveries } = this.#delivery
    const shown = error instanceof PayloadFault ? error.cause : error
    this.#place.failed(shown, { id: envelope.id, attempt: envelope.used + deliveries })
    const ending = failedOf(this.#place.options, this.#delivery, error)
    if (ending.op === 'dead') this.#place.buried(envelope.id, ending.reason, shown)
    this.#settle(ending, this.#endOf(ending, shown))
  }

  #forget(): void {
    if (optionsOf(this.#delivery).siblings === undefined) return void this.#settle(doneOf(this.#delivery))
    this.#isSettled = true
    clearTimeout(this.#timer)
    void this.#place.finisher.forget(this.#delivery)
  }

  /** What follows from it has no room elsewhere for now: so it is not done, and that is no fault of its own. */
  #putBack(error: unknown): void {
    const { envelope, deliveries } = this.#delivery
    const used = envelope.used + deliveries
    const { backoff } = optionsOf(this.#delivery)
    let delayMs: number
    try {
      delayMs = delayBefore(backoff ?? this.#place.options.backoff, used, error)
    } catch (thrown) {
      return this.#fail(legible(thrown))
    }
    this.#place.failed(error, { id: envelope.id, attempt: used })
    this.#settle(deferredOf(this.#delivery, delayMs))
  }

  /** What is to be said once this end counts; undefined where nobody wants to know. */
  #endOf(ending: Ending, thrown?: unknown): (() => void) | undefined {
    const { tell } = this.#place
    if (tell === undefined) return undefined
    const tookMs = this.#begunMs === 0 ? 0 : monotonicMs() - this.#begunMs
    return () => tell(endEventOf(this.#delivery, ending, tookMs, thrown))
  }

  /** `tell`: called once it counts. */
  #settle(ending: Ending, tell?: () => void): boolean {
    this.#isSettled = true
    clearTimeout(this.#timer)
    const isAwaited = ending.op === 'dead' && optionsOf(this.#delivery).resultMs !== undefined
    const told =
      isAwaited || tell !== undefined
        ? (settled: boolean) => {
            if (settled && isAwaited) this.#place.reports.dead(this.#delivery.envelope)
            if (settled) tell?.()
          }
        : undefined
    const counts = this.#delivery.lease.settle(this.#delivery, ending, told)
    if (counts) return true
    this.#place.refused()
    this.#abort(new JobLeaseLostError(this.#place.queue, this.#delivery.envelope.id, 'it was not renewed in time'))
    return false
  }

  #abort(reason: Error): void {
    this.#stop ??= reason
    this.#controller?.abort(reason)
  }

  #onTimeout(timeoutMs: number): void {
    this.#stopBy(new JobTimeoutError(this.#place.queue, this.#delivery.envelope.id, timeoutMs))
  }

  #onCancel(): void {
    if (this.#isSettled || this.#stop !== undefined) return
    clearTimeout(this.#timer)
    this.#stopBy(new JobCancelledError(this.#place.queue, this.#delivery.envelope.id))
  }

  #stopBy(error: Error): void {
    this.#abort(error)
    this.#timer = setTimeout(() => {
      this.#fail(error)
      this.#leave(true)
    }, this.#place.options.graceMs)
  }

  #onLost(why: string): void {
    if (this.#isSettled) return
    this.#isSettled = true
    clearTimeout(this.#timer)
    this.#abort(new JobLeaseLostError(this.#place.queue, this.#delivery.envelope.id, why))
    // Nothing is to be told any more; its place is free when it heeds its signal, or when it has had the time to.
    this.#timer = setTimeout(() => this.#leave(true), this.#place.options.graceMs).unref()
  }

  /** The worker waits no longer: another may begin this job at once. */
  handBack(): void {
    if (this.#isSettled) return
    const isWanted = !this.#isCancelled
    this.#abort(new WorkerClosedError(this.#place.queue, this.#delivery.envelope.id))
    if (isWanted) this.#settle(HANDED_BACK)
    else this.#forget()
    this.#leave(true)
  }

  #endedLate(): void {
    clearTimeout(this.#timer)
    this.#place.refused()
    if (this.#hasLeft) this.#place.zombieEnded()
    else this.#leave(false)
  }

  #leave(isZombie: boolean): void {
    this.#hasLeft = true
    this.#place.left(this, isZombie)
  }
}
