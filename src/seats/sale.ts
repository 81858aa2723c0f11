import { monotonicMs } from '../base/clock.ts'
import { ValueError } from '../base/errors.ts'
import type { ScriptOptions } from '../redis/script.ts'
import { packCells } from './cells.ts'
import type { Events } from './events.ts'
import { customerField, type EventKeys, holdField } from './keys.ts'
import type { Layout } from './layout.ts'
import { confirmScript, holdScript, releaseScript } from './lua.generated.ts'
import type { CheckedConfirm, CheckedHold, SeatsDurability } from './options.ts'
import type { ConfirmResult, HoldResult, ReleaseResult } from './outcomes.ts'
import { type HoldRecord, parseRecord } from './record.ts'

/** Every call of seats may be sent twice: it carries the hold's id, or sets what it sets. */
export const repeatable = (operation: string): ScriptOptions => ({ operation, repeat: true })

const CONFIRM = repeatable('seats.confirm')

/** A key or record that does not fit the rest of its event. */
export function brokenEvent(keys: EventKeys, where: string): ValueError {
  return new ValueError(
    'VALUE_UNREADABLE',
    where.startsWith('{') ? where : `${keys.event} ${where}`,
    'is missing, or does not fit the rest of the event; nothing was changed, and verify() tells more',
  )
}

/** What buyers do: the three calls that move seats, from names to cells, to the server and back. */
export class Sale {
  readonly #events: Events
  readonly #id: string
  readonly #keys: EventKeys
  readonly #scriptKeys: Pick<EventKeys, 'event' | 'map' | 'due' | 'log'>
  readonly #channel: string
  readonly #durability: SeatsDurability

  constructor(events: Events, id: string, keys: EventKeys, channel: string, durability: SeatsDurability) {
    this.#events = events
    this.#id = id
    this.#keys = keys
    const { event, map, due, log } = keys
    this.#scriptKeys = { event, map, due, log }
    this.#channel = channel
    this.#durability = durability
  }

  async hold(wanted: CheckedHold): Promise<HoldResult> {
    const { id, customer, seats, forMs } = wanted
    const startedMs = monotonicMs()
    let layout = this.#events.knownLayout(this.#id)
    const known = layout !== undefined
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
      const reply = await holdScript.run(
        this.#events.redis,
        this.#scriptKeys,
        {
          hold: holdField(id),
          customer: customerField(customer),
          cells,
          forMs,
          layout: layout.tag,
          channel: this.#channel,
        },
        known && attempt === 0 ? repeatable('seats.hold') : this.#whatIsLeft(startedMs),
      )
      switch (reply[0]) {
        case 'held':
          this.#touch(forMs)
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

  async confirm(id: string, { payment, durability }: CheckedConfirm): Promise<ConfirmResult> {
    const args = { hold: holdField(id), payment, channel: this.#channel, again: durability === 'async' ? 0 : 1 }
    const { redis } = this.#events
    const { reply, durable } =
      durability === 'async'
        ? { reply: await confirmScript.run(redis, this.#scriptKeys, args, CONFIRM), durable: false }
        : await confirmScript.runDurably(redis, this.#scriptKeys, args, CONFIRM, durability)
    this.#touch()
    switch (reply[0]) {
      case 'confirmed': {
        const record = this.#record(reply[1], id)
        const layout = await this.#layoutOf(reply[2])
        const { cells, customer, endedAtMs } = record
        return {
          ...{ status: 'confirmed', id, seats: layout.namesOf(cells), customer, payment: record.payment },
          ...{ amount: layout.amountOf(cells), currency: layout.currency, atMs: endedAtMs, durable },
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

  async release(id: string): Promise<ReleaseResult> {
    const reply = await releaseScript.run(
      this.#events.redis,
      this.#scriptKeys,
      { hold: holdField(id), channel: this.#channel },
      repeatable('seats.release'),
    )
    this.#touch()
    if (reply[0] === 'broken') throw this.#broken(reply[1])
    const seats = reply[0] === 'gone' ? [] : await this.#seatsOf(reply[1], reply[2], id)
    return { status: reply[0], id, seats }
  }

  /** This process now has an eye on the event's deadlines; the next one it knows of is `inMs` away. */
  #touch(inMs?: number): void {
    this.#events.sweeper.touch(this.#id, this.#keys, inMs)
  }

  /** What reading the layout left of the time of one call. */
  #whatIsLeft(startedMs: number): ScriptOptions {
    const timeoutMs = Math.max(1, this.#events.redis.timeoutMs - (monotonicMs() - startedMs))
    return { ...repeatable('seats.hold'), timeoutMs }
  }

  #loadLayout(): Promise<Layout | undefined> {
    this.#events.vet(this.#id, this.#keys, this.#durability)
    return this.#events.loadLayout(this.#id, this.#keys)
  }

  #layoutOf(tag: string): Promise<Layout> {
    return this.#events.layoutOf(this.#id, this.#keys, tag)
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
    return brokenEvent(this.#keys, where)
  }
}

function ending(record: HoldRecord, nowMs: number): { ended?: 'confirmed' | 'released' | 'expired' } {
  if (record.state !== 'held') return { ended: record.state }
  return record.expiresAtMs <= nowMs ? { ended: 'expired' } : {}
}
