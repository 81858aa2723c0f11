import { checkFunction, checkInteger, checkKnown, isChosen } from '../base/check.ts'
import { decode } from '../base/codec.ts'
import type { DirtyKeys, ValueKeys } from '../dirty/keys.ts'
import { redriveScript } from '../dirty/lua.generated.ts'
import { type DirtyRecord, readDeadRecord } from '../dirty/record.ts'
import type { Redis } from '../redis/redis.ts'
import { type CacheKeys, placeOf } from './keys.ts'
import { checkIds } from './options.ts'
import type { WrittenEntry } from './write-options.ts'

/** A write that was given up. */
export type DeadWrite<T> = WrittenEntry<T> & {
  /** The message of the last error. */
  readonly error: string
  /** How often it failed by itself. */
  readonly attempts: number
  /** When it was given up, in ms of the server's clock. */
  readonly diedAtMs: number
}

/** Which writes that were given up. */
export interface DeadWriteSelection<T> {
  /** These alone. Default: all. */
  readonly ids?: readonly string[]
  /** Of those, which. Default: all. */
  readonly filter?: (write: DeadWrite<T>) => boolean
}

/** An id, some, or a selection. */
export type WhichWrites<T> = string | readonly string[] | DeadWriteSelection<T>

export interface DeadWritesOptions<T> extends DeadWriteSelection<T> {
  /** Most that are answered. 1 to 10,000, default 100. */
  readonly limit?: number
}

/** What the writer put on record of one value. */
export interface Content {
  readonly value: unknown
  readonly ttlMs: number | undefined
  readonly tags: readonly string[]
}

interface DeadRoom {
  readonly redis: Redis
  readonly keys: CacheKeys
  forget(id: string): void
}

const SCAN = { operation: 'cache.deadWrites', repeat: true, bytes: true } as const
/** Of one command. */
const MOST_PURGED = 500

/** The writes of a cache that were given up: seen, persisted after all, or forgotten. */
export class DeadWrites {
  readonly #room: DeadRoom
  readonly #nudge: (place: DirtyKeys) => void

  /** `nudge`: has what is dirty there persisted. */
  constructor(room: DeadRoom, nudge: (place: DirtyKeys) => void) {
    this.#room = room
    this.#nudge = nudge
  }

  async list<T>(options: DeadWritesOptions<T> = {}): Promise<readonly DeadWrite<T>[]> {
    checkKnown('options', options, ['ids', 'filter', 'limit'])
    const limit = checkInteger('limit', options.limit ?? 100, 1, 10_000)
    return this.#select(options, limit)
  }

  /** Has them persisted after all, but for those that a later write of their id has ended. Answers how many. */
  async redrive<T>(which: WhichWrites<T>): Promise<number> {
    const { redis, keys, forget } = this.#room
    const ids = await this.#idsOf(which)
    const options = { operation: 'cache.redrive', repeat: true }
    const words = await Promise.all(
      ids.map(async (id) => {
        const place = keys.places[placeOf(id)] as DirtyKeys
        const { dirty, due, writes, dead } = place
        const script = { dirty, due, writes, dead, ...valueKeysOf(keys, id) }
        const [word] = await redriveScript.run(redis, script, { id }, options)
        forget(id)
        if (word === 'redriven') this.#nudge(place)
        return word
      }),
    )
    return words.filter((word) => word === 'redriven').length
  }

  /** Forgets them. Answers how many. */
  async purge<T>(which: WhichWrites<T>): Promise<number> {
    const ids = await this.#idsOf(which)
    const counts = await Promise.all(
      this.#room.keys.places.map(async ({ dead }, place) => {
        const own = ids.filter((id) => placeOf(id) === place)
        let count = 0
        for (let at = 0; at < own.length; at += MOST_PURGED) {
          const args = [dead, ...own.slice(at, at + MOST_PURGED)]
          count += Number(await this.#room.redis.call(dead, 'HDEL', args, { operation: 'cache.purge', repeat: true }))
        }
        return count
      }),
    )
    return counts.reduce((sum, count) => sum + count, 0)
  }

  async #idsOf<T>(which: WhichWrites<T>): Promise<readonly string[]> {
    if (typeof which === 'string' || Array.isArray(which)) return checkIds(which as string | readonly string[])
    // An id that is a number, say, must not stand for all of them.
    checkKnown('which', which, ['ids', 'filter'])
    const { ids, filter } = which as DeadWriteSelection<T>
    if (ids !== undefined && filter === undefined) return checkIds(ids)
    return (await this.#select(which as DeadWriteSelection<T>, Number.POSITIVE_INFINITY)).map(({ id }) => id)
  }

  async #select<T>({ ids, filter }: DeadWriteSelection<T>, limit: number): Promise<DeadWrite<T>[]> {
    const wanted = ids === undefined ? undefined : new Set(checkIds(ids))
    checkFunction('filter', filter)
    const found = new Map<string, DeadWrite<T>>()
    for (const { dead } of this.#room.keys.places)
      for (let cursor = '0', first = true; (first || cursor !== '0') && found.size < limit; first = false) {
        const reply = await this.#room.redis.call(dead, 'HSCAN', [dead, cursor, 'COUNT', 100], SCAN)
        const [next, flat] = reply as unknown as readonly [Buffer, readonly Buffer[]]
        cursor = String(next)
        for (let i = 0; i + 1 < flat.length && found.size < limit; i += 2) {
          const { diedAtMs, error, record } = readDeadRecord(String(flat[i]), flat[i + 1] as Buffer)
          if (wanted?.has(record.id) === false) continue
          const write = { ...(toWritten(record) as WrittenEntry<T>), error, attempts: record.tries, diedAtMs }
          if (isChosen(filter, write)) found.set(record.id, write)
        }
      }
    return [...found.values()]
  }
}

export const valueKeysOf = (keys: CacheKeys, id: string): ValueKeys => {
  const value = keys.entry(id)
  return { value, lease: keys.leaseOf(value), fence: keys.fenceOf(value) }
}

export function contentOf({ payload }: DirtyRecord): Content {
  const end = payload.indexOf(10)
  const [types, ttlMs, tags] = JSON.parse(payload.toString('utf8', 0, end)) as [string, number | null, string[]]
  return { value: decode(payload.toString('utf8', end + 1), types), ttlMs: ttlMs ?? undefined, tags }
}

export function toWritten(record: DirtyRecord): WrittenEntry<unknown> {
  const { id } = record
  const version = BigInt(record.version)
  return record.deleted
    ? { id, deleted: true, value: undefined, version }
    : { id, deleted: false, value: contentOf(record).value, version }
}
