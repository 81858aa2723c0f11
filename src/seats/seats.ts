import { monotonicMs } from '../base/clock.ts'
import { HoldfastError, ValueError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import { packCells } from './cells.ts'
import type { Events } from './events.ts'
import { inspectCounts, readEvent } from './inspect.ts'
import { customerField, type EventKeys, eventChannel, eventKeys, holdField } from './keys.ts'
import type { Layout } from './layout.ts'
import * as scripts from './lua.generated.ts'
import {
  type ChangesOptions,
  type CheckedHold,
  type ConfirmOptions,
  checkEvent,
  checkEventId,
  checkHold,
  checkHoldId,
  checkPayment,
  checkSeatsOptions,
  checkSince,
  type EventOptions,
  type HoldOptions,
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
import { type HoldRecord, parseRecord } from './record.ts'
import { NEEDS } from './rights.ts'
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
 * promise  no seat is held or sold twice while the primary keeps its memory; a hold ends exactly once. Writes are
 *          acknowledged by the primary only: a failover may lose the last of them, a confirmed sale among them.
 * costs    one script, one round trip a call; the first call of a process reads the layout
 */
export class Seats implements AsyncDisposable {
  readonly id: string
  readonly #events: Events
  readonly #keys: EventKeys
  readonly #sale: Pick<EventKeys, 'event' | 'map' | 'due' | 'log'>
  readonly #channel: string

  /** @internal */
  constructor(events: Events, id: string, options: SeatsOptions = {}) {
    checkSeatsOptions(options)
    this.id = checkEventId(id)
    this.#events = events
    this.#keys = eventKeys(events.redis.keyspace, id)
    const { event, map, due, log } = this.#keys
    this.#sale = { event, map, due, log }
    this.#channel = eventChannel(events.redis.keyspace, id)
  }

  /**
   * Open the event for sale. Calling it again with the same layout changes nothing.
   *
   * throws  SEATS_EXIST where an event of this id has another layout, or where remains of one lie that is not whole
   */
  create(options: EventOptions): Promise<CreateResult> {
    const { layout, keepChanges } = checkEvent(options)
    return OBSERVED.create.run({ event: this.id }, async (operation) => {
      this.#events.vet(this.id, this.#keys)
      const args = {
        ...{ tag: layout.tag, json: layout.json, cells: layout.emptyMap },
        ...{ seats: layout.seats, blocked: layout.blocked, limit: layout.perCustomer },
        ...{ keep: keepChanges, channel: this.#channel },
      }
      const reply = await scripts.createScript.run(this.#events.redis, this.#keys, args, this.#options('seats.create'))
      operation.outcome = reply[0]
      if (reply[0] === 'other')
        throw new HoldfastError('SEATS_EXIST', `seats.create: event '${this.id}' exists with another layout`)
      if (reply[0] === 'remains')
        throw new HoldfastError(
          'SEATS_EXIST',
          `seats.create: ${this.#keys.event} is gone, and other keys of event '${this.id}' are not; look at them, then remove()`,
        )
      this.#events.keepLayout(this.id, layout)
      return { status: reply[0], version: reply[1] }
    })
  }

  /**
   * Hold seats for a customer for a while: all of them, or none.
   *
   * id       makes it safe to repeat: the same id, customer and seats get the stored answer, for two days after the hold ended
   * throws   TIMEOUT, CONNECTION_LOST: the hold may stand; ask again with the same id
   */
  hold(options: HoldOptions): Promise<HoldResult> {
    const wanted = checkHold(options)
    return OBSERVED.hold.run({ event: this.id, hold: wanted.id }, async (operation) => {
      const result = await this.#hold(wanted)
      operation.outcome = result.status
      return result
    })
  }

  async #hold(wanted: CheckedHold): Promise<HoldResult> {
    const { id, customer, seats, forMs } = wanted
    const startedMs = monotonicMs()
    let layout = this.#events.knownLayout(this.id)
    for (let attempt = 0; attempt < 3; attempt++) {
      layout ??= await this.#loadLayout()
      if (layout === undefined) return { status: 'no-event', id, seats }
      const found = layout.find(seats)
      if (!('cells' in found)) {
        // A seat that this process does not know may stand in a layout that was made since.
        if (found.reason !== 'unknown-seat' || attempt > 0) return { status: 'invalid', id, seats, ...found }
        layout = undefined
        continue
      }
      const cells = packCells(found.cells)
      const reply = await scripts.holdScript.run(
        this.#events.redis,
        this.#sale,
        {
          hold: holdField(id),
          customer: customerField(customer),
          cells,
          forMs,
          layout: layout.tag,
          channel: this.#channel,
        },
        this.#options('seats.hold', attempt === 0 ? undefined : startedMs),
      )
      switch (reply[0]) {
        case 'held':
          this.#events.sweeper.touch(this.id, this.#keys, forMs)
          return this.#held(wanted, layout, found.cells, reply[1])
        case 'repeated': {
          const record = this.#record(reply[1], id)
          if (record.packed !== cells || record.customer !== customer)
            return { status: 'invalid', id, seats, reason: 'id-reused' }
          return {
            ...this.#held(wanted, layout, found.cells, record.expiresAtMs),
            repeated: true,
            ...ending(record, reply[2]),
          }
        }
        case 'taken': {
          const [, ...offsets] = reply
          return { status: 'taken', id, seats, taken: layout.namesOf(offsets) }
        }
        case 'limit':
          return { status: 'limit', id, seats, limit: reply[2], remaining: Math.max(0, reply[2] - reply[1]) }
        case 'layout':
          // The event was made anew since this process read its layout.
          layout = await this.#loadLayout()
          if (layout === undefined) return { status: 'no-event', id, seats }
          continue
        case 'invalid':
          return { status: 'invalid', id, seats, reason: 'unknown-seat' }
        case 'broken':
          throw this.#broken(reply[1])
        default:
          return { status: reply[0], id, seats }
      }
    }
    throw this.#broken(this.#keys.layout)
  }

  #held(wanted: CheckedHold, layout: Layout, cells: readonly number[], expiresAtMs: number) {
    const { id, seats } = wanted
    const { currency } = layout
    return {
      status: 'held',
      id,
      seats,
      expiresAtMs,
      amount: layout.amountOf(cells),
      currency,
      repeated: false,
    } as const
  }

  /**
   * Sell what a hold holds. A repeat answers `confirmed` again, with the payment of the first.
   *
   * throws  TIMEOUT, CONNECTION_LOST: the sale may stand; confirm again
   */
  confirm(holdId: string, options: ConfirmOptions = {}): Promise<ConfirmResult> {
    const id = checkHoldId(holdId)
    const payment = checkPayment(options)
    return OBSERVED.confirm.run({ event: this.id, hold: id }, async (operation) => {
      const result = await this.#confirm(id, payment)
      operation.outcome = result.status
      return result
    })
  }

  async #confirm(id: string, payment: string): Promise<ConfirmResult> {
    const reply = await scripts.confirmScript.run(
      this.#events.redis,
      this.#sale,
      { hold: holdField(id), payment, channel: this.#channel },
      this.#options('seats.confirm'),
    )
    this.#events.sweeper.touch(this.id, this.#keys)
    switch (reply[0]) {
      case 'confirmed': {
        const record = this.#record(reply[1], id)
        const layout = await this.#layoutOf(reply[2])
        const { cells, customer, endedAtMs } = record
        return {
          ...{ status: 'confirmed', id, seats: layout.namesOf(cells), customer, payment: record.payment },
          ...{ amount: layout.amountOf(cells), currency: layout.currency, atMs: endedAtMs, durable: false },
        }
      }
      case 'expired':
        return { status: 'expired', id, seats: await this.#seatsOf(reply[1], reply[2], id) }
      case 'gone':
        return { status: 'gone', id, seats: [], reason: reply[1] as 'unknown' | 'released' | 'no-event' }
      case 'paused':
        return { status: 'paused', id, seats: [] }
      case 'broken':
        throw this.#broken(reply[1])
    }
  }

  /** Give a hold's seats back before its time is over. A repeat answers `released` again; a sold hold stays sold. */
  release(holdId: string): Promise<ReleaseResult> {
    const id = checkHoldId(holdId)
    return OBSERVED.release.run({ event: this.id, hold: id }, async (operation) => {
      const reply = await scripts.releaseScript.run(
        this.#events.redis,
        this.#sale,
        { hold: holdField(id), channel: this.#channel },
        this.#options('seats.release'),
      )
      this.#events.sweeper.touch(this.id, this.#keys)
      if (reply[0] === 'broken') throw this.#broken(reply[1])
      operation.outcome = reply[0]
      const seats = reply[0] === 'gone' ? [] : await this.#seatsOf(reply[1], reply[2], id)
      return { status: reply[0], id, seats }
    })
  }

  /** Every seat and its state, with the version from which `changes` goes on. */
  map(): Promise<SeatMap> {
    return OBSERVED.map.run({ event: this.id }, async (operation) => {
      const snapshot = await readEvent(this.#events.redis, this.#keys, 'seats.map')
      operation.outcome = snapshot?.state ?? 'no-event'
      if (snapshot === undefined) return { status: 'no-event', version: 0, currency: '', seats: [] }
      this.#events.sweeper.touch(this.id, this.#keys)
      const layout = await this.#layoutOf(snapshot.layout)
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
    return OBSERVED.counts.run({ event: this.id }, () => inspectCounts(this.#events.redis, this.#keys))
  }

  /**
   * Compares all that is kept of the event: map = counters = holds = log; nothing is sold twice. Reads in pages beside the
   * sale, and is exact while it goes on.
   */
  verify(): Promise<VerifyResult> {
    return OBSERVED.verify.run({ event: this.id }, async (operation) => {
      const result = await verifyEvent(this.#events.redis, this.#keys)
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
      const reply = await scripts.pauseScript.run(
        this.#events.redis,
        { event, log },
        args,
        this.#options('seats.pause'),
      )
      if (reply[0] === 'broken') throw this.#broken(reply[1])
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
        this.#options('seats.remove'),
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

  /** Every call of seats may be sent twice: it carries the hold's id, or sets what it sets. */
  #options(operation: string, startedMs?: number) {
    const options = { operation, repeat: true, needs: NEEDS }
    if (startedMs === undefined) return options
    return { ...options, timeoutMs: Math.max(1, this.#events.redis.timeoutMs - (monotonicMs() - startedMs)) }
  }

  #loadLayout(): Promise<Layout | undefined> {
    this.#events.vet(this.id, this.#keys)
    return this.#events.loadLayout(this.id, this.#keys)
  }

  #layoutOf(tag: string): Promise<Layout> {
    return this.#events.layoutOf(this.id, this.#keys, tag)
  }

  #record(text: string, id: string): HoldRecord {
    const record = parseRecord(text)
    if (record === undefined) throw this.#broken(holdField(id))
    return record
  }

  async #seatsOf(record: string, tag: string, id: string): Promise<readonly string[]> {
    return (await this.#layoutOf(tag)).namesOf(this.#record(record, id).cells)
  }

  #broken(where: string): ValueError {
    return new ValueError(
      'VALUE_UNREADABLE',
      where.startsWith('{') ? where : `${this.#keys.event} ${where}`,
      'is missing, or does not fit the rest of the event; nothing was changed, and verify() tells more',
    )
  }
}

function ending(record: HoldRecord, nowMs: number): { ended?: 'confirmed' | 'released' | 'expired' } {
  if (record.state !== 'held') return { ended: record.state }
  return record.expiresAtMs <= nowMs ? { ended: 'expired' } : {}
}
