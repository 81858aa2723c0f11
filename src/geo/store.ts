import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import { cellOf } from './cells.ts'
import type { GeoKeys } from './keys.ts'
import { putScript, removeScript, removeSplitScript, swapScript } from './lua.generated.ts'
import { memberOf, packPosition, readPosition } from './record.ts'
import type { Position } from './sphere.ts'

/** Places of one script or command: 2 ms of the server. */
const LOT = 500

export interface Place extends Position {
  readonly id: string
}

interface Packed {
  readonly id: string
  readonly position: Buffer
  readonly cell: number
}

const ADDING = { operation: 'geo.add', repeat: true }
const REMOVING = { operation: 'geo.remove', repeat: true }
const GETTING = { operation: 'geo.get', repeat: true, bytes: true }

/** Runs `work` on the items of each part, in lots. */
async function byPart<T>(
  items: readonly T[],
  partOf: (item: T) => number,
  work: (part: number, lot: readonly T[]) => Promise<unknown>,
): Promise<void> {
  const parts = new Map<number, T[]>()
  for (const item of items) {
    const part = partOf(item)
    const known = parts.get(part)
    if (known === undefined) parts.set(part, [item])
    else known.push(item)
  }
  await Promise.all(
    [...parts].map(async ([part, own]) => {
      for (let at = 0; at < own.length; at += LOT) await work(part, own.slice(at, at + LOT))
    }),
  )
}

/**
 * Where places are, on the wire. A set that is not split is changed in one step. A split one is in three: the new cell knows a place first,
 * then its id says that it is there, then the old cell forgets it; what stands in a cell is true where the id says the same. So a place is at
 * one place at any time, and a process that dies in between leaves an entry of a cell behind that nobody is shown.
 */
export class GeoStore {
  readonly redis: Redis
  readonly keys: GeoKeys

  constructor(redis: Redis, keys: GeoKeys) {
    this.redis = redis
    this.keys = keys
  }

  async put(places: readonly Place[]): Promise<void> {
    const packed = places.map((place) => ({
      id: place.id,
      position: packPosition(place, this.keys.split),
      cell: cellOf(place),
    }))
    const { keys, redis } = this
    if (keys.split > 1) return this.#putSplit(packed)
    for (let at = 0; at < packed.length; at += LOT) {
      const lot = packed.slice(at, at + LOT)
      const words = lot.flatMap(({ id, position, cell }) => [id, position, String(cell)])
      await putScript.run(redis, { at: keys.at(0), cells: keys.cells(0) }, { places: words }, ADDING)
    }
  }

  async #putSplit(packed: readonly Packed[]): Promise<void> {
    const { keys, redis } = this
    await byPart(
      packed,
      ({ cell }) => keys.partOfCell(cell),
      (part, lot) => {
        const members = lot.flatMap(({ id, position, cell }) => [String(cell), memberOf(position, id)])
        return redis.call(keys.cells(part), 'ZADD', [keys.cells(part), ...members], ADDING)
      },
    )
    const left: Packed[] = []
    await byPart(
      packed,
      ({ id }) => keys.partOfId(id),
      async (part, lot) => {
        const places = lot.flatMap(({ id, position }) => [id, position])
        const [, ...before] = await swapScript.run(redis, { at: keys.at(part) }, { places }, ADDING)
        lot.forEach(({ id, position }, i) => {
          const was = before[i] as Buffer
          if (was.length > 0 && !was.equals(position)) left.push(this.#packed(id, was))
        })
      },
    )
    await this.#forget(left, ADDING)
  }

  async remove(ids: readonly string[]): Promise<void> {
    const { keys, redis } = this
    const left: Packed[] = []
    await byPart(
      ids,
      (id) => keys.partOfId(id),
      async (part, lot) => {
        if (keys.split === 1) {
          await removeScript.run(redis, { at: keys.at(0), cells: keys.cells(0) }, { ids: lot }, REMOVING)
          return
        }
        const [, ...before] = await removeSplitScript.run(redis, { at: keys.at(part) }, { ids: lot }, REMOVING)
        lot.forEach((id, i) => {
          const was = before[i] as Buffer
          if (was.length > 0) left.push(this.#packed(id, was))
        })
      },
    )
    await this.#forget(left, REMOVING)
  }

  #packed(id: string, position: Buffer): Packed {
    return { id, position, cell: cellOf(readPosition(position, this.keys.at(this.keys.partOfId(id)))) }
  }

  #forget(left: readonly Packed[], options: typeof ADDING): Promise<void> {
    const { keys, redis } = this
    return byPart(
      left,
      ({ cell }) => keys.partOfCell(cell),
      (part, lot) => {
        const members = lot.map(({ id, position }) => memberOf(position, id))
        return redis.call(keys.cells(part), 'ZREM', [keys.cells(part), ...members], options)
      },
    )
  }

  /** Where each of these is, as it is stored; nothing for those that are nowhere. */
  async positions(ids: readonly string[]): Promise<ReadonlyMap<string, Buffer>> {
    const found = new Map<string, Buffer>()
    await byPart(
      ids,
      (id) => this.keys.partOfId(id),
      async (part, lot) => {
        const key = this.keys.at(part)
        const reply = (await this.redis.call(key, 'HMGET', [key, ...lot], GETTING)) as readonly Reply[]
        reply.forEach((bytes, i) => {
          if (bytes !== null) found.set(lot[i] as string, bytes as Buffer)
        })
      },
    )
    return found
  }
}
