import { unpackCells } from './cells.ts'
import { type LogEntry, readEntry } from './feed.ts'
import { customerOf, holdOf } from './keys.ts'
import type { Layout } from './layout.ts'
import type { HoldState } from './record.ts'

/** A hold as the log tells it. */
export interface LoggedHold {
  readonly customer: string | undefined
  readonly packed: string
  state: HoldState
  endedAtMs: number
  /** With what it was bought; only where it was. */
  payment?: string
}

const LETTER: Readonly<Record<HoldState, string>> = { held: 'h', confirmed: 's', released: '.', expired: '.' }

/**
 * Plays the log of an event from its beginning, entry by entry: each step must fit the one before. Up to the version of a map it
 * gives the map as it must be; what comes after tells what has been touched since.
 */
export class Replay {
  readonly holds = new Map<string, LoggedHold>()
  /** Holds and customers that changed after `upTo`: what is read of them may be of either time. */
  readonly touched = new Set<string>()
  readonly touchedCustomers = new Set<string>()
  readonly touchedCells = new Set<number>()
  readonly #layout: Layout
  readonly #upTo: number
  readonly #tell: (problem: string) => void
  /** Letters of the map; `?` where the entries that would tell were trimmed away. */
  readonly #cells: string[]
  #last: number | undefined
  #whole = true

  constructor(
    layout: Layout,
    upTo: number,
    bornVersion: number,
    mayBeTrimmed: boolean,
    tell: (problem: string) => void,
  ) {
    this.#layout = layout
    this.#upTo = upTo
    this.#tell = tell
    this.#born = bornVersion
    this.#mayBeTrimmed = mayBeTrimmed
    this.#cells = [...layout.emptyMap]
  }

  readonly #born: number
  readonly #mayBeTrimmed: boolean

  /** True when the log begins with the creation: then every hold must stand in it. */
  get whole(): boolean {
    return this.#whole
  }

  /** The version of the entry played last. */
  get last(): number | undefined {
    return this.#last
  }

  play(entry: LogEntry): void {
    const { version, fields } = readEntry(entry)
    const kind = fields.get('kind') ?? ''
    if (this.#last === undefined) this.#begin(version, kind)
    else if (version !== this.#last + 1) this.#tell(`the log has a gap between ${this.#last} and ${version}`)
    this.#last = version
    if (kind === 'created' || kind === 'paused' || kind === 'resumed') return
    const hold = holdOf(fields.get('hold') ?? '')
    const packed = fields.get('cells') ?? ''
    const cells = unpackCells(packed)
    if (hold === undefined || cells === undefined) return this.#tell(`entry ${version} of the log cannot be read`)
    if (kind === 'held') this.#hold(version, hold, packed, cells, customerOf(fields.get('by') ?? ''))
    else if (kind === 'confirmed' || kind === 'released' || kind === 'expired')
      this.#end(version, hold, packed, cells, kind, Number(fields.get('at')), fields.get('by') ?? '')
    else this.#tell(`entry ${version} of the log is of an unknown kind '${kind}'`)
  }

  #begin(version: number, kind: string): void {
    if (kind === 'created' && version === this.#born) return
    this.#whole = false
    this.#cells.forEach((letter, cell) => {
      if (letter === '.') this.#cells[cell] = '?'
    })
    if (!this.#mayBeTrimmed) this.#tell(`the log begins at ${version}, and the event at ${this.#born}`)
  }

  #hold(version: number, hold: string, packed: string, cells: readonly number[], customer: string | undefined): void {
    if (this.holds.has(hold)) this.#tell(`entry ${version}: hold '${hold}' is held twice`)
    this.#step(version, 'held', hold, cells, '.', 'h')
    this.holds.set(hold, { customer, packed, state: 'held', endedAtMs: 0 })
    this.#touch(version, hold, customer)
  }

  #end(
    version: number,
    hold: string,
    packed: string,
    cells: readonly number[],
    state: Exclude<HoldState, 'held'>,
    atMs: number,
    by: string,
  ): void {
    const known = this.holds.get(hold)
    if (known === undefined) {
      if (this.#whole) this.#tell(`entry ${version}: hold '${hold}' is ${state} and was never held`)
      this.holds.set(hold, { customer: undefined, packed, state, endedAtMs: atMs, payment: by })
    } else {
      if (known.state !== 'held')
        this.#tell(`entry ${version}: hold '${hold}' is ${state} and was ${known.state} before`)
      if (known.packed !== packed) this.#tell(`entry ${version}: hold '${hold}' ends with other seats than it held`)
      known.state = state
      known.endedAtMs = atMs
      known.payment = by
    }
    this.#step(version, state, hold, cells, 'h', LETTER[state])
    this.#touch(version, hold, known?.customer)
  }

  #step(version: number, kind: string, hold: string, cells: readonly number[], from: string, to: string): void {
    for (const cell of cells) {
      if (version > this.#upTo) {
        this.touchedCells.add(cell)
        continue
      }
      const letter = this.#cells[cell]
      if (letter !== from && letter !== '?')
        this.#tell(`entry ${version}: ${this.#layout.seatAt(cell)} is ${kind} by '${hold}' and was '${letter}' before`)
      this.#cells[cell] = to
    }
  }

  #touch(version: number, hold: string, customer: string | undefined): void {
    if (version <= this.#upTo) return
    this.touched.add(hold)
    if (customer !== undefined) this.touchedCustomers.add(customer)
  }

  /** What the log says of a cell at `upTo`; undefined where it says nothing. */
  letterAt(cell: number): string | undefined {
    const letter = this.#cells[cell]
    return letter === '?' ? undefined : letter
  }
}
