import { checkInteger, checkKnown, checkName, checkOneOf } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import type { Durability } from '../redis/durable/durable.ts'
import { Layout } from './layout.ts'
import type { Section } from './outcomes.ts'

export interface SeatsOptions {
  /** What a sale must have reached when `confirm` answers `durable: true`; a confirm may ask for something else. Default `'async'`. */
  readonly durability?: SeatsDurability
}

/**
 * `'async'`: the primary's memory; a failover may lose the last writes, and no answer is durable. `'replica'`: the memory of every replica
 * that is configured. `'fsync'`: the disk of the primary and of every replica; Redis and Valkey from 7.2.
 */
export type SeatsDurability = 'async' | Durability

export interface EventOptions {
  /** Three letters, such as `EUR`. */
  readonly currency: string
  /** Seats one customer may hold and own. Default: any number. */
  readonly perCustomer?: number
  readonly sections: readonly Section[]
  /** Seats that are not for sale. Default none. */
  readonly blocked?: readonly string[]
  /** Changes the log keeps at least, 100 to 10 million. Default 1 million, about 100 MB. */
  readonly keepChanges?: number
}

export interface HoldOptions {
  /** Makes the request safe to repeat: the same id and request give the same answer. Default a random one. */
  readonly id?: string
  /** Who holds the seats. */
  readonly customer: string
  readonly seats: readonly string[]
  /** How long. 1 ms to 7 days, default `'10m'`. */
  readonly for?: Duration
  /** Stops waiting with `signal.reason`; the hold may stand all the same, and its id tells. */
  readonly signal?: AbortSignal
}

export interface ConfirmOptions {
  /** Id of the payment, kept with the sale. Default none. */
  readonly payment?: string
  /** What this sale must have reached. Default: that of the seats. */
  readonly durability?: SeatsDurability
  /** Stops waiting with `signal.reason`; the sale may stand all the same. */
  readonly signal?: AbortSignal
}

export interface ChangesOptions {
  /** The version after which to start: `map.version`. 0: from the creation. Default: from now on. */
  readonly since?: number
  /** Ends the iteration, which then throws `signal.reason`. */
  readonly signal?: AbortSignal
}

const MOST_CELLS = 250_000
const WEEK_MS = 7 * 86_400_000

export function checkSeatsOptions(options: SeatsOptions): SeatsDurability {
  checkKnown('', options, ['durability'])
  const { durability = 'async' } = options
  return checkDurability(durability)
}

const checkDurability = (durability: unknown) =>
  checkOneOf<SeatsDurability>('durability', durability, ['async', 'replica', 'fsync'])

/** The layout of a new event and how long its log is, or a ConfigError. */
export function checkEvent(options: EventOptions): { layout: Layout; keepChanges: number } {
  if (options === undefined)
    throw new ConfigError('options', 'an object with at least { currency, perCustomer, sections }', options)
  checkKnown('', options, ['currency', 'perCustomer', 'sections', 'blocked', 'keepChanges'])
  const { currency, sections, blocked = [] } = options
  if (typeof currency !== 'string' || !/^[A-Z]{3}$/.test(currency))
    throw new ConfigError('currency', 'three capital letters', currency)
  const perCustomer =
    options.perCustomer === undefined ? 0 : checkInteger('perCustomer', options.perCustomer, 1, MOST_CELLS)
  const keepChanges = checkInteger('keepChanges', options.keepChanges ?? 1_000_000, 100, 10_000_000)
  const layout = new Layout({ currency, perCustomer, sections: checkSections(sections), blocked: [] })
  if (!Array.isArray(blocked)) throw new ConfigError('blocked', 'a list of seats', blocked)
  for (const seat of blocked)
    if (typeof seat !== 'string' || layout.cellOf(seat) === undefined)
      throw new ConfigError('blocked', 'seats of the layout', seat)
  if (new Set(blocked).size !== blocked.length) throw new ConfigError('blocked', 'every seat once', blocked)
  return {
    keepChanges,
    layout: blocked.length === 0 ? layout : new Layout({ currency, perCustomer, sections, blocked }),
  }
}

function checkSections(sections: unknown): readonly Section[] {
  if (!Array.isArray(sections) || sections.length === 0 || sections.length > 1_000)
    throw new ConfigError('sections', 'a list of 1 to 1000 sections', sections)
  const names = new Set<string>()
  let cells = 0
  let worth = 0
  sections.forEach((section: Section, i) => {
    const where = `sections[${i}]`
    if (typeof section !== 'object' || section === null) throw new ConfigError(where, 'a section', section)
    checkKnown(where, section, ['name', 'rows', 'seatsPerRow', 'price'])
    const name = checkText(`${where}.name`, section.name, 100)
    if (names.has(name)) throw new ConfigError(`${where}.name`, 'a name that no other section has', name)
    names.add(name)
    checkInteger(`${where}.rows`, section.rows, 1, MOST_CELLS)
    checkInteger(`${where}.seatsPerRow`, section.seatsPerRow, 1, MOST_CELLS)
    if (!Number.isSafeInteger(section.price) || section.price < 0)
      throw new ConfigError(`${where}.price`, 'a whole number of minor units, such as 4999 for 49.99', section.price)
    cells += section.rows * (section.seatsPerRow + 1)
    worth += section.rows * section.seatsPerRow * section.price
  })
  if (cells > MOST_CELLS)
    throw new ConfigError('sections', `a house of at most ${MOST_CELLS} seats and rows`, `${cells}`)
  if (!Number.isSafeInteger(worth)) throw new ConfigError('sections', 'a house worth at most 2^53 - 1', `${worth}`)
  return sections as readonly Section[]
}

export interface CheckedHold {
  readonly id: string
  readonly customer: string
  readonly seats: readonly string[]
  readonly forMs: number
}

export function checkHold(options: HoldOptions): CheckedHold {
  if (options === undefined) throw new ConfigError('options', 'an object with at least { customer, seats }', options)
  checkKnown('', options, ['id', 'customer', 'seats', 'for', 'signal'])
  const { seats } = options
  if (!Array.isArray(seats)) throw new ConfigError('seats', 'a list of seats', seats)
  for (const seat of seats) if (typeof seat !== 'string') throw new ConfigError('seats', 'a list of strings', seat)
  return {
    id: options.id === undefined ? randomId() : checkHoldId(options.id),
    customer: checkText('customer', options.customer, 256),
    seats,
    forMs: toMs(options.for ?? '10m', 'for', { min: 1, max: WEEK_MS }),
  }
}

export const checkHoldId = (id: unknown): string => checkText('id', id, 256)

export interface CheckedConfirm {
  readonly payment: string
  readonly durability: SeatsDurability
}

export function checkConfirm(options: ConfirmOptions, usual: SeatsDurability): CheckedConfirm {
  checkKnown('', options, ['payment', 'durability', 'signal'])
  const { payment = '', durability } = options
  return {
    payment: payment === '' ? '' : checkText('payment', payment, 256),
    durability: durability === undefined ? usual : checkDurability(durability),
  }
}

export function checkSince(since: number | undefined): number | undefined {
  return since === undefined ? undefined : checkInteger('since', since, 0, Number.MAX_SAFE_INTEGER)
}

export function checkEventId(id: unknown): string {
  return checkWellFormed('id', checkName('id', id))
}

function checkText(option: string, value: unknown, bytes: number): string {
  if (typeof value !== 'string' || value === '' || (value.length * 3 > bytes && Buffer.byteLength(value) > bytes))
    throw new ConfigError(option, `a string of 1 to ${bytes} bytes`, value)
  return checkWellFormed(option, value)
}

/** Half a surrogate pair is no text: on the wire two different ones become one. */
function checkWellFormed(option: string, value: string): string {
  if (/\p{Surrogate}/u.test(value)) throw new ConfigError(option, 'well-formed text', value)
  return value
}
