import { backoffMs } from '../base/backoff.ts'
import { checkKnown } from '../base/check.ts'
import { monotonicMs } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { messageOf } from '../base/errors.ts'
import { guarded } from '../base/listener.ts'
import { Presence } from '../base/presence.ts'
import { Consumer } from './consumer.ts'
import { type Delivery, inBatches, readGiven } from './deliveries.ts'
import type { LogEntry } from './entry.ts'
import { LogGroupRemovedError, LogHandlerTimeoutError, LogLeaseLostError } from './errors.ts'
import type { ResolvedGroupOptions, ResolvedProcessOptions } from './options.ts'
import type { GroupPlace } from './place.ts'

/** An idle consumer looks this often, whatever it heard: so it finds what a dead one left, and what it was not told of. */
const POLL_MS = 900
/** So many entries are settled by one call. */
const MOST_SETTLED = 200
const LONGEST_PAUSE_MS = 1_000
const LONGEST_MESSAGE = 1_000
/** Something is due and was not given: it waits for another, or for many that are being put in line. */
const HINDERED_MS = 20
/** A process that stood still for more of its lease has no excuse for having lost it. */
const AWAY_SHARE = 1 / 4
const MOST_EXCUSES = 100

/** What a handler is told beside its entries. */
export interface HandlerContext {
  /** Fires when its answer will not count any more: the lease is lost, its time is over, or the worker closes. */
  readonly signal: AbortSignal
  /** Which try this is, from 1; of a batch, of its first entry. */
  readonly attempt: number
}

export type Handler = (entries: readonly LogEntry<never>[], context: HandlerContext) => Promise<unknown> | unknown

/** Gives a group's entries to a handler, in this process, until it is closed. Made by `group.process`. */
export class LogWorker implements AsyncDisposable {
  readonly #place: GroupPlace
  readonly #how: ResolvedGroupOptions
  readonly #options: ResolvedProcessOptions
  readonly #handler: Handler
  readonly #onClosed: () => void
  readonly #tell: ResolvedProcessOptions['onError']
  readonly #presence: Presence
  /** Lost their leases while this process was there, and have not been able to say so. */
  #excused: Consumer[] = []
  #consumer: Consumer
  #queue: (readonly Delivery[])[] = []
  #busy = 0
  #paused = false
  #alone = false
  #opened = false
  #closing: Promise<void> | undefined
  #wake: () => void = () => {}
  #woken = false
  readonly #running: Promise<void>

  /** @internal Made by `group.process`. */
  constructor(
    place: GroupPlace,
    how: ResolvedGroupOptions,
    options: ResolvedProcessOptions,
    handler: Handler,
    onClosed: () => void,
  ) {
    this.#place = place
    this.#how = how
    this.#options = options
    this.#handler = handler
    this.#onClosed = onClosed
    this.#tell = guarded(`onError of the group '${place.group}' of the log '${place.name}'`, options.onError)
    this.#presence = new Presence(options.leaseMs)
    this.#presence.start()
    this.#consumer = this.#join()
    this.#running = this.#run()
  }

  /** Handlers at work now. */
  get busy(): number {
    return this.#busy
  }

  /** Begins nothing new in this process until `resume()`. */
  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.ring()
  }

  /** @internal There may be something new. */
  ring(): void {
    this.#woken = true
    this.#wake()
  }

  #join(): Consumer {
    const { name, group } = this.#place
    const consumer: Consumer = new Consumer(this.#place, this.#options, (why) => {
      if (this.#consumer !== consumer) return
      consumer.abort(new LogLeaseLostError(name, group, why))
      this.#queue = []
      this.#consumer = this.#join()
      // Redis was away, or out of reach. One that was kept from renewing it, as by an entry that blocks, is taken for dead.
      if (this.#presence.awayMs(consumer.renewedMs) <= this.#options.leaseMs * AWAY_SHARE)
        this.#excused = [...this.#excused, consumer].slice(-MOST_EXCUSES)
      this.ring()
    })
    return consumer
  }

  async #run(): Promise<void> {
    let failures = 0
    while (this.#closing === undefined) {
      this.#woken = false
      let waitMs: number
      try {
        waitMs = await this.#turn()
        failures = 0
      } catch (error) {
        this.#tell(error, [])
        waitMs = backoffMs(failures++, 50, LONGEST_PAUSE_MS)
        // News are no reason to ask a server sooner that does not answer.
        this.#woken = false
      }
      await this.#rest(waitMs)
    }
  }

  #rest(ms: number): Promise<void> {
    if (this.#woken || this.#closing !== undefined || ms <= 0) return new Promise((resolve) => setImmediate(resolve))
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        // What else has ended by then goes along.
        setImmediate(resolve)
      }
    })
  }

  /** Somebody has removed the group: there is nothing to hand back, and nobody to tell. */
  #onRemoved(): void {
    const { name, group } = this.#place
    const removed = new LogGroupRemovedError(name, group)
    this.#queue = []
    this.#closing ??= Promise.resolve()
    this.#presence.stop()
    this.#consumer.abort(removed)
    this.#tell(removed, [])
    this.#onClosed()
  }

  /** Answers how long there is nothing to do, unless somebody rings. */
  async #turn(): Promise<number> {
    const { concurrency, batch, order, leaseMs } = this.#options
    if (!this.#opened) {
      await this.#place.open(this.#how)
      this.#opened = true
    }
    // Before this very turn counts a death.
    for (const lost of [...this.#excused]) {
      await lost.excuse()
      this.#excused = this.#excused.filter((one) => one !== lost)
    }
    const consumer = this.#consumer
    const isHeldUp = this.#paused || this.#alone || (order === 'all' && !consumer.isIdle(MOST_SETTLED))
    const free = isHeldUp ? 0 : concurrency - this.#busy - this.#queue.length
    const want = Math.max(0, free) * batch
    const reply = await consumer.turn(want, MOST_SETTLED)
    if (reply === 'lost') {
      consumer.lose('its lease had ended')
      return 0
    }
    if (reply === 'removed') {
      this.#onRemoved()
      return 0
    }
    if (reply === 'unknown') {
      consumer.lose('the group is not there any more')
      // Whoever emptied the server has not made a new beginning: what is there by now is new to this group.
      await this.#place.open({ ...this.#how, from: 'first' })
      return 0
    }
    const { deliveries, unreadable } = readGiven(reply.given)
    consumer.take(deliveries.map(({ place }) => place))
    for (const [place, error] of unreadable) {
      consumer.take([place])
      consumer.settle(['dead', place, '0', 'unreadable', textOf(error)])
    }
    if (this.#consumer !== consumer) return 0
    this.#queue.push(...inBatches(deliveries, batch))
    this.#start()
    if (consumer.hasMore || unreadable.length > 0) return 0
    // With no place for it what is due need not be asked for: whoever ends rings.
    const isAwaited = reply.nextMs >= 0 && want > 0
    const leastMs = deliveries.length === 0 ? HINDERED_MS : 1
    const dueMs = isAwaited ? Math.max(leastMs, reply.nextMs - reply.nowMs) : Number.POSITIVE_INFINITY
    return Math.min(dueMs, POLL_MS * (0.9 + Math.random() * 0.1), leaseMs / 3)
  }

  #start(): void {
    while (this.#busy < this.#options.concurrency && this.#closing === undefined) {
      const batch = this.#queue.shift()
      if (batch === undefined) return
      this.#busy++
      this.#alone = batch[0]?.alone === true
      void this.#work(this.#consumer, batch).finally(() => {
        this.#busy--
        // What runs alone is the only one that ends.
        this.#alone = false
        this.#start()
        this.ring()
      })
    }
  }

  async #work(consumer: Consumer, batch: readonly Delivery[]): Promise<void> {
    const entries = batch.map(({ entry }) => entry)
    try {
      await this.#handle(consumer, entries, batch[0]?.attempt ?? 1)
      for (const { place } of batch) consumer.settle(['done', place, '0', '', ''])
    } catch (error) {
      this.#tell(error, entries)
      for (const delivery of batch) this.#fail(consumer, delivery, error)
      if (this.#options.order !== 'all' || this.#consumer !== consumer) return
      // None of these before that one is done or dead.
      for (const { place } of this.#queue.flat()) consumer.settle(['back', place, '0', '', ''])
      this.#queue = []
    }
  }

  #fail(consumer: Consumer, { place, failures }: Delivery, error: unknown): void {
    const { attempts, baseMs, maxMs } = this.#how
    if (failures + 1 >= attempts) consumer.settle(['dead', place, '0', 'failed', textOf(error)])
    else consumer.settle(['failed', place, String(backoffMs(failures, baseMs, maxMs)), '', ''])
  }

  #handle(consumer: Consumer, entries: readonly LogEntry<unknown>[], attempt: number): Promise<void> {
    const { timeoutMs } = this.#options
    const { name, group } = this.#place
    const own = new AbortController()
    let signal: AbortSignal | undefined
    const context: HandlerContext = {
      get signal() {
        signal ??= AbortSignal.any([consumer.signal, own.signal])
        return signal
      },
      attempt,
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const late = new LogHandlerTimeoutError(name, group, timeoutMs)
        own.abort(late)
        reject(late)
      }, timeoutMs)
      const end = () => clearTimeout(timer)
      Promise.resolve()
        .then(() => this.#handler(entries as readonly LogEntry<never>[], context))
        .then(() => resolve(), reject)
        .finally(end)
    })
  }

  /**
   * Begins nothing new, waits for the handlers at work, and hands back the rest, for which nobody is blamed.
   *
   * timeout  how long to wait for handlers; then their signals fire. Default `'10s'`
   */
  close(options: { readonly timeout?: Duration } = {}): Promise<void> {
    checkKnown('options', options, ['timeout'])
    const timeoutMs = toMs(options.timeout ?? '10s', 'timeout', { min: 0 })
    this.#closing ??= this.#end(timeoutMs)
    return this.#closing
  }

  async #end(timeoutMs: number): Promise<void> {
    this.#wake()
    const untilMs = monotonicMs() + timeoutMs
    // The turn under way may still bring entries; they are not begun.
    await Promise.resolve()
    await this.#running
    for (;;) {
      const leftMs = untilMs - monotonicMs()
      if (this.#busy === 0 || leftMs <= 0) break
      this.#woken = false
      await this.#idle(Math.min(leftMs, this.#options.leaseMs / 3))
      // So long as handlers work, their lease is renewed, and what they have done is told.
      await this.#consumer.turn(0, MOST_SETTLED).catch(() => {})
    }
    const { name, group } = this.#place
    while (this.#consumer.hasMore && (await this.#consumer.turn(0, MOST_SETTLED).catch(() => 'lost')) !== 'lost');
    this.#consumer.abort(new LogLeaseLostError(name, group, 'the worker was closed'))
    await this.#consumer.finish(this.#consumer.open(MOST_SETTLED)).catch((error) => this.#tell(error, []))
    this.#presence.stop()
    this.#onClosed()
  }

  #idle(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.#wake = () => {
        clearTimeout(timer)
        resolve()
      }
      if (this.#woken) this.#wake()
    })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

const textOf = (error: unknown): string => messageOf(error).slice(0, LONGEST_MESSAGE)
