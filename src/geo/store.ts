import { TimeoutError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import { cellOf } from './cells.ts'
import type { GeoKeys } from './keys.ts'
import { putScript, removeScript, removeSplitScript, standScript, swapScript } from './lua.generated.ts'
import { bytesOf, memberOf, packPosition, readPosition, readStamp } from './record.ts'
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
const LOOKING = { operation: 'geo.nearby', repeat: true }
/** The second step of a move is refused this long after its first one, and begun anew: far more than a call takes. */
const LATE_S = 60
const TRIES = 3

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
 * one place at any time. A process that dies in between leaves an entry of a cell behind that nobody is shown, and that the first search which
 * meets it clears away, once it is so old that no id will be let confirm it.
 */
export class GeoStore {
  readonly keys: GeoKeys
  readonly redis: Redis
  readonly #lateS: number
  /** How far servers are ahead of the clock of this process, as one of them said that was late by it. */
  #aheadMs = 0

  constructor(redis: Redis, keys: GeoKeys, lateS: number = LATE_S) {
    this.redis = redis
    this.keys = keys
    this.#lateS = lateS
  }

  async put(places: readonly Place[]): Promise<void> {
    const { keys, redis } = this
    if (keys.split > 1) return this.#putSplit(places)
    const packed = this.#pack(places, 0)
    for (let at = 0; at < packed.length; at += LOT) {
      const lot = packed.slice(at, at + LOT)
      const words = lot.flatMap(({ id, position, cell }) => [id, position, String(cell)])
      await putScript.run(redis, { at: keys.at(0), cells: keys.cells(0) }, { places: words }, ADDING)
    }
  }

  #pack(places: readonly Place[], nowMs: number): readonly Packed[] {
    return places.map((place) => ({
      id: place.id,
      position: packPosition(place, this.keys.split, nowMs),
      cell: cellOf(place),
    }))
  }

  /** By so few at a time that the second step is not late for those who waited for their turn. */
  async #putSplit(places: readonly Place[]): Promise<void> {
    const most = LOT * this.keys.split
    for (let at = 0; at < places.length; at += most) {
      const left: Packed[] = []
      let lot = places.slice(at, at + most)
      let nowMs = this.#nowMs
      for (let tries = 0; lot.length > 0; tries++) {
        if (tries === TRIES) throw new TimeoutError(ADDING.operation, this.redis.timeoutMs, true)
        const late = await this.#move(lot, nowMs, left)
        lot = late.places
        nowMs = late.nowMs
      }
      await this.#forget(left, ADDING)
    }
  }

  /** The first two steps. Adds what cells have to forget to `left`; answers who was late, and what time it is there. */
  async #move(places: readonly Place[], nowMs: number, left: Packed[]): Promise<{ places: Place[]; nowMs: number }> {
    const { keys, redis } = this
    const packed = this.#pack(places, nowMs)
    await byPart(
      packed,
      ({ cell }) => keys.partOfCell(cell),
      (part, lot) => {
        const members = lot.flatMap(({ id, position, cell }) => [String(cell), memberOf(position, id)])
        return redis.call(keys.cells(part), 'ZADD', [keys.cells(part), ...members], ADDING)
      },
    )
    const late = { places: [] as Place[], nowMs }
    const byId = new Map(places.map((place) => [place.id, place]))
    await byPart(
      packed,
      ({ id }) => keys.partOfId(id),
      async (part, lot) => {
        const args = { lateS: this.#lateS, places: lot.flatMap(({ id, position }) => [id, position]) }
        const [word, ...reply] = await swapScript.run(redis, { at: keys.at(part) }, args, ADDING)
        if (word === 'late') {
          late.nowMs = 1_000 * (reply[0] as number)
          this.#aheadMs = late.nowMs - redis.serverNowMs()
          late.places.push(...lot.map(({ id }) => byId.get(id) as Place))
          // Not before the next attempt has confirmed another: an answer that was lost may have confirmed this one.
          left.push(...lot)
          return
        }
        lot.forEach(({ id, position }, i) => {
          const was = reply[i] as Buffer
          if (was.length > 0 && !was.equals(position)) left.push(this.#packed(id, was))
        })
      },
    )
    return late
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

  /**
   * Of entries of cells in a split set, those whose ids say the same, and how many others there were that cells have forgotten now: what a
   * move or a removal left behind that broke off.
   */
  async standing(entries: readonly Buffer[]): Promise<{ readonly kept: readonly Buffer[]; readonly cleared: number }> {
    const bytes = bytesOf(this.keys.split)
    const told = entries.map((entry) => ({
      entry,
      id: entry.toString('utf8', bytes),
      position: entry.subarray(0, bytes),
    }))
    const positions = await this.positions(told.map(({ id }) => id))
    const isThere = ({ id, position }: (typeof told)[0]) => positions.get(id)?.equals(position) === true
    const kept = told.filter(isThere).map(({ entry }) => entry)
    // Most of the others are on their way: only who looks old enough is asked for.
    const oldestS = this.#nowMs / 1_000 - this.#lostS
    const old = told.filter((one) => !isThere(one) && readStamp(one.position) < oldestS)
    // A search does not fail for what it could not tidy up.
    return { kept, cleared: old.length === 0 ? 0 : await this.#clear(old).catch(() => 0) }
  }

  /** Lets cells forget those of these entries that no id will confirm; how many. */
  async #clear(entries: readonly { readonly id: string; readonly position: Buffer }[]): Promise<number> {
    const { keys, redis } = this
    const lost: Packed[] = []
    await byPart(
      entries,
      ({ id }) => keys.partOfId(id),
      async (part, lot) => {
        const args = { lostS: this.#lostS, entries: lot.flatMap(({ id, position }) => [id, position]) }
        const [, ...verdicts] = await standScript.run(redis, { at: keys.at(part) }, args, LOOKING)
        lot.forEach(({ id, position }, i) => {
          if (verdicts[i] === -1) lost.push(this.#packed(id, position))
        })
      },
    )
    await this.#forget(lost, LOOKING)
    return lost.length
  }

  /** Twice as long as a second step is taken, by the same clock: one that a failover has set back a little changes nothing. */
  get #lostS(): number {
    return 2 * this.#lateS
  }

  get #nowMs(): number {
    return this.redis.serverNowMs() + this.#aheadMs
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
