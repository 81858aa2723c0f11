import { unlessAborted } from '../base/clock.ts'
import { HoldfastError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import type { Events } from './events.ts'
import { inspectCounts, readEvent } from './inspect.ts'
import { type EventKeys, eventChannel, eventKeys } from './keys.ts'
import * as scripts from './lua.generated.ts'
import {
  type ChangesOptions,
  type ConfirmOptions,
  checkConfirm,
  checkEvent,
  checkEventId,
  checkHold,
  checkHoldId,
  checkSeatsOptions,
  checkSince,
  type EventOptions,
  type HoldOptions,
  type SeatsDurability,
  type SeatsOptions,
} from './options.ts'
import type {
  ConfirmResult,
  CreateResult,
  HoldResult,
  ReleaseResult,
  SeatChange,
  SeatCounts,
  SeatMap,
  VerifyResult,
} from './outcomes.ts'
import { brokenEvent, repeatable, Sale } from './sale.ts'
import { verifyEvent } from './verify.ts'

const OBSERVED = {
  create: new Observed('seats.create'),
  hold: new Observed('seats.hold'),
  confirm: new Observed('seats.confirm'),
  release: new Observed('seats.release'),
  map: new Observed('seats.map'),
  counts: new Observed('seats.counts'),
  verify: new Observed('seats.verify'),
  pause: new Observed('seats.pause'),
  remove: new Observed('seats.remove'),
} as const

/**
 * The seats of one event: each is free, held for a while, or sold.
 *
 * promise  no seat is held or sold twice while the primary keeps its memory; a hold ends exactly once. A failover may lose the last
 *          writes, a confirmed sale among them, unless its answer said `durable: true`.
 * costs    one script, one round trip a call; the first call of a process reads the layout
 */
export class Seats implements AsyncDisposable {
  readonly id: string
  readonly #events: Events
  readonly #keys: EventKeys
  readonly #sale: Sale
  readonly #channel: string
  readonly #durability: SeatsDurability

  /** @internal */
  constructor(events: Events, id: string, options: SeatsOptions = {}) {
    this.#durability = checkSeatsOptions(options)
    this.id = checkEventId(id)
    this.#events = events
    this.#keys = eventKeys(events.redis.keyspace, id)
    this.#channel = eventChannel(events.redis.keyspace, id)
    this.#sale = new Sale(events, id, this.#keys, this.#channel, this.#durability)
  }

  /**
   * Open the event for sale. Calling it again with the same layout changes nothing.
   *
   * throws  SEATS_EXIST where an event of this id has another layout, or where remains of one lie that is not whole
   */
  async create(options: EventOptions): Promise<CreateResult> {
    const { layout, keepChanges } = checkEvent(options)
    return OBSERVED.create.run({ event: this.id }, async (operation) => {
      this.#events.vet(this.id, this.#keys, this.#durability)
      const args = {
        ...{ tag: layout.tag, json: layout.json, cells: layout.emptyMap },
        ...{ seats: layout.seats, blocked: layout.blocked, limit: layout.perCustomer },
        ...{ keep: keepChanges, channel: this.#channel },
      }
      const reply = await scripts.createScript.run(this.#events.redis, this.#keys, args, repeatable('seats.create'))
      operation.outcome = reply[0]
      if (reply[0] === 'other')
        throw new HoldfastError('SEATS_EXIST', `seats.create: event '${this.id}' exists with another layout`)
      if (reply[0] === 'remains')
        throw new HoldfastError(
          'SEATS_EXIST',
          `seats.create: ${this.#keys.event} is gone, and other keys of event '${this.id}' are not; look at them, then remove()`,
        )
      this.#events.keepLayout(this.id, layout)
      this.#events.sweeper.touch(this.id, this.#keys)
      return { status: reply[0], version: reply[1] }
    })
  }

  /**
   * Hold seats for a customer for a while: all of them, or none.
   *
   * id       makes it safe to repeat: the same id, customer and seats get the stored answer, for two days after the hold ended
   * throws   TIMEOUT, CONNECTION_LOST: the hold may stand; ask again with the same id
   */
  async hold(options: HoldOptions): Promise<HoldResult> {
    const wanted = checkHold(options)
    options.signal?.throwIfAborted()
    const work = tell(OBSERVED.hold, { event: this.id, hold: wanted.id }, () => this.#sale.hold(wanted))
    return unlessAborted(work, options.signal)
  }

  /**
   * Sell what a hold holds. A repeat answers `confirmed` again, with the payment of the first. With a durability, `durable` says
   * whether it was reached before the deadline; if not, the sale stands all the same, and a repeat waits again.
   *
   * throws  TIMEOUT, CONNECTION_LOST: the sale may stand; confirm again
   */
  async confirm(holdId: string, options: ConfirmOptions = {}): Promise<ConfirmResult> {
    const id = checkHoldId(holdId)
    const wanted = checkConfirm(options, this.#durability)
    options.signal?.throwIfAborted()
    const work = tell(OBSERVED.confirm, { event: this.id, hold: id }, () => this.#sale.confirm(id, wanted))
    return unlessAborted(work, options.signal)
  }

  /** Give a hold's seats back before its time is over. A repeat answers `released` again; a sold hold stays sold. */
  async release(holdId: string): Promise<ReleaseResult> {
    const id = checkHoldId(holdId)
    return tell(OBSERVED.release, { event: this.id, hold: id }, () => this.#sale.release(id))
  }

  /** Every seat and its state, with the version from which `changes` goes on. */
  map(): Promise<SeatMap> {
    return OBSERVED.map.run({ event: this.id }, async (operation) => {
      const snapshot = await readEvent(this.#events.redis, this.#keys, 'seats.map')
      operation.outcome = snapshot?.state ?? 'no-event'
      if (snapshot === undefined) return { status: 'no-event', version: 0, currency: '', seats: [] }
      this.#events.sweeper.touch(this.id, this.#keys)
      const layout = await this.#events.layoutOf(this.id, this.#keys, snapshot.layout)
      return {
        status: snapshot.state,
        version: snapshot.version,
        currency: layout.currency,
        seats: [...layout.seatsOf(snapshot.cells)],
      }
    })
  }

  /**
   * What changes from a version on, in order and without a gap, each within milliseconds, or within a second where the doorbell
   * was lost. An outage of Redis is waited out.
   *
   * throws  STREAM_LOST for a version that is older than the log kept, or that the event has not reached: read the map again;
   *         `signal.reason` when the signal fires. Ends when `close` is called.
   * costs   one read a change and process, however many follow
   */
  changes(options: ChangesOptions = {}): AsyncGenerator<SeatChange, void, void> {
    const since = checkSince(options.since)
    return this.#events.feed(this.id, this.#keys).follow(since, options.signal)
  }

  /** How many seats are in which state. */
  counts(): Promise<SeatCounts> {
    return OBSERVED.counts.run({ event: this.id }, async (operation) => {
      const counts = await inspectCounts(this.#events.redis, this.#keys)
      operation.outcome = counts.status
      if (counts.status !== 'no-event') this.#events.sweeper.touch(this.id, this.#keys)
      return counts
    })
  }

  /**
   * Compares all that is kept of the event: map = counters = holds = log; nothing is sold twice. Reads in pages beside the
   * sale, and is exact while it goes on.
   */
  verify(): Promise<VerifyResult> {
    return OBSERVED.verify.run({ event: this.id }, async (operation) => {
      const result = await verifyEvent(this.#events.redis, this.#keys)
      if (result.version > 0) this.#events.sweeper.touch(this.id, this.#keys)
      operation.outcome = result.ok ? 'ok' : 'problems'
      return result
    })
  }

  /** Stop the sale: `hold` and `confirm` answer `paused`. Holds go on to run out. */
  pause(): Promise<{ readonly status: 'paused' | 'no-event' }> {
    return this.#switch('paused')
  }

  /** Go on with the sale. */
  resume(): Promise<{ readonly status: 'open' | 'no-event' }> {
    return this.#switch('open')
  }

  #switch<S extends 'paused' | 'open'>(state: S): Promise<{ readonly status: S | 'no-event' }> {
    return OBSERVED.pause.run({ event: this.id, state }, async (operation) => {
      const { event, log } = this.#keys
      const args = { state, channel: this.#channel }
      const reply = await scripts.pauseScript.run(this.#events.redis, { event, log }, args, repeatable('seats.pause'))
      if (reply[0] === 'broken') throw brokenEvent(this.#keys, reply[1])
      operation.outcome = reply[0]
      return { status: reply[0] === 'no-event' ? 'no-event' : state }
    })
  }

  /** Delete the event with its sales, its holds and its log. */
  remove(): Promise<{ readonly status: 'removed' | 'no-event' }> {
    return OBSERVED.remove.run({ event: this.id }, async (operation) => {
      const { event, map, due, log, layout } = this.#keys
      const reply = await scripts.removeScript.run(
        this.#events.redis,
        { event, keys: [map, due, log, layout] },
        { channel: this.#channel },
        repeatable('seats.remove'),
      )
      operation.outcome = reply[0]
      return { status: reply[0] }
    })
  }

  /** Ends what this process does behind the event: its `changes`, and its part in ending holds. Sells and holds nothing back. */
  async close(): Promise<void> {
    this.#events.closeEvent(this.id)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/** Tells the listeners of a channel how the work ended; where nobody listens it is the work and nothing else. */
function tell<R extends { readonly status: string }>(
  channel: Observed,
  fields: Operation,
  work: () => Promise<R>,
): Promise<R> {
  if (!channel.heard) return work()
  return channel.run(fields, async (operation) => {
    const result = await work()
    operation.outcome = result.status
    return result
  })
}
