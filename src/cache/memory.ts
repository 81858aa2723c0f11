import { monotonicMs } from '../base/clock.ts'
import type { KeyStream, Listeners } from '../redis/listeners.ts'
import type { CacheKeys } from './keys.ts'

/** A kept value; also a node of the eviction queue. */
interface Kept {
  readonly id: string
  readonly value: unknown
  readonly bytes: number
  readonly expiresMs: number
  readonly tags: readonly string[]
  /** The news of its key. */
  readonly stream: KeyStream
  /** The tier's sequence when it was kept: a tag that was invalidated later ends it. */
  readonly sequence: number
  visited: boolean
  newer: Kept | undefined
  older: Kept | undefined
}

/** What an entry costs beside its value, roughly: the node, the id, the map's slot. */
const OVERHEAD_BYTES = 300
/** How many invalidated tags are remembered one by one; beyond it, everything is forgotten once instead. */
const MOST_TAGS = 10_000

/** Why the tier had no answer, so often. */
export interface MemoryMisses {
  /** Not kept: never read, invalidated or evicted. */
  readonly absent: number
  readonly expired: number
  /** One of its tags was invalidated. */
  readonly tag: number
  /** The invalidation stream was in doubt: nothing was kept, or what was kept was not to be trusted. */
  readonly off: number
}

export const NO_MEMORY_MISSES: MemoryMisses = { absent: 0, expired: 0, tag: 0, off: 0 }

export interface MemoryLimits {
  readonly maxEntries: number
  readonly maxBytes: number
  readonly ttlMs: number
}

/**
 * Values kept in the process, true within the listeners' stated bound: each server tells of every key of its own that changes, and
 * while its stream is in doubt what was kept of its keys is not served. Values are frozen: every caller gets the same one.
 *
 * Evicts by SIEVE: a hit only sets a bit, and a hand that moves from old to new drops what was not hit since it last came by.
 * Nothing is kept per key elsewhere, so nothing is left behind.
 *
 * source  Zhang et al., SIEVE is Simpler than LRU, NSDI 2024
 */
export class MemoryTier {
  /** Why it had no answer, so far. */
  readonly misses: { -readonly [Reason in keyof MemoryMisses]: number } = { ...NO_MEMORY_MISSES }
  readonly #limits: MemoryLimits
  readonly #listeners: Listeners
  readonly #keys: CacheKeys
  readonly #kept = new Map<string, Kept>()
  readonly #reading = new Map<string, { readers: number; changed: boolean }>()
  readonly #tagSequence = new Map<string, number>()
  readonly #unwatch: () => void
  /** The news of the tags, where keys stay where they are. */
  #fixedTagStream: KeyStream | undefined
  #newest: Kept | undefined
  #oldest: Kept | undefined
  #hand: Kept | undefined
  #bytes = 0
  #sequence = 0
  #epoch = 0

  constructor(limits: MemoryLimits, listeners: Listeners, keys: CacheKeys) {
    this.#limits = limits
    this.#listeners = listeners
    this.#keys = keys
    this.#unwatch = listeners.watch({
      prefixes: [keys.entryPrefix, keys.tagPrefix],
      onKey: (key) => this.#onKey(key),
      onGap: (missed) => this.#onGap(missed),
    })
  }

  get size(): number {
    return this.#kept.size
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The kept entry for `id`, if it may be served now; counts as a look that was in vain if not. */
  get(id: string): { readonly value: unknown } | undefined {
    const good = this.good(id)
    if (good !== undefined) return good
    const kept = this.#kept.get(id)
    if (kept === undefined) {
      this.misses.absent++
      return undefined
    }
    this.misses[this.#faultOf(kept, monotonicMs()) ?? 'expired']++
    this.#drop(kept)
    return undefined
  }

  /** The kept entry for `id`, if it may be served now. */
  good(id: string): { readonly value: unknown } | undefined {
    const kept = this.#kept.get(id)
    if (kept === undefined || this.#faultOf(kept, monotonicMs()) !== undefined) return undefined
    kept.visited = true
    return kept
  }

  /** How it stands with `id`, without changing that: kept and good, or why it would not be served. */
  stateOf(id: string): 'kept' | keyof MemoryMisses {
    const kept = this.#kept.get(id)
    const nowMs = monotonicMs()
    if (kept !== undefined) return this.#faultOf(kept, nowMs) ?? 'kept'
    return this.#listeners.streamOf(this.#keys.entry(id)).trusted(nowMs) ? 'absent' : 'off'
  }

  /** True when the news of some keys can be trusted. */
  isOn(nowMs: number): boolean {
    return this.#listeners.hears(nowMs)
  }

  #faultOf(kept: Kept, nowMs: number): Exclude<keyof MemoryMisses, 'absent'> | undefined {
    if (!kept.stream.trusted(nowMs)) return 'off'
    if (kept.expiresMs <= nowMs) return 'expired'
    if (kept.tags.length === 0) return undefined
    const stream = this.#tagStream()
    if (stream !== kept.stream && !stream.trusted(nowMs)) return 'off'
    return this.#tagMoved(kept) ? 'tag' : undefined
  }

  #tagStream(): KeyStream {
    if (this.#fixedTagStream !== undefined) return this.#fixedTagStream
    const stream = this.#listeners.streamOf(this.#keys.generation)
    if (this.#listeners.areFixed && stream.trusted(monotonicMs())) this.#fixedTagStream = stream
    return stream
  }

  #tagMoved(kept: Kept): boolean {
    // Nothing was invalidated since it was kept.
    if (kept.sequence === this.#sequence) return false
    return kept.tags.some((tag) => (this.#tagSequence.get(tag) ?? 0) > kept.sequence)
  }

  /**
   * Call before a value is read from Redis; the answer keeps it, unless anything was said of its key or its tags meanwhile:
   * the stream and the reply come by different sockets, and the news may overtake the value.
   */
  beginRead(
    id: string,
  ): (found: { value: unknown; bytes: number; freshMs: number; tags: readonly string[] } | undefined) => void {
    const reading = this.#reading.get(id) ?? { readers: 0, changed: false }
    reading.readers++
    this.#reading.set(id, reading)
    const epoch = this.#epoch
    const sequence = this.#sequence
    return (found) => {
      if (--reading.readers === 0 && this.#reading.get(id) === reading) this.#reading.delete(id)
      if (found === undefined || reading.changed || epoch !== this.#epoch) return
      const stream = this.#listeners.streamOf(this.#keys.entry(id))
      if (stream.trusted(monotonicMs())) return this.#keep(id, found, stream, sequence)
      // Why it was not there, and is not kept now either.
      this.misses.off++
      this.misses.absent = Math.max(0, this.misses.absent - 1)
    }
  }

  #keep(
    id: string,
    found: { value: unknown; bytes: number; freshMs: number; tags: readonly string[] },
    stream: KeyStream,
    sequence: number,
  ): void {
    const lifeMs = Math.min(this.#limits.ttlMs, found.freshMs)
    // Neither less than what is stored of it: of a long text beyond ASCII that is nearer.
    const bytes = Math.max(found.bytes, freezeAndWeigh(found.value)) + OVERHEAD_BYTES
    if (lifeMs <= 0 || bytes > this.#limits.maxBytes) return
    this.forget(id)
    const kept: Kept = {
      id,
      value: found.value,
      bytes,
      expiresMs: monotonicMs() + lifeMs,
      tags: found.tags,
      stream,
      sequence,
      visited: false,
      newer: undefined,
      older: this.#newest,
    }
    if (this.#newest !== undefined) this.#newest.newer = kept
    this.#newest = kept
    this.#oldest ??= kept
    this.#kept.set(id, kept)
    this.#bytes += bytes
    while (this.#kept.size > this.#limits.maxEntries || this.#bytes > this.#limits.maxBytes) this.#evictOne()
  }

  #evictOne(): void {
    let kept = this.#hand ?? this.#oldest
    while (kept?.visited) {
      kept.visited = false
      kept = kept.newer ?? this.#oldest
    }
    if (kept === undefined) return
    this.#hand = kept.newer
    this.#drop(kept)
  }

  #drop(kept: Kept): void {
    if (this.#kept.get(kept.id) !== kept) return
    this.#kept.delete(kept.id)
    this.#bytes -= kept.bytes
    if (this.#hand === kept) this.#hand = kept.newer
    if (kept.newer === undefined) this.#newest = kept.older
    else kept.newer.older = kept.older
    if (kept.older === undefined) this.#oldest = kept.newer
    else kept.older.newer = kept.newer
  }

  /** This process knows that an entry changed; the stream will say so too. */
  forget(id: string): void {
    const kept = this.#kept.get(id)
    if (kept !== undefined) this.#drop(kept)
    const reading = this.#reading.get(id)
    if (reading === undefined) return
    reading.changed = true
    // Reads that begin from now on are none of its: on a busy key there is always one under way, and nothing would be kept again.
    this.#reading.delete(id)
  }

  forgetTags(tags: readonly string[]): void {
    this.#sequence++
    for (const tag of tags) this.#tagSequence.set(tag, this.#sequence)
    if (this.#tagSequence.size > MOST_TAGS) this.clear()
  }

  forgetWhere(matches: (id: string) => boolean): void {
    for (const id of this.#kept.keys()) if (matches(id)) this.forget(id)
    for (const id of this.#reading.keys()) if (matches(id)) this.forget(id)
  }

  #onKey(key: string): void {
    const tag = this.#keys.tagOf(key)
    if (tag !== undefined) return this.forgetTags([tag])
    const id = this.#keys.idOf(key)
    if (id !== undefined) this.forget(id)
  }

  /** News of some keys was missed: what depends on it goes. All tags live in one place, so theirs concerns every entry that has any. */
  #onGap(missed: ((key: string) => boolean) | undefined): void {
    if (missed === undefined || missed(this.#keys.generation)) return this.clear()
    this.forgetWhere((id) => missed(this.#keys.entry(id)))
  }

  clear(): void {
    this.#epoch++
    this.#kept.clear()
    this.#tagSequence.clear()
    this.#newest = undefined
    this.#oldest = undefined
    this.#hand = undefined
    this.#bytes = 0
  }

  close(): void {
    this.#unwatch()
    this.clear()
  }
}

/**
 * Freezes data through and through, Maps, Sets and Dates too; bytes cannot be frozen: treat them as read-only. Answers what it weighs in
 * the heap, about: what V8 lays out for each kind, beside the 8 bytes in whatever holds it.
 */
function freezeAndWeigh(value: unknown): number {
  switch (typeof value) {
    case 'string':
      return 24 + value.length
    case 'number':
      // Small whole numbers need no place of their own.
      return (value | 0) === value ? 0 : 12
    case 'bigint':
      return 24
    case 'object':
      return value === null ? 0 : freezeAndWeighObject(value)
    default:
      return 0
  }
}

function freezeAndWeighObject(value: object): number {
  if (ArrayBuffer.isView(value)) return 200 + value.byteLength
  if (Object.isFrozen(value)) return 0
  let weight = 32
  if (value instanceof Map) {
    weight = 150
    for (const [key, item] of value) weight += 26 + freezeAndWeigh(key) + freezeAndWeigh(item)
  } else if (value instanceof Set) {
    weight = 150
    for (const item of value) weight += 18 + freezeAndWeigh(item)
  } else if (value instanceof Date) weight = 180
  else if (Array.isArray(value)) for (const item of value) weight += 8 + freezeAndWeigh(item)
  else for (const key of Object.keys(value)) weight += 8 + freezeAndWeigh((value as Record<string, unknown>)[key])
  if (value instanceof Map || value instanceof Set) Object.defineProperties(value, REFUSING_COLLECTION)
  else if (value instanceof Date) Object.defineProperties(value, REFUSING_DATE)
  Object.freeze(value)
  return weight
}

const refuse = () => {
  throw new TypeError('A value that is kept in memory is shared by all callers: copy it before you change it')
}
/** Their content is no property and does not freeze: so what would change it is hidden by what refuses. */
const refusing = (names: readonly string[]): PropertyDescriptorMap =>
  Object.fromEntries(names.map((name) => [name, { value: refuse }]))
const REFUSING_COLLECTION = refusing(['set', 'add', 'delete', 'clear'])
const REFUSING_DATE = refusing(Object.getOwnPropertyNames(Date.prototype).filter((name) => name.startsWith('set')))
