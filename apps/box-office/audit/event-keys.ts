/**
 * An event's keys as they lie in Redis, read by a plain client and by nothing of the library: what is written here about their
 * form was taken from its description, so that a mistake in its code is not repeated by its reader.
 */

import type { Redis } from 'ioredis'
import type { SeatPlan } from '../seating/plan.ts'

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

export async function readEvent(redis: Redis, namespace: string, eventId: string, plan: SeatPlan): Promise<RawEvent> {
  const tag = `{${namespace}:seats:${eventId}}`
  const [fields, text, records, due, customers, entries] = await Promise.all([
    redis.hgetall(tag),
    redis.get(`${tag}:map`),
    redis.hgetall(`${tag}:holds`),
    redis.zrange(`${tag}:due`, '0', '-1', 'WITHSCORES'),
    redis.hgetall(`${tag}:customers`),
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
  for (const [id, record] of Object.entries(records)) {
    const hold = id === '' ? undefined : readHold(id, record, seatsAt)
    if (hold !== undefined) holds.push(hold)
    else if (id !== '') problems.push(`the record of hold ${id} is unreadable`)
  }
  const log = entries.map(([id, pairs]): RawEntry => {
    const entry = Object.fromEntries(pairs.flatMap((value, i) => (i % 2 === 0 ? [[value, pairs[i + 1] ?? '']] : [])))
    const version = Number(id.split('-')[0])
    return { version, kind: entry.kind ?? '', hold: entry.hold ?? '', seats: seatsAt(entry.cells ?? '') }
  })
  return {
    fields,
    map,
    holds,
    due: new Map(due.flatMap((id, i) => (i % 2 === 0 && id !== '' ? [[id, Number(due[i + 1])] as const] : []))),
    customers: new Map(
      Object.entries(customers).flatMap(([who, n]) => (who === '' ? [] : [[who, Number(n)] as const])),
    ),
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

/** '12+2,45+1' as seats. */
function seatsOf(ranges: string, cells: readonly (string | undefined)[], problems: string[]): string[] {
  if (ranges === '') return []
  return ranges.split(',').flatMap((range) => {
    const [at, count] = range.split('+').map(Number)
    return Array.from({ length: count ?? 0 }, (_, i) => {
      const seat = cells[(at ?? 0) + i]
      if (seat === undefined) problems.push(`cell ${(at ?? 0) + i} is no seat`)
      return seat ?? `cell ${(at ?? 0) + i}`
    })
  })
}

/** 'h1700000000000|0|12+2|2|5|alice' and what was paid with after the name. */
function readHold(id: string, record: string, seatsAt: (ranges: string) => string[]): RawHold | undefined {
  const match = /^([hser])(\d+)\|(\d+)\|([\d+,]+)\|(\d+)\|(\d+)\|/.exec(record)
  if (match === null) return undefined
  const [head, state, , , ranges, count, bytes] = match
  const rest = Buffer.from(record).subarray(Buffer.byteLength(head))
  const seats = seatsAt(ranges as string)
  if (seats.length !== Number(count)) return undefined
  const customer = rest.subarray(0, Number(bytes)).toString()
  const payment = rest.subarray(Number(bytes)).toString()
  return { id, state: state as RawHold['state'], seats, customer, payment }
}
