import { ServerError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { drawEarlyMs, isDueEarly } from './early.ts'
import type { Unread } from './encoding.ts'
import type { Entries } from './entries.ts'
import { decodeFrame, type Entry } from './frame.ts'
import type { MemoryTier } from './memory.ts'
import type { ResolvedCacheOptions } from './options.ts'
import { type TagReading, TagTable } from './tags.ts'

/** What was found for an id: fresh, or stale and only to be served while it is refreshed. */
export interface Found {
  readonly value: unknown
  readonly stale: boolean
  /** When it turned stale or will, in ms of the server's clock, if it is to be refreshed now; else 0. */
  readonly due: number
}

/** An id whose value is to be refreshed, and when that turns stale. */
export interface Due {
  readonly id: string
  readonly due: number
}

/** Looks for values where they may be, and judges whether what is there may be served. Never loads. */
export class Reader {
  readonly hits = { memory: 0, redis: 0, stale: 0 }
  /** Looks that found something and could not serve it, by the reason. */
  readonly refused: Record<Unread | 'tag', number> = { tag: 0, schema: 0, undecodable: 0, foreign: 0 }
  readonly #redis: Redis
  readonly #options: ResolvedCacheOptions
  readonly #entries: Entries
  readonly #tags: TagTable
  readonly #memory: MemoryTier | undefined
  /** False where a value is simply there or not. */
  readonly #timed: boolean
  readonly #staticTags: readonly { readonly tag: string }[]
  readonly #byReplica: boolean

  constructor(
    redis: Redis,
    options: ResolvedCacheOptions,
    entries: Entries,
    tags: TagTable,
    memory: MemoryTier | undefined,
  ) {
    this.#redis = redis
    this.#options = options
    this.#entries = entries
    this.#tags = tags
    this.#memory = memory
    this.#byReplica = memory === undefined && (options.readFrom ?? redis.readFrom) === 'replica'
    this.#timed = options.staleMs > 0 || options.early > 0
    this.#staticTags = options.staticTags.map((tag) => ({ tag }))
  }

  /** What memory or Redis has for `id` and may be served. `only`: the caller will not load it, so a replica may answer. */
  async look(id: string, only = false): Promise<Found | undefined> {
    const kept = this.#memory?.get(id)
    if (kept !== undefined) {
      this.hits.memory++
      return { value: kept.value, stale: false, due: 0 }
    }
    const guess = this.#tags.hint(id) ?? this.#staticTags
    const reading = guess.length === 0 ? undefined : this.#tags.read(guess)
    const keep = this.#memory?.beginRead(id)
    try {
      const frame = await this.#entries.read(id, only && this.#byReplica)
      const entry = frame === null ? undefined : this.read(frame)
      let found: Found | undefined
      // Most entries have no tags and nothing to wait for.
      if (entry !== undefined && reading === undefined && entry.tags.length === 0) found = this.#inTime(entry)
      else if (entry !== undefined && reading !== undefined && entry.tags === guess) {
        // The tags it had when it was last seen: their epochs were asked for along with it.
        if (TagTable.match(entry.tags, reading.places, await reading.epochs)) found = this.#inTime(entry)
      } else if (entry !== undefined) found = await this.judge(id, entry, guess, reading)
      if (found !== undefined) {
        if (found.stale) this.hits.stale++
        else this.hits.redis++
      } else if (entry !== undefined) this.refused.tag++
      keep?.(found === undefined || found.stale || entry === undefined ? undefined : this.#toKeep(entry))
      return found
    } catch (error) {
      keep?.(undefined)
      // Not a text: somebody else's, and a miss like any other bytes that are not ours. The fill replaces it.
      if (error instanceof ServerError && error.reply === 'WRONGTYPE') {
        this.refused.foreign++
        return undefined
      }
      throw error
    }
  }

  /** The entry in a frame, if this cache can read it; if not, that counts. */
  read(frame: Buffer): Entry | undefined {
    return decodeFrame(frame, this.#options.encoding, this.#onUnread)
  }

  readonly #onUnread = (why: Unread): void => {
    this.refused[why]++
  }

  #inTime(entry: Entry): Found {
    if (!this.#timed) return { value: entry.value, stale: false, due: 0 }
    const { staleMs, early } = this.#options
    const leftMs = entry.staleAtMs - this.#redis.serverNowMs()
    const stale = staleMs > 0 && leftMs <= 0
    const isDue = stale || (early > 0 && isDueEarly(early, entry.costMs, leftMs))
    return { value: entry.value, stale, due: isDue ? entry.staleAtMs : 0 }
  }

  // Hits in memory look at no clock of the server: so when this one is to be refreshed early is drawn as it is kept.
  #toKeep(entry: Entry) {
    const { value, bytes, staleAtMs, costMs, tags } = entry
    const earlyMs = this.#options.early > 0 ? drawEarlyMs(this.#options.early, costMs) : 0
    return {
      value,
      bytes,
      freshMs: staleAtMs - this.#redis.serverNowMs() - earlyMs,
      tags: tags.map(({ tag }) => tag),
    }
  }

  /**
   * Whether an entry may be served: its tags still have their epochs, and its time is not over. `guess`: tags whose epochs are in
   * `reading` already, asked for along with the entry.
   */
  async judge(
    id: string,
    entry: Entry,
    guess: readonly { readonly tag: string }[] = [],
    reading?: TagReading,
  ): Promise<Found | undefined> {
    const { tags } = entry
    if (guess !== tags) {
      const guessed = guess.length === tags.length && tags.every(({ tag }, i) => guess[i]?.tag === tag)
      this.#tags.remember(id, tags)
      if (!guessed) reading = tags.length === 0 ? undefined : this.#tags.read(tags)
    }
    if (reading !== undefined && !(await TagTable.fresh(tags, reading))) return undefined
    return this.#inTime(entry)
  }

  /** Fills `answers` with what memory and Redis have, and answers the ids that are missing. */
  async lookMany(
    ids: readonly string[],
    answers: Map<string, unknown>,
    onDue: (stale: readonly string[], early: readonly Due[]) => void,
    only = false,
  ): Promise<readonly string[]> {
    const asked = this.#memory === undefined ? ids : ids.filter((id) => !this.#fromMemory(id, answers))
    if (asked.length === 0) return []
    const keeps = this.#memory === undefined ? undefined : asked.map((id) => this.#memory?.beginRead(id))
    let frames: readonly (Buffer | null)[]
    try {
      frames = await this.#entries.readMany(asked, only && this.#byReplica)
    } catch (error) {
      for (const keep of keeps ?? []) keep?.(undefined)
      throw error
    }
    const missing: string[] = []
    const stale: string[] = []
    const early: Due[] = []
    const judged: Promise<void>[] = []
    for (const [i, frame] of frames.entries()) {
      const id = asked[i] as string
      const entry = frame === null ? undefined : this.read(frame)
      const take = (found: Found | undefined) => {
        if (found === undefined && entry !== undefined) this.refused.tag++
        keeps?.[i]?.(found === undefined || found.stale || entry === undefined ? undefined : this.#toKeep(entry))
        if (found === undefined) return void missing.push(id)
        if (found.stale) stale.push(id)
        else if (found.due > 0) early.push({ id, due: found.due })
        answers.set(id, found.value)
      }
      // Most entries have no tags, and no reason to wait for anything.
      if (entry === undefined) take(undefined)
      else if (entry.tags.length === 0) take(this.#inTime(entry))
      else
        judged.push(
          this.judge(id, entry).then(take, (error) => {
            keeps?.[i]?.(undefined)
            throw error
          }),
        )
    }
    if (judged.length > 0) await Promise.all(judged)
    this.hits.redis += asked.length - missing.length - stale.length
    this.hits.stale += stale.length
    if (stale.length > 0 || early.length > 0) onDue(stale, early)
    return missing
  }

  #fromMemory(id: string, answers: Map<string, unknown>): boolean {
    const kept = this.#memory?.get(id)
    if (kept === undefined) return false
    this.hits.memory++
    answers.set(id, kept.value)
    return true
  }
}
