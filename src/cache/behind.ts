import { encode } from '../base/codec.ts'
import { ConfigError } from '../base/errors.ts'
import { guarded } from '../base/listener.ts'
import { Flusher, type Persisting } from '../dirty/flusher.ts'
import type { DirtyKeys, ValueKeys } from '../dirty/keys.ts'
import { inspectScript, writeScript } from '../dirty/lua.generated.ts'
import { type DirtyRecord, readRecord } from '../dirty/record.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { contentOf, DeadWrites, toWritten, valueKeysOf } from './dead-writes.ts'
import type { Encoding } from './encoding.ts'
import type { Unpersisted } from './entries.ts'
import { PersistTimeoutError, WriteBehindFullError } from './errors.ts'
import { encodeFrame } from './frame.ts'
import { type CacheKeys, placeOf } from './keys.ts'
import type { Refill } from './refill.ts'
import type { TagTable } from './tags.ts'
import type { ResolvedBehind, ResolvedWrite, WrittenEntry } from './write-options.ts'

/** What is not persisted is fresh: it is newer than all that a loader could bring. */
const FOREVER_MS = 9_999_999_999_999
/** How long a write waits where too much is not persisted. */
const LONGEST_WAIT_MS = 5_000
const LONGEST_DRAIN_MS = 10_000

/** How far the system of record is behind. */
export interface WriteLag {
  /** Ids that were written and not persisted. */
  readonly dirty: number
  /** How long ago the oldest of them was written first. */
  readonly oldestMs: number
  /** Writes that were given up. */
  readonly dead: number
}

/** What of a cache write-behind works with. */
export interface BehindRoom {
  readonly name: string
  readonly redis: Redis
  readonly keys: CacheKeys
  readonly encoding: Encoding
  readonly tags: TagTable
  readonly refill: Refill
  readonly channel: string
  readonly write: ResolvedWrite & { readonly behind: ResolvedBehind }
  /** Drops what this process keeps of an entry. */
  forget(id: string): void
}

/**
 * Write-behind: a write is on record in Redis, in the same step in which readers see it, and is persisted a little later by whichever
 * process comes first. While it is not, no load is stored over it, and where its entry is removed or evicted readers find the record.
 */
export class WriteBehind implements Unpersisted {
  readonly #room: BehindRoom
  readonly #places: readonly DirtyKeys[]
  readonly #flusher: Flusher
  readonly #tell: ResolvedBehind['onError']
  /** Writes that were given up. */
  readonly dead: DeadWrites

  constructor(room: BehindRoom) {
    this.#room = room
    this.#places = room.keys.places
    const { attempts, baseMs, maxMs, behind } = room.write
    const { batch, delayMs, giveUpMs } = behind
    const options = { batch, delayMs, attempts, giveUpMs, baseMs, maxMs }
    this.#tell = guarded(`write.onError of the cache '${room.name}'`, behind.onError)
    this.#flusher = new Flusher(room.redis, this.#places, options, new Persistence(room), this.#tell)
    this.dead = new DeadWrites(room, (place) => this.#flusher.nudge(place))
  }

  #placeOf(id: string): DirtyKeys {
    return this.#places[placeOf(id)] as DirtyKeys
  }

  /** Puts a value on record. `tags` are those that its entry gets once it is persisted. */
  set(
    id: string,
    value: unknown,
    ttlMs: number | undefined,
    tags: readonly string[],
    signal?: AbortSignal,
  ): Promise<void> {
    const { json, types } = encode(value)
    return this.#write(id, 's', `${JSON.stringify([types, ttlMs ?? null, tags])}\n${json}`, value, signal)
  }

  /** Puts a deletion on record; until it is persisted, readers see `null`. */
  delete(id: string, signal?: AbortSignal): Promise<void> {
    return this.#write(id, 'd', '', null, signal)
  }

  async #write(id: string, op: 's' | 'd', record: string, shown: unknown, signal?: AbortSignal): Promise<void> {
    const { redis, channel, write, encoding, name } = this.#room
    const place = this.#placeOf(id)
    const { dirty, due, writes, tries, state, dead } = place
    const keys = { dirty, due, writes, tries, state, dead, ...valueKeysOf(this.#room.keys, id) }
    const { delayMs, oldestMs, most } = write.behind
    const args = {
      ...{ id, op, record, shown: encodeFrame(shown, FOREVER_MS, [], 0, encoding), delayMs },
      ...{ most: Math.ceil(most / this.#places.length), oldestMs, channel },
    }
    let patience: AbortSignal | undefined
    for (;;) {
      const reply = await writeScript.run(redis, keys, args, WRITE)
      if (reply[0] === 'written') return this.#flusher.nudge(place)
      patience ??= AbortSignal.timeout(LONGEST_WAIT_MS)
      const end = signal === undefined ? patience : AbortSignal.any([patience, signal])
      try {
        // Who writes too much helps to persist, and waits for that.
        await this.#flusher.flush([place], end)
      } catch (error) {
        signal?.throwIfAborted()
        throw new WriteBehindFullError(name, reply[1], reply[2], error)
      }
    }
  }

  async frameOf(id: string): Promise<Buffer | null> {
    const { writes } = this.#placeOf(id)
    const record = await this.#room.redis.call(writes, 'HGET', [writes, id], READ)
    return record === null ? null : this.#frame(readRecord(id, record as Buffer))
  }

  async framesOf(ids: readonly string[]): Promise<readonly (Buffer | null)[]> {
    const byPlace = new Map<Key, string[]>()
    for (const id of ids) {
      const { writes } = this.#placeOf(id)
      const lot = byPlace.get(writes)
      if (lot === undefined) byPlace.set(writes, [id])
      else lot.push(id)
    }
    const frames = new Map<string, Buffer>()
    await Promise.all(
      [...byPlace].map(async ([writes, lot]) => {
        const records = (await this.#room.redis.call(
          writes,
          'HMGET',
          [writes, ...lot],
          READ,
        )) as readonly (Buffer | null)[]
        for (const [i, record] of records.entries()) {
          const id = lot[i] as string
          if (record !== null) frames.set(id, this.#frame(readRecord(id, record)))
        }
      }),
    )
    return ids.map((id) => frames.get(id) ?? null)
  }

  #frame(record: DirtyRecord): Buffer {
    const value = record.deleted ? null : contentOf(record).value
    return Buffer.from(encodeFrame(value, FOREVER_MS, [], 0, this.#room.encoding))
  }

  /** Persists all that is written by now. Throws the first error of `persist`. */
  flush(signal?: AbortSignal): Promise<void> {
    return this.#flusher.flush(undefined, signal)
  }

  async lag(): Promise<WriteLag> {
    const options = { operation: 'cache.lag', repeat: true }
    const all = await Promise.all(
      this.#places.map(({ dirty, dead }) => inspectScript.run(this.#room.redis, { dirty, dead }, {}, options)),
    )
    const sum = (pick: (of: (typeof all)[number]) => number) => all.reduce((total, of) => total + pick(of), 0)
    return { dirty: sum((of) => of[1]), oldestMs: Math.max(...all.map((of) => of[2])), dead: sum((of) => of[3]) }
  }

  /** Persists what it can, and ends. What is left is on record, for the next process. */
  async close(): Promise<void> {
    // Another process may be at it, and not come to an end.
    const end = AbortSignal.timeout(LONGEST_DRAIN_MS)
    await this.#flusher.flush(undefined, end).catch(this.#tell)
    await this.#flusher.stop()
  }
}

const WRITE = { operation: 'cache.set', repeat: true } as const
const READ = { operation: 'cache.get', repeat: true, bytes: true } as const

/** Persists records, and says what readers see of them then. */
class Persistence implements Persisting {
  readonly #room: BehindRoom
  /** Of the batch under way in each place: made before it is persisted, so that a tag that is invalidated after that ends them. */
  readonly #shown = new WeakMap<DirtyRecord, { readonly lifeMs: number; readonly frame: string | Buffer }>()

  constructor(room: BehindRoom) {
    this.#room = room
  }

  async prepare(records: readonly DirtyRecord[]): Promise<void> {
    const { refill, tags } = this.#room
    await Promise.all(
      records
        .filter(({ deleted }) => !deleted)
        .map(async (record) => {
          const { value, ttlMs, tags: given } = contentOf(record)
          const all = refill.tagsOf(record.id, value, given)
          const stamps = all.length === 0 ? [] : (await tags.begin(all, ttlMs)).stamps
          this.#shown.set(record, refill.frame(value, ttlMs, stamps))
        }),
    )
  }

  async persist(records: readonly DirtyRecord[]): Promise<void> {
    const { name, write } = this.#room
    const { timeoutMs } = write.behind
    const end = new AbortController()
    const persist = write.persist as (entries: readonly WrittenEntry<unknown>[], context: object) => unknown
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => {
        const late = new PersistTimeoutError(name, timeoutMs)
        end.abort(late)
        reject(late)
      }, timeoutMs)
      Promise.resolve()
        .then(() => persist(records.map(toWritten), { signal: end.signal }))
        .then(() => resolve(), reject)
        .finally(() => clearTimeout(timer))
    })
    for (const { id } of records) this.#room.forget(id)
  }

  shown(record: DirtyRecord): { readonly lifeMs: number; readonly frame: string | Buffer } {
    return this.#shown.get(record) ?? { lifeMs: 0, frame: '' }
  }

  keysOf(id: string): ValueKeys {
    return valueKeysOf(this.#room.keys, id)
  }
}

/** The write-behind of a cache that has it. */
export function demand(behind: WriteBehind | undefined, verb: string): WriteBehind {
  if (behind === undefined) throw new ConfigError('write.mode', `'behind', for ${verb}()`, undefined)
  return behind
}
