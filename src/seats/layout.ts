import { createHash } from 'node:crypto'
import type { SeatState, Section } from './outcomes.ts'

/** What is agreed about an event when it is created, and never changes. */
export interface LayoutTerms {
  readonly currency: string
  /** Seats one customer may hold and own; 0 for any number. */
  readonly perCustomer: number
  readonly sections: readonly Section[]
  readonly blocked: readonly string[]
}

interface Block extends Section {
  /** Cell of its first seat. */
  readonly start: number
  /** Cell after its last seat. */
  readonly end: number
}

export type Wanted =
  | { readonly cells: readonly number[] }
  | { readonly reason: 'empty' | 'duplicate' | 'too-many' | 'unknown-seat'; readonly seat?: string }

/** Most seats of one hold: bounds the time of a script. */
const MOST_SEATS = 64

/** The bar between two rows of the map, so that no run of free seats crosses one. */
const BAR = '|'
const STATES: Readonly<Record<string, SeatState>> = {
  '.': 'free',
  h: 'held',
  o: 'offered',
  s: 'sold',
  x: 'blocked',
}

/** Seats by name and seats by place: `A-1-7` is a cell of the map. Everything else that is agreed stands here too. */
export class Layout {
  /** Hash of all that is agreed: two layouts of one tag are the same. */
  readonly tag: string
  readonly json: string
  readonly currency: string
  readonly perCustomer: number
  readonly sections: readonly Section[]
  readonly seats: number
  readonly blocked: number
  /** The map of the empty house. */
  readonly emptyMap: string
  readonly #blocks: readonly Block[]
  readonly #byName: ReadonlyMap<string, Block>

  constructor(terms: LayoutTerms) {
    this.currency = terms.currency
    this.perCustomer = terms.perCustomer
    this.sections = terms.sections
    const blocks: Block[] = []
    let start = 0
    for (const section of terms.sections) {
      const end = start + section.rows * (section.seatsPerRow + 1) - 1
      blocks.push({ ...section, start, end })
      start = end + 1
    }
    this.#blocks = blocks
    this.#byName = new Map(blocks.map((block) => [block.name, block]))
    this.seats = blocks.reduce((sum, { rows, seatsPerRow }) => sum + rows * seatsPerRow, 0)
    const blocked = terms.blocked.map((seat) => this.cellOf(seat) ?? -1).sort((a, b) => a - b)
    this.blocked = blocked.length
    this.emptyMap = this.#drawMap(blocked)
    this.json = JSON.stringify({
      currency: terms.currency,
      perCustomer: terms.perCustomer,
      sections: terms.sections.map(({ name, rows, seatsPerRow, price }) => ({ name, rows, seatsPerRow, price })),
      blocked: blocked.map((cell) => this.seatAt(cell)),
    })
    this.tag = createHash('sha256').update(this.json).digest('base64url').slice(0, 16)
  }

  static parse(json: string): Layout {
    return new Layout(JSON.parse(json) as LayoutTerms)
  }

  #drawMap(blocked: readonly number[]): string {
    const rows = this.#blocks.flatMap(({ rows, seatsPerRow }) => Array<string>(rows).fill('.'.repeat(seatsPerRow)))
    const cells = Buffer.from(rows.join(BAR))
    for (const cell of blocked) cells[cell] = 'x'.charCodeAt(0)
    return cells.toString()
  }

  /** The cell of `section-row-seat`, or undefined for a seat that does not exist. A section's name may hold `-` itself. */
  cellOf(seat: string): number | undefined {
    const second = seat.lastIndexOf('-')
    const first = seat.lastIndexOf('-', second - 1)
    if (first < 0 || second < 1) return undefined
    const block = this.#byName.get(seat.slice(0, first))
    if (block === undefined) return undefined
    const row = ordinal(seat, first + 1, second)
    const place = ordinal(seat, second + 1, seat.length)
    if (row < 1 || row > block.rows || place < 1 || place > block.seatsPerRow) return undefined
    return block.start + (row - 1) * (block.seatsPerRow + 1) + place - 1
  }

  /** The cells of the seats that a request names, ascending, or what is wrong with it. */
  find(seats: readonly string[]): Wanted {
    if (seats.length === 0) return { reason: 'empty' }
    if (seats.length > MOST_SEATS) return { reason: 'too-many' }
    const cells: number[] = []
    for (const seat of seats) {
      const cell = this.cellOf(seat)
      if (cell === undefined) return { reason: 'unknown-seat', seat }
      cells.push(cell)
    }
    cells.sort((a, b) => a - b)
    for (let i = 1; i < cells.length; i++)
      if (cells[i] === cells[i - 1]) return { reason: 'duplicate', seat: this.seatAt(cells[i] as number) }
    return { cells }
  }

  /** The name of the seat at a cell; undefined for a bar, or outside. */
  seatAt(cell: number): string {
    const block = this.#blockAt(cell)
    const within = cell - block.start
    const width = block.seatsPerRow + 1
    return `${block.name}-${Math.floor(within / width) + 1}-${(within % width) + 1}`
  }

  #blockAt(cell: number): Block {
    let low = 0
    let high = this.#blocks.length - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if (cell < (this.#blocks[middle] as Block).end) high = middle
      else low = middle + 1
    }
    return this.#blocks[low] as Block
  }

  /** What these seats cost together. */
  amountOf(cells: readonly number[]): number {
    let amount = 0
    for (const cell of cells) amount += this.#blockAt(cell).price
    return amount
  }

  namesOf(cells: readonly number[]): string[] {
    return cells.map((cell) => this.seatAt(cell))
  }

  /** Every seat with its letter in `map`, row by row. */
  *seatsOf(map: string): Generator<{ id: string; state: SeatState; section: string; price: number }> {
    for (const { name, rows, seatsPerRow, price, start } of this.#blocks) {
      let cell = start
      for (let row = 1; row <= rows; row++, cell++)
        for (let place = 1; place <= seatsPerRow; place++, cell++)
          yield {
            id: `${name}-${row}-${place}`,
            state: STATES[map[cell] as string] ?? 'blocked',
            section: name,
            price,
          }
    }
  }
}

/** The whole number from 1 that stands in `text` between two places, without a leading zero; 0 for anything else. */
function ordinal(text: string, from: number, to: number): number {
  if (to - from < 1 || to - from > 7 || text.charCodeAt(from) === 48) return 0
  let value = 0
  for (let i = from; i < to; i++) {
    const digit = text.charCodeAt(i) - 48
    if (digit < 0 || digit > 9) return 0
    value = value * 10 + digit
  }
  return value
}
