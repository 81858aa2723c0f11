import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import type { LogEntry } from './feed.ts'
import { type EventSnapshot, readEvent, scanDue, scanFields } from './inspect.ts'
import { customerOf, DUE_SENTINEL, type EventKeys, holdField, holdOf } from './keys.ts'
import { Layout } from './layout.ts'
import type { VerifyResult } from './outcomes.ts'
import { type HoldRecord, parseRecord } from './record.ts'
import { Replay } from './replay.ts'

const MOST_PROBLEMS = 100
/** Entries of one page: 1000 take some 0.5 ms of the server. */
const LOG_PAGE = 1_000
/** As `lua/parts/ending.lua` has it. */
const REMEMBERED_MS = 172_800_000
const SCAN = 'seats.verify'

/** What was read besides map and log, beside the sale: of a moment after the map's. */
interface Books {
  readonly records: ReadonlyMap<string, HoldRecord>
  readonly customers: ReadonlyMap<string, number>
  readonly due: ReadonlyMap<string, number>
}

/**
 * Compares all that is kept of an event.
 *
 * Map and counts are of one moment, and its version names it. Holds, customers and deadlines are read after it, in pages, and
 * the log last: so what changed since the map was read stands in the log, and exactly that is left out of the comparison.
 */
export async function verifyEvent(redis: Redis, keys: EventKeys): Promise<VerifyResult> {
  const problems: string[] = []
  const tell = (problem: string) => {
    if (problems.length < MOST_PROBLEMS) problems.push(problem)
  }
  const snapshot = await readEvent(redis, keys, SCAN)
  if (snapshot === undefined) return { ok: false, problems: [`${keys.event} does not exist`], version: 0 }
  const { version } = snapshot
  const layout = await readLayout(redis, keys, snapshot, tell)
  if (layout !== undefined) {
    const books = await readBooks(redis, keys, tell)
    const replay = await readLog(redis, keys, snapshot, layout, tell)
    checkAgreed(snapshot, layout, tell)
    checkMap(snapshot, layout, tell)
    checkReplay(snapshot, layout, replay, tell)
    checkRecords(snapshot, replay, books, tell)
    checkClaims(snapshot, layout, replay, books, tell)
    checkCustomers(snapshot, replay, books, tell)
    checkDue(snapshot, replay, books, tell)
  }
  return { ok: problems.length === 0, problems, version }
}

type Tell = (problem: string) => void

async function readLayout(
  redis: Redis,
  keys: EventKeys,
  snapshot: EventSnapshot,
  tell: Tell,
): Promise<Layout | undefined> {
  const json = await redis.call(keys.layout, 'GET', [keys.layout], { operation: SCAN, repeat: true })
  if (json === null) return void tell(`${keys.layout} is missing`)
  try {
    const layout = Layout.parse(String(json))
    if (layout.tag !== snapshot.layout) tell(`${keys.layout} is not the layout that the event was created with`)
    return layout
  } catch {
    return void tell(`${keys.layout} cannot be read`)
  }
}

async function readBooks(redis: Redis, keys: EventKeys, tell: Tell): Promise<Books> {
  const records = new Map<string, HoldRecord>()
  const customers = new Map<string, number>()
  const due = new Map<string, number>()
  for await (const page of scanFields(redis, keys, SCAN))
    for (const [field, value] of page) {
      const hold = holdOf(field)
      const customer = customerOf(field)
      const record = hold === undefined ? undefined : parseRecord(value)
      if (record !== undefined) records.set(hold as string, record)
      else if (hold !== undefined) tell(`hold '${hold}': its record cannot be read`)
      else if (customer !== undefined) customers.set(customer, Number(value))
    }
  for await (const page of scanDue(redis, keys, SCAN))
    for (const [member, score] of page) due.set(member, score === 'inf' ? Number.POSITIVE_INFINITY : Number(score))
  if (due.get(DUE_SENTINEL) !== Number.POSITIVE_INFINITY) tell(`${keys.due}: the member that stays is missing`)
  due.delete(DUE_SENTINEL)
  return { records, customers, due }
}

async function readLog(
  redis: Redis,
  keys: EventKeys,
  snapshot: EventSnapshot,
  layout: Layout,
  tell: Tell,
): Promise<Replay> {
  const { version, bornVersion, keep, last } = snapshot
  const replay = new Replay(layout, version, bornVersion, version - bornVersion >= keep, tell)
  if (last !== `${version}-0`) tell(`the log ends at ${last === '' ? 'nothing' : last}, and the version is ${version}`)
  let start = '-'
  for (;;) {
    const page = (await redis.call(keys.log, 'XRANGE', [keys.log, start, '+', 'COUNT', LOG_PAGE], {
      operation: SCAN,
      repeat: true,
    })) as readonly Reply[]
    for (const entry of page) replay.play(entry as unknown as LogEntry)
    if (page.length < LOG_PAGE) return replay
    start = `(${(page.at(-1) as unknown as LogEntry)[0]}`
  }
}

/** What was agreed when the event was created is what the scripts go by. */
function checkAgreed(snapshot: EventSnapshot, layout: Layout, tell: Tell): void {
  const { limit, stateWord, nextDueMs, keep, bornVersion } = snapshot
  if (limit !== layout.perCustomer)
    tell(`the limit of a customer is ${limit}, and the layout says ${layout.perCustomer}`)
  if (stateWord !== 'open' && stateWord !== 'paused') tell(`the event is '${stateWord}', which is no state`)
  for (const [name, value] of Object.entries({ next: nextDueMs, keep, born: bornVersion }))
    if (Number.isNaN(value)) tell(`the event's field '${name}' is missing or no number`)
}

/** The map has the form of the layout, and as many seats of each kind as are counted. */
function checkMap(snapshot: EventSnapshot, layout: Layout, tell: Tell): void {
  const { cells } = snapshot
  const { emptyMap } = layout
  if (cells.length !== emptyMap.length)
    return tell(`the map has ${cells.length} cells, and the layout ${emptyMap.length}`)
  const counted: Record<string, number> = { '.': 0, h: 0, s: 0, x: 0 }
  for (let i = 0; i < cells.length; i++) {
    const letter = cells[i] as string
    const bar = emptyMap[i] === '|'
    if (bar !== (letter === '|')) tell(`cell ${i} of the map is '${letter}', and the layout has '${emptyMap[i]}' there`)
    else if (!bar && counted[letter] === undefined) tell(`${layout.seatAt(i)} is '${letter}', which is no state`)
    else if (!bar) counted[letter] = (counted[letter] as number) + 1
  }
  const { held, sold, blocked, seats } = snapshot
  if (counted.h !== held) tell(`${held} seats are counted as held, and the map has ${counted.h}`)
  if (counted.s !== sold) tell(`${sold} seats are counted as sold, and the map has ${counted.s}`)
  if (counted.x !== blocked) tell(`${blocked} seats are counted as blocked, and the map has ${counted.x}`)
  if (seats !== layout.seats) tell(`${seats} seats are counted, and the layout has ${layout.seats}`)
}

/** The log, played from its beginning, ends at the map. */
function checkReplay(snapshot: EventSnapshot, layout: Layout, replay: Replay, tell: Tell): void {
  for (let cell = 0; cell < snapshot.cells.length; cell++) {
    const logged = replay.letterAt(cell)
    const letter = snapshot.cells[cell] as string
    if (logged !== undefined && logged !== letter)
      tell(
        `${layout.emptyMap[cell] === '|' ? `cell ${cell}` : layout.seatAt(cell)} is '${letter}', and the log ends with '${logged}'`,
      )
  }
}

/** Every record says what the log says, and every hold of the log has a record as long as it must be remembered. */
function checkRecords({ nowMs }: EventSnapshot, replay: Replay, { records }: Books, tell: Tell): void {
  for (const [hold, record] of records) {
    const logged = replay.holds.get(hold)
    if (replay.touched.has(hold)) continue
    if (logged === undefined) {
      if (replay.whole) tell(`hold '${hold}' has a record, and is not in the log`)
      continue
    }
    if (logged.state !== record.state) tell(`hold '${hold}' is ${record.state}, and the log says ${logged.state}`)
    if (logged.packed !== record.packed) tell(`hold '${hold}' has other seats than the log says`)
    if (logged.customer !== undefined && logged.customer !== record.customer)
      tell(`hold '${hold}' is of another customer than the log says`)
    if (record.state !== 'held' && logged.endedAtMs !== record.endedAtMs)
      tell(`hold '${hold}' ended at ${record.endedAtMs}, and the log says ${logged.endedAtMs}`)
    if (record.state === 'confirmed' && logged.payment !== record.payment)
      tell(`hold '${hold}' was bought with another payment than the log says`)
  }
  for (const [hold, { state, endedAtMs }] of replay.holds) {
    if (records.has(hold) || replay.touched.has(hold)) continue
    const mayBeForgotten = (state === 'released' || state === 'expired') && endedAtMs + REMEMBERED_MS <= nowMs + 60_000
    if (!mayBeForgotten) tell(`hold '${hold}' is ${state} in the log, and has no record`)
  }
}

/** Every seat that is held or sold belongs to one hold of that state, and every such hold has its seats. */
function checkClaims(snapshot: EventSnapshot, layout: Layout, replay: Replay, { records }: Books, tell: Tell): void {
  const owners = new Map<number, string>()
  for (const [hold, { state, cells }] of records) {
    if (replay.touched.has(hold) || (state !== 'held' && state !== 'confirmed')) continue
    const letter = state === 'held' ? 'h' : 's'
    for (const cell of cells) {
      const other = owners.get(cell)
      if (other !== undefined) tell(`${layout.seatAt(cell)} is in two holds, '${other}' and '${hold}'`)
      owners.set(cell, hold)
      if (snapshot.cells[cell] !== letter)
        tell(`${layout.seatAt(cell)} is '${snapshot.cells[cell]}', and hold '${hold}' is ${state}`)
    }
  }
  for (let cell = 0; cell < snapshot.cells.length; cell++) {
    const letter = snapshot.cells[cell]
    if ((letter === 'h' || letter === 's') && !owners.has(cell) && !replay.touchedCells.has(cell))
      tell(`${layout.seatAt(cell)} is '${letter}', and no hold has it`)
  }
}

/** Each customer's count is that of his holds, and no more than he may have. */
function checkCustomers({ limit }: EventSnapshot, replay: Replay, { records, customers }: Books, tell: Tell): void {
  const expected = new Map<string, number>()
  const touched = new Set(replay.touchedCustomers)
  for (const [hold, { state, customer, cells }] of records) {
    if (replay.touched.has(hold)) touched.add(customer)
    if (state === 'held' || state === 'confirmed') expected.set(customer, (expected.get(customer) ?? 0) + cells.length)
  }
  for (const customer of new Set([...expected.keys(), ...customers.keys()])) {
    if (touched.has(customer)) continue
    const counted = customers.get(customer) ?? 0
    const has = expected.get(customer) ?? 0
    if (counted !== has) tell(`customer '${customer}' is counted with ${counted} seats, and has ${has}`)
    if (limit > 0 && has > limit) tell(`customer '${customer}' has ${has} seats, and may have ${limit}`)
  }
}

/** Every hold has its deadline, every ended one the moment at which it is forgotten, and nothing else has one. */
function checkDue({ nowMs, nextDueMs }: EventSnapshot, replay: Replay, { records, due }: Books, tell: Tell): void {
  for (const [hold, { state, expiresAtMs, endedAtMs }] of records) {
    if (replay.touched.has(hold)) continue
    const at = due.get(holdField(hold))
    const expected = state === 'held' ? expiresAtMs : state === 'confirmed' ? undefined : endedAtMs + REMEMBERED_MS
    // Forgotten while the pages were read.
    if (at === undefined && expected !== undefined && state !== 'held' && expected <= nowMs + 60_000) continue
    if (at !== expected)
      tell(`hold '${hold}' is ${state}: due at ${at ?? 'no time'}, expected ${expected ?? 'no time'}`)
    if (at !== undefined && at < nextDueMs)
      tell(`hold '${hold}' is due at ${at}, and nothing is looked at before ${nextDueMs}`)
  }
  for (const member of due.keys()) {
    const hold = holdOf(member)
    if (hold === undefined || (!records.has(hold) && !replay.touched.has(hold)))
      tell(`'${member}' is due, and there is no such hold`)
  }
}
