import { unlessAborted } from '../base/clock.ts'
import { ConfigError } from '../base/errors.ts'
import { validate } from '../base/schema.ts'
import type { Entries, FilledEntry } from './entries.ts'
import type { TagStamp } from './frame.ts'
import type { LoadPlan } from './load-plan.ts'
import { checkId, type ResolvedCacheOptions, type WarmFailure, type WarmOptions, type WarmResult } from './options.ts'
import type { Refill } from './refill.ts'
import type { TagMoment, TagTable } from './tags.ts'

/** Rows of one batch, and most entries of one script call. */
const BATCH_ROWS = 128
/** Most bytes that one batch has on the way, but for a single row that is larger. */
const BATCH_BYTES = 1024 * 1024
const MOST_FAILURES = 1_000

export type Rows = Iterable<readonly [string, unknown]> | AsyncIterable<readonly [string, unknown]>

export interface WarmRoom {
  readonly options: ResolvedCacheOptions
  readonly entries: Entries
  readonly tags: TagTable
}

/**
 * Writes many rows, a few batches at a time: the source is asked for more only when there is room for it.
 *
 * Rows were read at some time before they are written, and nobody knows when. So tags are stamped with the epochs that they had when the
 * warming began: what is invalidated by a tag after that is written and never served. A row whose entry is behind a fence is refused.
 */
export class Warming {
  readonly #room: WarmRoom
  readonly #refill: Refill
  readonly #forget: (id: string) => void
  readonly #plan: LoadPlan
  readonly #how: WarmOptions
  readonly #failures: WarmFailure[] = []
  readonly #stamps = new Map<string, TagStamp | 'invalidated'>()
  readonly #underWay = new Set<Promise<void>>()
  #moment: TagMoment | undefined
  #read = 0
  #written = 0
  #failed = 0
  #bytes = 0
  #stop = false
  #fatal: { readonly error: unknown } | undefined

  /** `forget` drops what this process keeps of an entry. */
  constructor(room: WarmRoom, refill: Refill, forget: (id: string) => void, plan: LoadPlan, how: WarmOptions) {
    this.#room = room
    this.#refill = refill
    this.#forget = forget
    this.#plan = plan
    this.#how = how
  }

  /** Writes all rows. Throws the error of the source or of a callback, or `signal.reason`, once what was under way has ended. */
  async run(rows: Rows): Promise<WarmResult> {
    const { dynamicTags } = this.#room.options
    const { tags, ttlMs } = this.#plan
    if (dynamicTags !== undefined || tags.length > 0) {
      this.#moment = await this.#room.tags.begin(tags, ttlMs)
      for (const stamp of this.#moment.stamps) this.#stamps.set(stamp.tag, stamp)
    }
    let complete = false
    try {
      complete = await this.#pull(rows)
    } finally {
      await Promise.all(this.#underWay)
    }
    if (this.#fatal !== undefined) throw this.#fatal.error
    return { ...this.#figures(), failures: this.#failures, complete: complete && !this.#stop }
  }

  async #pull(rows: Rows): Promise<boolean> {
    const { signal, concurrency = 4 } = this.#how
    const source = iterate(rows)
    let batch: unknown[] = []
    let ended = false
    try {
      for (;;) {
        signal?.throwIfAborted()
        if (this.#stop) return false
        let step = source.next()
        if (step instanceof Promise) step = await unlessAborted(step, signal)
        ended = step.done === true
        if (!ended) {
          this.#read++
          batch.push(step.value)
          if (batch.length < BATCH_ROWS) continue
        }
        while (this.#underWay.size >= concurrency) await Promise.race(this.#underWay)
        if (batch.length > 0) this.#send(batch)
        batch = []
        if (ended) return true
      }
    } finally {
      // Its own end must not be waited for by who was told to stop.
      if (!ended) Promise.resolve(source.return?.()).catch(() => {})
    }
  }

  #send(batch: readonly unknown[]): void {
    const work = this.#write(batch)
      .catch((error) => {
        this.#fatal ??= { error }
        this.#stop = true
      })
      .finally(() => this.#underWay.delete(work))
    this.#underWay.add(work)
  }

  async #write(batch: readonly unknown[]): Promise<void> {
    const rows = await this.#check(batch)
    if (this.#moment !== undefined) await this.#learn(rows.flatMap(({ tags }) => tags))
    let lot: FilledEntry[] = []
    let bytes = 0
    for (const { id, value, tags } of rows) {
      const stamps = tags.map((tag) => this.#stamps.get(tag))
      if (stamps.includes('invalidated')) {
        this.#fail({ id, reason: 'invalidated' })
        continue
      }
      try {
        const { lifeMs, frame } = this.#refill.frame(value, this.#plan.ttlMs, stamps as readonly TagStamp[])
        lot.push({ id, lifeMs, frame })
        bytes += frame.length
      } catch (error) {
        this.#fail({ id, reason: 'error', error })
      }
      if (bytes >= BATCH_BYTES) {
        await this.#put(lot)
        lot = []
        bytes = 0
      }
    }
    if (lot.length > 0) await this.#put(lot)
    this.#how.onProgress?.(this.#figures())
  }

  /** What of a batch can be written, with its tags. */
  async #check(batch: readonly unknown[]): Promise<{ id: string; value: unknown; tags: readonly string[] }[]> {
    const { schema } = this.#room.options.encoding
    const rows: { id: string; value: unknown; tags: readonly string[] }[] = []
    for (const row of batch) {
      const [id, given] = Array.isArray(row) ? row : []
      try {
        if (!Array.isArray(row)) throw new ConfigError('rows', 'pairs of an id and a value', row)
        checkId(id)
        if (given === undefined)
          throw new ConfigError('value', 'anything but undefined, which means "not there"', given)
        const value = schema === undefined ? given : await validate(schema, id, given)
        rows.push({ id, value, tags: this.#refill.tagsOf(id, value, this.#plan.tags) })
      } catch (error) {
        this.#fail({ id, reason: 'error', error })
      }
    }
    return rows
  }

  /** Asks for the epochs of tags that are met for the first time. */
  async #learn(tags: readonly string[]): Promise<void> {
    const { ttlMs } = this.#plan
    const moment = this.#moment as TagMoment
    const unknown = [...new Set(tags)].filter((tag) => !this.#stamps.has(tag))
    for (let from = 0; from < unknown.length; from += BATCH_ROWS) {
      const asked = unknown.slice(from, from + BATCH_ROWS)
      const stamps = await this.#room.tags.settle(asked, moment, ttlMs)
      if (stamps !== undefined) for (const stamp of stamps) this.#stamps.set(stamp.tag, stamp)
      // One of them was invalidated since: which?
      else
        for (const tag of asked) {
          const [stamp] = (await this.#room.tags.settle([tag], moment, ttlMs)) ?? []
          this.#stamps.set(tag, stamp ?? 'invalidated')
        }
    }
  }

  async #put(lot: readonly FilledEntry[]): Promise<void> {
    for (const { id } of lot) this.#forget(id)
    await this.#room.entries.putMany(lot, ({ id, frame }, outcome) => {
      if (outcome === 'written') {
        this.#written++
        this.#bytes += Buffer.byteLength(frame)
      } else if (outcome === 'fenced') this.#fail({ id, reason: 'fenced' })
      else this.#fail({ id, reason: 'error', error: outcome.error })
    })
    for (const { id } of lot) this.#forget(id)
  }

  #fail(failure: WarmFailure): void {
    this.#failed++
    if (this.#failures.length < MOST_FAILURES) this.#failures.push(failure)
    if (this.#how.stopOnFailure) this.#stop = true
    this.#how.onFailure?.(failure)
  }

  #figures() {
    return { read: this.#read, written: this.#written, failed: this.#failed, bytes: this.#bytes }
  }
}

function iterate(rows: Rows): Iterator<unknown> | AsyncIterator<unknown> {
  const source = rows as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined
  const iterator = source?.[Symbol.asyncIterator]?.() ?? source?.[Symbol.iterator]?.()
  if (iterator === undefined || typeof rows === 'string')
    throw new ConfigError('rows', 'an iterable or async iterable of pairs of an id and a value', rows)
  return iterator
}
