import { guarded } from '../base/listener.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import type { ShardCrew, Taker } from '../stream/crew.ts'
import type { Alarm } from './alarm.ts'
import { Attempt, type Handler, type Workplace } from './attempt.ts'
import { both, type EndEvent, type Tell } from './events.ts'
import type { Families } from './families.ts'
import type { Finisher } from './finisher.ts'
import {
  type CheckedProcess,
  type CloseOptions,
  checkClose,
  type ProcessOptions,
  type ResolvedQueue,
} from './options.ts'
import type { Payloads } from './payload.ts'
import type { Reports } from './reports.ts'

export interface WorkerStats {
  /** Jobs that are being worked on. */
  readonly running: number
  /** Jobs that were done. */
  readonly done: number
  /** Attempts that failed. */
  readonly failed: number
  /** Ends of attempts that did not count: the lease had been lost, or the place was given to another. */
  readonly refused: number
  /** Handlers that still run although their time has passed, and whose places were given to others. */
  readonly zombies: number
}

/** Runs a handler for the jobs of a queue, so many at a time. Made by `queue.process`. */
export class Worker implements Taker, Workplace, AsyncDisposable {
  readonly queue: string
  readonly options: ResolvedQueue
  readonly payloads: Payloads
  readonly handler: Handler<never>
  readonly finisher: Finisher
  readonly reports: Reports
  readonly families: Families
  readonly tell: Tell<EndEvent>
  readonly #crew: ShardCrew
  readonly #checked: CheckedProcess
  readonly #alarm: Alarm
  readonly #tell: NonNullable<ProcessOptions['onError']>
  readonly #attempts = new Set<Attempt>()
  readonly #onClosed: (worker: Worker) => void
  #isPaused = false
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined
  #done = 0
  #failed = 0
  #refused = 0
  #zombies = 0

  /** @internal */
  constructor(
    crew: ShardCrew,
    place: Pick<Workplace, 'queue' | 'options' | 'payloads' | 'handler' | 'finisher' | 'reports' | 'families' | 'tell'>,
    checked: CheckedProcess,
    alarm: Alarm,
    onClosed: (worker: Worker) => void,
  ) {
    this.queue = place.queue
    this.options = place.options
    this.payloads = place.payloads
    this.handler = place.handler
    this.finisher = place.finisher
    this.reports = place.reports
    this.families = place.families
    const { onEnd } = checked
    const own = onEnd === undefined ? undefined : guarded(`onEnd of a worker of queue '${place.queue}'`, onEnd)
    this.tell = both(own, place.tell)
    this.#crew = crew
    this.#checked = checked
    this.#alarm = alarm
    this.#tell = guarded(`onError of a worker of queue '${place.queue}'`, checked.onError)
    this.#onClosed = onClosed
    crew.join(this)
  }

  /** @internal */
  get free(): number {
    return this.#isPaused || this.#closing !== undefined ? 0 : this.#checked.concurrency - this.#attempts.size
  }

  /** @internal */
  get isBlocking(): boolean {
    return this.#checked.isBlocking
  }

  get stats(): WorkerStats {
    return {
      running: this.#attempts.size,
      ...{ done: this.#done, failed: this.#failed, refused: this.#refused, zombies: this.#zombies },
    }
  }

  /** Begins no more jobs in this process; resolves when none runs any more. */
  pause(): Promise<void> {
    this.#isPaused = true
    return this.#whenIdle()
  }

  /** Takes jobs again. */
  resume(): void {
    this.#isPaused = false
    this.#crew.look()
  }

  #whenIdle(): Promise<void> {
    if (this.#attempts.size === 0) return this.#crew.flush()
    return new Promise<void>((resolve) => {
      const before = this.#idle
      this.#idle = () => {
        before?.()
        resolve()
      }
    }).then(() => this.#crew.flush())
  }

  /**
   * Takes no more jobs, lets handlers run for `timeout`, then fires their signals and hands their jobs back without using an attempt.
   * Resolves when the server knows it.
   */
  close(options?: CloseOptions): Promise<void> {
    const timeoutMs = checkClose(options)
    this.#closing ??= this.#end(timeoutMs)
    return this.#closing
  }

  async #end(timeoutMs: number): Promise<void> {
    // Not before `free` says so.
    await undefined
    this.#crew.leave(this)
    if (this.#attempts.size > 0) {
      let timer: NodeJS.Timeout | undefined
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, timeoutMs)
      })
      await Promise.race([this.#whenIdle(), late])
      clearTimeout(timer)
      for (const attempt of [...this.#attempts]) attempt.handBack()
    }
    await this.#crew.flush()
    this.#onClosed(this)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** @internal */
  give(delivery: Delivery): void {
    const attempt = new Attempt(this, delivery)
    this.#attempts.add(attempt)
    attempt.start()
  }

  /** @internal */
  left(attempt: Attempt, isZombie: boolean): void {
    if (!this.#attempts.delete(attempt)) return
    if (isZombie) this.#zombies++
    if (this.#attempts.size === 0) {
      this.#idle?.()
      this.#idle = undefined
    }
    this.#crew.look()
  }

  /** @internal */
  zombieEnded(): void {
    this.#zombies--
  }

  /** @internal */
  done(): void {
    this.#done++
  }

  /** @internal */
  failed(error: unknown, job: { readonly id: string; readonly attempt: number }): void {
    this.#failed++
    this.#tell(error, job)
  }

  /** @internal */
  unkept(error: unknown, job: { readonly id: string; readonly attempt: number }): void {
    if (this.#checked.onError === undefined) this.#alarm.unkept(job.id, error)
    else this.#tell(error, job)
  }

  /** @internal */
  buried(id: string, reason: string, error: unknown): void {
    if (this.#checked.onError === undefined) this.#alarm.buried(id, reason, error)
  }

  /** @internal No job could be had, or none be ended, for now. */
  troubled(error: unknown): void {
    if (this.#checked.onError === undefined) this.#alarm.troubled(error)
    else this.#tell(error, undefined)
  }

  /** @internal */
  refused(): void {
    this.#refused++
  }
}
