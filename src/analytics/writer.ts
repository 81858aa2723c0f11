import { ConnectionError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { Loop } from '../loop/loop.ts'
import type { Redis } from '../redis/redis.ts'
import type { ScriptOptions } from '../redis/script.ts'
import type { AnalyticsKeys } from './keys.ts'
import { type Lot, lotOf } from './lot.ts'
import { addScript } from './lua.generated.ts'
import type { EventFields, ResolvedAnalyticsOptions } from './options.ts'
import { type Mark, Pending, type RecentEvent, sizeOf } from './pending.ts'
import { floorTo } from './tiers.ts'
import type { Visitor } from './visitor.ts'

/** Marks of one script: 0.2 ms of the server where they are counts or visitors, 5 ms where all are items that nobody saw before. */
const LOT = 250
/** For how long the server remembers what a writer sent last: no lot is tried again after that. */
const REMEMBERED_MS = 86_400_000
const ADDING: ScriptOptions = { operation: 'analytics.flush', repeat: true }

/** A lot on its way: sent again, the same, until somebody answers. */
interface Sending {
  readonly lot: Lot
  readonly number: number
  readonly size: number
  readonly sinceMs: number
}

/** What belongs to one hash tag, sent in order. */
class Part {
  /** What comes now. */
  pending = new Pending()
  /** What is being sent: nothing comes to it any more, or a turn would never end. */
  leaving = new Pending()
  sending: Sending | undefined
  sent = 0

  get size(): number {
    return this.pending.size + this.leaving.size + (this.sending === undefined ? 0 : this.sending.size)
  }
}

/**
 * Adds up what this process counts, and sends it in lots. A lot whose answer was lost is sent again under its number, which the server
 * knows. What was not sent when a process dies is lost: at most that of one flush interval while Redis answers.
 */
export class Writer {
  readonly stats = { flushed: 0, dropped: 0, crowded: 0 }
  readonly #redis: Redis
  readonly #keys: AnalyticsKeys
  readonly #options: ResolvedAnalyticsOptions
  readonly #parts: readonly Part[]
  readonly #id = randomId(12)
  readonly #loop: Loop
  #failure: unknown
  #started = false
  #closed = false

  constructor(redis: Redis, keys: AnalyticsKeys, options: ResolvedAnalyticsOptions) {
    this.#redis = redis
    this.#keys = keys
    this.#options = options
    this.#parts = Array.from({ length: keys.spread }, () => new Part())
    this.#loop = new Loop(() => this.#turn(), { every: options.flushMs })
  }

  /** Marks that are not acknowledged yet. */
  get pending(): number {
    let sum = 0
    for (const part of this.#parts) sum += part.size
    return sum
  }

  hit(dimension: string, item: string, visitor: Visitor | undefined, atMs: number): void {
    const all = this.#count('dimension', this.#keys.partOf(dimension), atMs, dimension, '', visitor)
    const one = this.#count('item', this.#keys.partOf(item), atMs, dimension, item, visitor)
    if (!all || !one) this.stats.dropped++
    this.#wake()
  }

  track(event: string, fields: EventFields, visitor: Visitor | undefined, atMs: number): void {
    const at = this.#keys.partOf(event)
    const sampled = this.#options.sample > 0 ? visitor : undefined
    const isCounted = this.#count('event', at, atMs, event, '', sampled, fields)
    const isShown = isCounted && this.#show(at, event, { atMs, fields })
    if (!isShown) this.stats.dropped++
    this.#wake()
  }

  /** False: there was no room for it among the newest events. */
  #show(part: number, event: string, shown: RecentEvent): boolean {
    if (this.#options.recent === 0) return true
    if (this.#isFull()) return false
    const { pending } = this.#parts[part] as Part
    pending.addRecent(pending.at('recent', 0, event), shown, this.#options.recent)
    return true
  }

  #isFull(): boolean {
    return this.pending >= this.#options.buffer
  }

  /** False: there was no room. What stands there already takes none. */
  #count(
    kind: Mark['kind'],
    part: number,
    atMs: number,
    name: string,
    item: string,
    visitor: Visitor | undefined,
    fields?: EventFields,
  ): boolean {
    const { pending } = this.#parts[part] as Part
    const minuteMs = floorTo(atMs, 60_000)
    const isFull = this.#isFull()
    if (this.#closed || (isFull && !pending.has(kind, minuteMs, name, item))) return false
    const mark = pending.at(kind, minuteMs, name, item)
    mark.count++
    for (const field in fields) {
      const amount = fields[field]
      if (typeof amount === 'number') pending.addSum(mark, field, amount)
    }
    if (visitor === undefined) return true
    if (isFull && !mark.visitors.has(visitor.id)) return false
    pending.addVisitor(mark, visitor, atMs)
    return true
  }

  #wake(): void {
    if (!this.#started) {
      this.#started = true
      this.#loop.start()
    }
    // One timer a full lot, not one a mark.
    if (this.pending >= this.#options.flushCount && this.#failure === undefined) this.#loop.within(0)
  }

  /** Sends all that was counted before; rejects where that could not be, and then it is sent later. */
  async flush(): Promise<void> {
    if (this.#closed) throw new ConnectionError('CONNECTION_CLOSED', 'analytics.flush', 'close() was called')
    if (this.pending === 0) return
    await this.#loop.runNow()
    if (this.#failure !== undefined) throw this.#failure
  }

  async #turn(): Promise<void> {
    const results = await Promise.allSettled(this.#parts.map((part, i) => this.#send(part, i)))
    this.#failure = results.find((result) => result.status === 'rejected')?.reason
  }

  async #send(part: Part, index: number): Promise<void> {
    // What an earlier turn could not send goes first.
    await this.#empty(part, index)
    if (part.pending.size === 0) return
    part.leaving = part.pending
    part.pending = new Pending()
    await this.#empty(part, index)
  }

  async #empty(part: Part, index: number): Promise<void> {
    while (part.sending !== undefined || part.leaving.size > 0) {
      part.sending ??= this.#next(part, index)
      const { lot, number, size, sinceMs } = part.sending
      const keys = { writer: this.#keys.writer(index, this.#id), more: lot.more }
      const args = { number, lasts: REMEMBERED_MS, rest: lot.rest }
      try {
        const reply = await addScript.run(this.#redis, keys, args, ADDING)
        if (reply[0] === 'added') this.stats.crowded += reply[1]
        this.stats.flushed += size
      } catch (error) {
        if (this.#redis.serverNowMs() - sinceMs < REMEMBERED_MS / 2) throw error
        this.stats.dropped += size
      }
      part.sending = undefined
    }
  }

  #next(part: Part, index: number): Sending {
    const marks = part.leaving.take(LOT)
    const nowMs = this.#redis.serverNowMs()
    const size = marks.reduce((sum, mark) => sum + sizeOf(mark), 0)
    const lot = lotOf(marks, index, this.#keys, this.#options, nowMs)
    part.sent++
    return { lot, number: part.sent, size, sinceMs: nowMs }
  }

  /** Sends what there is, once; what cannot be sent is dropped. */
  async close(): Promise<void> {
    if (this.#closed) return
    await this.flush().catch(() => {})
    this.#closed = true
    await this.#loop.stop()
    for (const part of this.#parts) {
      this.stats.dropped += part.size
      part.sending = undefined
      part.leaving = part.pending = new Pending()
    }
  }
}
