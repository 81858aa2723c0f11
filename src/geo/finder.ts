import { coverOf, joined, PART_BITS, type Range } from './cells.ts'
import { findScript } from './lua.generated.ts'
import type { Search } from './options.ts'
import { bytesOf, readPosition } from './record.ts'
import { distanceM } from './sphere.ts'
import type { GeoStore } from './store.ts'

/** A place that was found. */
export interface Nearby {
  readonly id: string
  readonly lon: number
  readonly lat: number
  /** From where was asked, in the unit that was asked for. */
  readonly distance: number
}

/** Places of one script to look at: some 10 ms of the server. */
const LOOKS = 5_000
/** Places that one part is asked for: more than anybody may ask for, and fewer than Lua can answer. */
const MOST_WANTED = 7_000
const SIGNS = { near: 1, far: -1, any: 0 } as const
const FINDING = { operation: 'geo.nearby', repeat: true }

/** The places of a shape, sorted and cut, from all parts that may have any. */
export async function findPlaces(store: GeoStore, search: Search): Promise<readonly Nearby[]> {
  const { limit, order } = search
  for (let wanted = limit; ; wanted = Math.min(MOST_WANTED, 2 * wanted)) {
    const lots = await Promise.all(
      rangesByPart(store, search).map(async ([part, ranges]) =>
        distinct(await findIn(store, search, part, ranges, wanted)),
      ),
    )
    const members = lots.flat()
    // Of a split set, an id says itself where it is.
    const { kept, cleared } = store.keys.split === 1 ? { kept: members, cleared: 0 } : await store.standing(members)
    const standing = new Set(kept)
    // What is left of moves took room in the answer of a part, behind which others may stand: the next one has more.
    const isShort = lots.some((lot) => lot.length >= wanted && lot.filter((one) => standing.has(one)).length < limit)
    if (isShort && (wanted < MOST_WANTED || cleared > 0)) continue
    const places = kept.map((member) => place(store, search, member))
    if (order !== 'any')
      places.sort((a, b) => (order === 'near' ? 1 : -1) * (a.distance - b.distance) || (a.id < b.id ? -1 : 1))
    return places.slice(0, limit)
  }
}

/** A run of a script goes on with a cell that the one before it may have told some of. */
const distinct = (members: readonly Buffer[]): readonly Buffer[] => [
  ...new Map(members.map((member) => [member.toString('latin1'), member])).values(),
]

/** Which numbers of cells each part is asked for. */
function rangesByPart({ keys }: GeoStore, { rectangle }: Search): readonly (readonly [number, readonly Range[]])[] {
  const { bits, ranges } = coverOf(rectangle)
  if (keys.split === 1) return [[0, joined(ranges)]]
  // Squares larger than those that decide of the part lie in many of them.
  if (bits < PART_BITS) return Array.from({ length: keys.split }, (_, part) => [part, joined(ranges)] as const)
  const parts = new Map<number, Range[]>()
  for (const range of ranges) {
    const part = keys.partOfCell(range.first)
    parts.set(part, [...(parts.get(part) ?? []), range])
  }
  return [...parts].map(([part, own]) => [part, joined(own)] as const)
}

/** The best places of one part, in as many runs as it takes: each looks at so many and no more. */
async function findIn(
  { redis, keys }: GeoStore,
  { from, rectangle, most, order }: Search,
  part: number,
  ranges: readonly Range[],
  limit: number,
): Promise<readonly Buffer[]> {
  const found: Buffer[] = []
  let left = ranges
  for (;;) {
    const args = {
      ...{ lon: String(from.lon), lat: String(from.lat), most: String(most) },
      ...{ west: String(rectangle.west), width: String(rectangle.width) },
      ...{ south: String(rectangle.south), north: String(rectangle.north) },
      ...{ limit, sign: SIGNS[order], looks: LOOKS },
      cells: left.flatMap(({ first, last }) => [String(first), String(last)]),
    }
    const reply = await findScript.run(redis, { cells: keys.cells(part) }, args, FINDING)
    if (reply[0] === 'found') return [...found, ...reply.slice(1)] as Buffer[]
    const [, done, cell, ...members] = reply
    found.push(...members)
    if (order === 'any' && found.length >= limit) return found
    const [next, ...after] = left.slice(done) as [Range, ...Range[]]
    left = [{ first: Number(cell), last: next.last }, ...after]
  }
}

function place(store: GeoStore, { from, metres }: Search, member: Buffer): Nearby {
  const position = readPosition(member, store.keys.cells(0))
  return {
    id: member.toString('utf8', bytesOf(store.keys.split)),
    ...position,
    distance: distanceM(from, position) / metres,
  }
}
