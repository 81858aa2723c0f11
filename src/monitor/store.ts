import { Histogram } from '../base/histogram.ts'
import { randomId } from '../base/id.ts'
import type { Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import type { Reply } from '../redis/wire.ts'
import { MonitorKeys } from './keys.ts'
import { addScript, registerScript } from './lua.generated.ts'
import { monitorRights } from './rights.ts'
import { type Cell, cellOf, endOfLife, LONGEST_WINDOW_MS, TIERS } from './tiers.ts'

const ADDING: ScriptOptions = { operation: 'monitor.record', repeat: true }
const REGISTERING: ScriptOptions = { operation: 'monitor.register', repeat: true }
/** How soon a name is on the list again, where Redis was restarted empty. */
const NOTED_MS = 60_000
const DAY_MS = 86_400_000
/** Names in one call. */
const MOST_NAMES = 500

/** What of one metric is written in one step: of one minute, and once. */
export interface Batch {
  readonly seq: number
  readonly minuteMs: number
  readonly count: number
  readonly errors: number
  readonly sum: number
  readonly min: number
  readonly max: number
  readonly counts: readonly (readonly [bucket: number, count: number])[]
}

/** What was written of a metric, put together. */
export interface Gathered {
  readonly values: Histogram
  readonly errors: number
}

/** Metrics on the wire. */
export class MonitorStore {
  readonly #redis: Redis
  readonly #keys: MonitorKeys
  /** This process, in the marks of its batches. */
  readonly #writer = randomId(10)
  readonly #registered = new Map<string, number>()
  #vetted = false

  constructor(redis: Redis) {
    this.#redis = redis
    this.#keys = new MonitorKeys(redis.keyspace)
  }

  get nowMs(): number {
    return this.#redis.serverNowMs()
  }

  /** Writes a batch once, however often it is sent. */
  async add(name: string, batch: Batch): Promise<void> {
    this.#vet()
    const { seq, minuteMs, count, errors, sum, min, max, counts } = batch
    const ends = TIERS.map((tier) => String(endOfLife(cellOf(tier, minuteMs))))
    const args = {
      ...{ writer: this.#writer, seq, count, errors, sum: (sum * 1_000).toFixed(0) },
      ...{ least: String(min), most: String(max), more: [...ends, ...counts.flat().map(String)] },
    }
    await addScript.run(this.#redis, { cells: this.#keys.cellsAt(name, minuteMs) }, args, ADDING)
  }

  /** Notes names that have not been noted within the minute; behind, since a list may be late. */
  async register(names: Iterable<string>): Promise<void> {
    const nowMs = this.nowMs
    const anew = [...names].filter((name) => (this.#registered.get(name) ?? 0) < nowMs - NOTED_MS)
    for (let at = 0; at < anew.length; at += MOST_NAMES) {
      const lot = anew.slice(at, at + MOST_NAMES)
      const args = { keepMs: LONGEST_WINDOW_MS + 2 * DAY_MS, names: lot }
      await registerScript.run(this.#redis, { names: this.#keys.names }, args, REGISTERING)
      for (const name of lot) this.#registered.set(name, nowMs)
    }
  }

  /** All cells put together. One round trip. */
  async read(name: string, cells: readonly Cell[]): Promise<Gathered> {
    this.#vet()
    const options = { operation: 'monitor.stats', repeat: true }
    const keys = cells.map((cell) => this.#keys.cell(name, cell))
    const replies = await Promise.all(keys.map((key) => this.#redis.call(key, 'HGETALL', [key], options)))
    const values = new Histogram()
    let errors = 0
    for (const reply of replies) errors += addCell(values, reply as readonly Reply[])
    return { values, errors }
  }

  async names(): Promise<readonly string[]> {
    this.#vet()
    const { names } = this.#keys
    const since = this.nowMs - LONGEST_WINDOW_MS
    const args = [names, String(Math.floor(since)), '+inf']
    const reply = await this.#redis.call(names, 'ZRANGEBYSCORE', args, { operation: 'monitor.list', repeat: true })
    return (reply as readonly Reply[]).map(String).sort()
  }

  #vet(): void {
    if (this.#vetted) return
    this.#vetted = true
    this.#redis.vet('monitor', 'cache', monitorRights(this.#keys), this.#keys.names, '').catch(() => {})
  }
}

/** Adds a cell as it is stored; answers its errors. */
function addCell(values: Histogram, fields: readonly Reply[]): number {
  const head = { e: 0, s: 0, lo: 0, hi: 0 }
  const counts: [number, number][] = []
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [field, value] = [String(fields[i]), Number(fields[i + 1])]
    if (/^\d+$/.test(field)) counts.push([Number(field), value])
    else if (field in head) head[field as keyof typeof head] = value
  }
  values.add({ counts, sum: head.s / 1_000, min: head.lo, max: head.hi })
  return head.e
}
