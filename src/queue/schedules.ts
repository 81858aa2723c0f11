import { parseSchedule, type Schedule } from '../base/cron.ts'
import type { Redis } from '../redis/redis.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import { QueueFullError } from './errors.ts'
import { schedulesKey, shardOf, slotsKey } from './keys.ts'
import { advanceScript, listSchedulesScript, putScheduleScript, removeScheduleScript } from './lua.generated.ts'
import { noticeChannel } from './notices.ts'
import type { Postings } from './postings.ts'
import type { ScheduleRecord } from './schedule-options.ts'
import { dueSlots } from './schedule-slots.ts'

/** A schedule of a queue. */
export interface ScheduleInfo {
  readonly id: string
  readonly schedule: Schedule
  readonly missed: ScheduleRecord['missed']
  /** The slot that comes next, in ms since 1970; undefined where there is none for centuries. */
  readonly nextAtMs: number | undefined
  /** The slot that a job was added for last; undefined before the first. */
  readonly lastAtMs: number | undefined
}

export interface RepeatResult {
  /** The slot that comes next, in ms since 1970; undefined where there is none for centuries. */
  readonly nextAtMs: number | undefined
  /** False where the same schedule stood already, and nothing was done. */
  readonly changed: boolean
}

/** What is stored of one, and under which words of it. */
interface Stored {
  readonly id: string
  readonly record: string
  readonly slot: string
  readonly last: string
}

interface Listed {
  readonly nowMs: number
  /** Until a slot comes; undefined where none does. */
  readonly waitMs: number | undefined
  readonly rows: readonly Stored[]
}

/** Of one call. */
const PAGE = 100

/** The schedules of a queue, each in the shard of its id, and the step that makes jobs of their slots. */
export class Schedules {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #postings: Postings
  readonly #name: string
  readonly #maxLength: number

  constructor(
    redis: Redis,
    layouts: readonly Layout[],
    postings: Postings,
    { name, maxLength }: { readonly name: string; readonly maxLength: number },
  ) {
    this.#postings = postings
    this.#name = name
    this.#maxLength = maxLength
    this.#redis = redis
    this.#layouts = layouts
  }

  #layoutOf(id: string): Layout {
    return this.#layouts[shardOf(id, this.#layouts.length)] as Layout
  }

  async put(id: string, record: ScheduleRecord): Promise<RepeatResult> {
    const layout = this.#layoutOf(id)
    const slots = parseSchedule(record.schedule)
    const text = JSON.stringify(record)
    // Its jobs need it, and in a queue of another shape the schedule would be looked for elsewhere.
    const { lane } = this.#postings.write(id, true, record)
    if (!layout.has(lane)) await layout.open(lane, 'queue.repeat')
    for (;;) {
      const { nowMs, rows } = await this.#list(layout, { ids: [id] })
      const [known] = rows
      if (known?.record === text) return { nextAtMs: readSlot(known.slot), changed: false }
      // A slot that has come belongs to what stood until now.
      if (known !== undefined && Number(known.slot) <= nowMs) {
        await this.#advance(layout, known, nowMs)
        continue
      }
      const next = keepsSlots(known, record)
        ? (known as Stored).slot
        : writeSlot(slots.next(Math.max(nowMs, Number(known?.last ?? 0))))
      const keys = { schedules: schedulesKey(layout.keys), slots: slotsKey(layout.keys) }
      const args = {
        ...{ id, known: known?.record ?? '', slot: known?.slot ?? '', record: text, next },
        channel: noticeChannel(this.#redis, layout),
      }
      const [word] = await putScheduleScript.run(this.#redis, keys, args, { operation: 'queue.repeat', repeat: true })
      if (word === 'put') return { nextAtMs: readSlot(next), changed: true }
    }
  }

  async remove(id: string): Promise<void> {
    const { keys } = this.#layoutOf(id)
    const options = { operation: 'queue.unrepeat', repeat: true }
    await removeScheduleScript.run(
      this.#redis,
      { schedules: schedulesKey(keys), slots: slotsKey(keys) },
      { id },
      options,
    )
  }

  /** All of them, those that come first first. */
  async all(): Promise<ScheduleInfo[]> {
    const found = new Map<string, ScheduleInfo>()
    for (const layout of this.#layouts)
      for (let from = 0; ; from += PAGE) {
        const { rows } = await this.#list(layout, { from })
        for (const { id, record, slot, last } of rows) {
          const { schedule, missed } = JSON.parse(record) as ScheduleRecord
          const lastAtMs = last === '' ? undefined : Number(last)
          found.set(id, { id, schedule, missed, nextAtMs: readSlot(slot), lastAtMs })
        }
        if (rows.length < PAGE) break
      }
    const order = ({ nextAtMs = Number.POSITIVE_INFINITY }: ScheduleInfo) => nextAtMs
    return [...found.values()].sort((a, b) => order(a) - order(b))
  }

  /** Adds the jobs of all slots that have come. Answers how long until the next comes, in ms; undefined where none does. */
  async advanceAll(): Promise<number | undefined> {
    const waits = await Promise.all(
      this.#layouts.map(async (layout) => {
        for (;;) {
          const { nowMs, waitMs, rows } = await this.#list(layout, { isDue: true })
          if (rows.length === 0) return waitMs
          const ended = await Promise.allSettled(rows.map((row) => this.#advance(layout, row, nowMs)))
          // One that cannot be read, or a full server, must not hold up the others.
          for (const end of ended) if (end.status === 'rejected') throw end.reason
        }
      }),
    )
    const known = waits.filter((wait) => wait !== undefined)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  async #list(
    layout: Layout,
    { ids = [], from = 0, isDue = false }: { ids?: readonly string[]; from?: number; isDue?: boolean },
  ): Promise<Listed> {
    const keys = { schedules: schedulesKey(layout.keys), slots: slotsKey(layout.keys) }
    const args = { until: isDue ? 'due' : '+inf', from, count: PAGE, ids }
    const options = { operation: 'queue.schedules', repeat: true }
    const [, nowMs, waitMs, ...words] = await listSchedulesScript.run(this.#redis, keys, args, options)
    const rows: Stored[] = []
    for (let i = 0; i < words.length; i += 4) {
      const [id, record, slot, last] = words.slice(i, i + 4) as [string, string, string, string]
      rows.push({ id, record, slot, last })
    }
    return { nowMs, waitMs: waitMs < 0 ? undefined : waitMs, rows }
  }

  /** Goes on from a slot that has come, unless another has. */
  async #advance(layout: Layout, { id, record, slot }: Stored, nowMs: number): Promise<void> {
    const { schedule, missed, ...draft } = JSON.parse(record) as ScheduleRecord
    const { run, nextMs } = dueSlots(parseSchedule(schedule), Number(slot), nowMs, missed)
    // Also where no slot gets a job: by exact rank none needs a lane of its priority.
    const { lane } = this.#postings.write(id, true, draft)
    const jobs = run.flatMap((at) => {
      const job = `${id}@${at}`
      return [String(at), job, this.#postings.write(job, true, draft).envelope]
    })
    let nextSlot = writeSlot(nextMs)
    for (;;) {
      if (!layout.has(lane)) await layout.open(lane, 'queue.repeat')
      const { state, bodies, ids, idle, wake, delayed } = layout.keys
      const keys = {
        ...{ state, schedules: schedulesKey(layout.keys), slots: slotsKey(layout.keys), bodies, ids, idle },
        ...{ wake, delayed, lanes: layout.all },
      }
      const args = {
        ...{ layout: layout.text, channel: bellPrefix(this.#redis.keyspace), id, record, slot },
        ...{ next: nextSlot, group: this.#postings.groupMost, length: this.#postings.lengthMost, jobs },
      }
      const reply = await advanceScript.run(this.#redis, keys, args, { operation: 'queue.advance', repeat: true })
      if (reply[0] === 'layout') layout.learn(reply[1])
      else if (reply[0] !== 'full') return
      // The slot stays, and is tried again.
      else if (reply[1] === 0) throw new QueueFullError(this.#name, this.#maxLength, [])
      // As many as there is room for, the first first; then the next of them is the slot that has come.
      else nextSlot = jobs.splice(reply[1] * 3)[0] as string
    }
  }
}

const readSlot = (slot: string): number | undefined => (slot === 'inf' ? undefined : Number(slot))
const writeSlot = (ms: number | undefined): string => (ms === undefined ? 'inf' : String(ms))

/** Only the job has changed. */
function keepsSlots(known: Stored | undefined, { schedule }: ScheduleRecord): boolean {
  if (known === undefined) return false
  return JSON.stringify((JSON.parse(known.record) as ScheduleRecord).schedule) === JSON.stringify(schedule)
}
