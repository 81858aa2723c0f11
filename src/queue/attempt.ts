import { type Duration, toMs } from '../base/duration.ts'
import { Observed } from '../base/observe.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import type { Ending } from '../stream/settlements.ts'
import { deferredOf, doneOf, failedOf, handedBackOf, PayloadFault } from './endings.ts'
import { JobLeaseLostError, JobTimeoutError, WorkerClosedError } from './errors.ts'
import { Job, optionsOf } from './job.ts'
import type { ResolvedQueue } from './options.ts'
import type { Payloads } from './payload.ts'

const PROCESSED = new Observed('queue.process')

/** What a handler is given beside its job. */
export interface JobContext {
  /** Fires when the lease is lost, the timeout has passed, or the worker waits no longer: from then on what it does is not counted. */
  readonly signal: AbortSignal
  /** The job's fence. */
  readonly fence: bigint
  /** Tell how far it is, for `queue.progress(id)`: anything that can be stored. Kept for an hour. */
  readonly progress: (value: unknown) => Promise<void>
  /** Put the job back for so long when the handler ends, without using an attempt. */
  readonly defer: (delay: Duration) => void
}

export type Handler<T> = (job: Job<T>, context: JobContext) => unknown

/** Where attempts run. */
export interface Workplace {
  readonly queue: string
  readonly options: ResolvedQueue
  readonly payloads: Payloads
  readonly handler: Handler<never>
  readonly report: (job: { readonly id: string; readonly group: string | undefined }, value: unknown) => Promise<void>
  /** The attempt's place may be given to another. `isZombie`: its handler still runs. */
  left(attempt: Attempt, isZombie: boolean): void
  /** The handler of one that had left its place has ended. */
  zombieEnded(): void
  done(): void
  failed(error: unknown, job: { readonly id: string; readonly attempt: number }): void
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
  /** Told how it ended, or that there is nothing to tell. */
  #isSettled = false
  #hasLeft = false

  constructor(place: Workplace, delivery: Delivery) {
    this.#place = place
    this.#delivery = delivery
    delivery.onLost = (why) => this.#onLost(why)
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
    return (value) => this.#place.report(this.#delivery.envelope, value)
  }

  get defer(): (delay: Duration) => void {
    return (delay) => {
      this.#deferMs = toMs(delay, 'delay', { min: 0 })
    }
  }

  start(): void {
    const { payloads } = this.#place
    let data: unknown
    try {
      data = payloads.read(this.#delivery.envelope)
    } catch (error) {
      return this.#failed(new PayloadFault(error))
    }
    if (!payloads.hasSchema) return this.#run(data)
    payloads.fit(data).then(
      (fitting) => this.#run(fitting),
      (error) => this.#failed(new PayloadFault(error)),
    )
  }

  #run(data: unknown): void {
    const { options, handler } = this.#place
    const timeoutMs = optionsOf(this.#delivery).timeoutMs ?? options.timeoutMs
    if (timeoutMs > 0) this.#timer = setTimeout(() => this.#onTimeout(timeoutMs), timeoutMs)
    let answer: unknown
    try {
      const job = new Job(this.#delivery, data as never)
      answer = PROCESSED.heard
        ? PROCESSED.run({ queue: this.#place.queue, id: job.id, attempt: job.attempt }, async () => handler(job, this))
        : handler(job, this)
    } catch (error) {
      return this.#failed(error)
    }
    if (typeof (answer as PromiseLike<unknown> | undefined)?.then !== 'function') return this.#succeeded()
    ;(answer as PromiseLike<unknown>).then(
      () => this.#succeeded(),
      (error) => this.#failed(error),
    )
  }

  #succeeded(): void {
    if (this.#isSettled) return this.#endedLate()
    const isDeferred = this.#deferMs !== undefined
    if (this.#settle(isDeferred ? deferredOf(this.#delivery, this.#deferMs as number) : doneOf(this.#delivery)))
      this.#place.done()
    this.#leave(false)
  }

  #failed(error: unknown): void {
    if (this.#isSettled) return this.#endedLate()
    // A handler that heeds its signal throws the signal's reason, or something that comes of it.
    this.#fail(this.#stop ?? error)
    this.#leave(false)
  }

  #fail(error: unknown): void {
    const { envelope, deliveries } = this.#delivery
    const shown = error instanceof PayloadFault ? error.cause : error
    this.#place.failed(shown, { id: envelope.id, attempt: envelope.used + deliveries })
    let ending: Ending
    try {
      ending = failedOf(this.#place.options, this.#delivery, error)
    } catch (thrown) {
      // The user's backoff: without a wait to go by, the job goes where somebody looks at it.
      ending = failedOf({ ...this.#place.options, attempts: 1 }, this.#delivery, thrown)
    }
    this.#settle(ending)
  }

  #settle(ending: Ending): boolean {
    this.#isSettled = true
    clearTimeout(this.#timer)
    const counts = this.#delivery.lease.settle(this.#delivery, ending)
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
    const error = new JobTimeoutError(this.#place.queue, this.#delivery.envelope.id, timeoutMs)
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
    this.#abort(new WorkerClosedError(this.#place.queue, this.#delivery.envelope.id))
    this.#settle(handedBackOf(this.#delivery))
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
