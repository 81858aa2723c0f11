import type { Position, Rectangle } from './sphere.ts'

/**
 * The world, poles included, halved 26 times each way into cells of at most 0.6 m. A cell's number is its column and row, bit by bit in
 * turns: so every square of cells is one range of numbers, which a sorted set finds.
 */
const BITS = 26
const SIDE = 2 ** BITS
/** Ranges that one search is cut into at most: more fit the shape better, and each costs the server 2 µs. */
const MOST_CELLS = 48

/** Cells whose places lie in one part: 0.35° by 0.18°, at the equator 39 km by 20 km. */
export const PART_BITS = 10

/** Numbers of cells, both ends included. */
export interface Range {
  readonly first: number
  readonly last: number
}

const columnOf = (lon: number): number =>
  Math.min(SIDE - 1, Math.floor((((lon === 180 ? -180 : lon) + 180) / 360) * SIDE))
const rowOf = (lat: number): number => Math.min(SIDE - 1, Math.floor(((lat + 90) / 180) * SIDE))

export const cellOf = ({ lon, lat }: Position): number => interleave(columnOf(lon), rowOf(lat))

/** The square that decides in which part a cell lies. */
export const squareOf = (cell: number): number => Math.floor(cell / 4 ** (BITS - PART_BITS))

function interleave(column: number, row: number): number {
  const half = 13
  const mask = (1 << half) - 1
  const high = spread(column >>> half) | (spread(row >>> half) << 1)
  const low = spread(column & mask) | (spread(row & mask) << 1)
  return high * 2 ** (2 * half) + low
}

/** A number of 13 bits with a free place before each. */
function spread(bits: number): number {
  let n = bits
  n = (n | (n << 8)) & 0x00ff00ff
  n = (n | (n << 4)) & 0x0f0f0f0f
  n = (n | (n << 2)) & 0x33333333
  return (n | (n << 1)) & 0x55555555
}

/** The squares of one size that cover a rectangle: as small as so few can be. */
export interface Cover {
  /** How often the world is halved each way for a square. */
  readonly bits: number
  readonly ranges: readonly Range[]
}

export function coverOf(rectangle: Rectangle): Cover {
  const rows = [rowOf(rectangle.south), rowOf(rectangle.north)] as const
  const strips = columnsOf(rectangle)
  let bits = BITS
  while (countOf(strips, rows, bits) > MOST_CELLS) bits--
  const scale = 2 ** (BITS - bits)
  const size = scale * scale
  const firsts = new Set<number>()
  for (const [west, east] of strips)
    for (let column = Math.floor(west / scale); column <= Math.floor(east / scale); column++)
      for (let row = Math.floor(rows[0] / scale); row <= Math.floor(rows[1] / scale); row++)
        firsts.add(interleave(column * scale, row * scale))
  const ranges = [...firsts].sort((a, b) => a - b).map((first) => ({ first, last: first + size - 1 }))
  return { bits, ranges }
}

/** Columns from west to east, in two strips where the antimeridian lies between. */
function columnsOf({ west, width }: Rectangle): readonly (readonly [number, number])[] {
  if (width >= 360) return [[0, SIDE - 1]]
  const east = west + width
  if (east < 180) return [[columnOf(west), columnOf(east)]]
  return [
    [west === 180 ? 0 : columnOf(west), SIDE - 1],
    [0, columnOf(Math.min(180, east - 360))],
  ]
}

function countOf(
  strips: readonly (readonly [number, number])[],
  rows: readonly [number, number],
  bits: number,
): number {
  const scale = 2 ** (BITS - bits)
  const tall = Math.floor(rows[1] / scale) - Math.floor(rows[0] / scale) + 1
  return strips.reduce((sum, [west, east]) => sum + (Math.floor(east / scale) - Math.floor(west / scale) + 1) * tall, 0)
}

/** Ranges that follow each other as one. */
export function joined(ranges: readonly Range[]): readonly Range[] {
  const out: Range[] = []
  for (const range of ranges) {
    const last = out.at(-1)
    if (last !== undefined && last.last + 1 === range.first)
      out[out.length - 1] = { first: last.first, last: range.last }
    else out.push(range)
  }
  return out
}
