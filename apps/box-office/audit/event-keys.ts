/**
 * An event's keys as they lie in Redis, read by a plain client and by nothing of the library: what is written here about their
 * form was taken from its description, so that a mistake in its code is not repeated by its reader.
 */

import type { SeatPlan } from '../seating/plan.ts'
import type { RawServers } from './raw.ts'

/** A hold's record: state, moments, cells, customer, payment. */
export interface RawHold {
  readonly id: string
  readonly state: 'h' | 's' | 'e' | 'r'
  readonly seats: readonly string[]
  readonly customer: string
  readonly payment: string
}

export interface RawEntry {
  readonly version: number
  readonly kind: string
  readonly hold: string
  readonly seats: readonly string[]
}

export interface RawEvent {
  readonly fields: Readonly<Record<string, string>>
  /** Seat to letter: `.` free, `h` held, `s` sold. */
  readonly map: ReadonlyMap<string, string>
  readonly holds: readonly RawHold[]
  /** Hold id to the moment at which something is due for it. */
  readonly due: ReadonlyMap<string, number>
  readonly customers: ReadonlyMap<string, number>
  readonly log: readonly RawEntry[]
  /** What could not be read as it should be. */
  readonly problems: readonly string[]
}

const HOLD = 'hold:'
const CUSTOMER = 'customer:'

export async function readEvent(
  servers: RawServers,
  namespace: string,
  eventId: string,
  plan: SeatPlan,
): Promise<RawEvent> {
  const tag = `{${namespace}:seats:${eventId}}`
  const redis = await servers.readerOf(tag)
  const [fields, text, due, entries] = await Promise.all([
    redis.hgetall(tag),
    redis.get(`${tag}:map`),
    redis.zrange(`${tag}:due`, '0', '-1', 'WITHSCORES'),
    redis.xrange(`${tag}:log`, '-', '+'),
  ])
  const problems: string[] = []
  const cells = cellsOf(plan)
  const house = cells.map((seat) => (seat === undefined ? '|' : '.')).join('')
  if (text === null || text.length !== house.length || text.replace(/[^|]/g, '.') !== house)
    problems.push(`the map has not the form of the plan: ${text?.length ?? 'no'} cells, expected ${house.length}`)

  const map = new Map<string, string>()
  cells.forEach((seat, at) => {
    if (seat !== undefined) map.set(seat, text?.[at] ?? '?')
  })
  const seatsAt = (ranges: string) => seatsOf(ranges, cells, problems)

  const holds: RawHold[] = []
  const customers = new Map<string, number>()
  for (const [field, value] of Object.entries(fields)) {
    if (field.startsWith(CUSTOMER)) customers.set(field.slice(CUSTOMER.length), Number(value))
    if (!field.startsWith(HOLD)) continue
    const hold = readHold(field.slice(HOLD.length), value, seatsAt)
    if (hold !== undefined) holds.push(hold)
    else problems.push(`the record of ${field} is unreadable`)
  }
  const log = entries.map(([id, pairs]): RawEntry => {
    const entry = Object.fromEntries(pairs.flatMap((value, i) => (i % 2 === 0 ? [[value, pairs[i + 1] ?? '']] : [])))
    const version = Number(id.split('-')[0])
    return {
      version,
      kind: entry.kind ?? '',
      hold: (entry.hold ?? '').slice(HOLD.length),
      seats: seatsAt(entry.cells ?? ''),
    }
  })
  return {
    fields,
    map,
    holds,
    due: new Map(due.flatMap((field, i) => dueAt(field, i, due[i + 1]))),
    customers,
    log,
    problems,
  }
}

/** The cells of a map in their order: seats row by row, and `undefined` for the bar between two rows. */
function cellsOf(plan: SeatPlan): (string | undefined)[] {
  const cells: (string | undefined)[] = []
  for (const section of plan.sections) {
    for (let row = 1; row <= section.rows; row += 1) {
      if (cells.length > 0) cells.push(undefined)
      for (let seat = 1; seat <= section.seatsPerRow; seat += 1) cells.push(`${section.name}-${row}-${seat}`)
    }
  }
  return cells
}

/** A pair of a sorted set's reply: the hold, and when something is due for it. The empty member is always there. */
function dueAt(field: string, index: number, score: string | undefined): (readonly [string, number])[] {
  return index % 2 === 1 || field === '' ? [] : [[field.slice(HOLD.length), Number(score)]]
}

/** '12-13,45-45' as seats: first and last of each run. */
function seatsOf(ranges: string, cells: readonly (string | undefined)[], problems: string[]): string[] {
  if (ranges === '') return []
  return ranges.split(',').flatMap((range) => {
    const [first = 0, last = -1] = range.split('-').map(Number)
    return Array.from({ length: last - first + 1 }, (_, i) => {
      const seat = cells[first + i]
      if (seat === undefined) problems.push(`cell ${first + i} is no seat`)
      return seat ?? `cell ${first + i}`
    })
  })
}

/** State, when it ended, when it runs out, how many seats, which, and the customer's field by its length; the payment is the rest. */
function readHold(id: string, record: string, seatsAt: (ranges: string) => string[]): RawHold | undefined {
  const match = /^([hser])(\d{13})\|(\d+)\|(\d+)\|([\d,-]+)\|(\d+)\|/.exec(record)
  if (match === null) return undefined
  const [head, state, , , count, ranges, bytes] = match
  const rest = Buffer.from(record).subarray(Buffer.byteLength(head))
  const seats = seatsAt(ranges as string)
  const field = rest.subarray(0, Number(bytes)).toString()
  if (seats.length !== Number(count) || !field.startsWith(CUSTOMER)) return undefined
  return {
    id,
    state: state as RawHold['state'],
    seats,
    customer: field.slice(CUSTOMER.length),
    payment: rest.subarray(Number(bytes)).toString(),
  }
}
