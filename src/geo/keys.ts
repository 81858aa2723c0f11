import type { Key, Keyspace } from '../redis/keyspace.ts'
import { slotOf } from '../redis/slots.ts'
import { squareOf } from './cells.ts'

/**
 * The keys of one set of places, without an end. Without `split` there is one part, of one hash tag. For the set `venues` in the namespace
 * `shop`:
 *
 *     {shop:geo:venues:0/1}:at     hash  by id where it is: longitude and latitude, eight bytes each
 *     {shop:geo:venues:0/1}:cells  zset  where it is and its id, by the number of its cell
 *
 * With `split`, an id's place in `at` is by the id, and that in `cells` by where it is; both have a stamp of four bytes after
 * the latitude, when it was put there, and a token of four.
 */
export class GeoKeys {
  readonly split: number
  readonly #tags: readonly Key[]
  /** A pattern over all keys of this set, for the manifest of rights. */
  readonly pattern: string

  constructor(keyspace: Keyspace, name: string, split: number) {
    this.split = split
    this.#tags = Array.from({ length: split }, (_, part) => keyspace.entity('geo', name, `${part}/${split}`))
    this.pattern = `{${keyspace.stem('geo', name)}*`
  }

  at(part: number): Key {
    return `${this.#tags[part]}:at` as Key
  }

  cells(part: number): Key {
    return `${this.#tags[part]}:cells` as Key
  }

  /** The part that knows where an id is. */
  partOfId(id: string): number {
    return this.split === 1 ? 0 : slotOf(id) % this.split
  }

  /** The part of a cell: neighbouring squares lie in different ones. */
  partOfCell(cell: number): number {
    return this.split === 1 ? 0 : (Math.imul(squareOf(cell), 0x9e3779b1) >>> 8) % this.split
  }
}
