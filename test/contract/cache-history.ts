/**
 * A history of what happened to a cache, and the judge of it.
 *
 * Everything runs in one process, so one counter orders all events. A value carries when the database was read for it, or when
 * the `set` that wrote it was acknowledged. The rule: a get that starts after an invalidation was acknowledged (a `set` is one
 * too) must not answer a value that was read, or whose `set` was acknowledged, before that invalidation began.
 */
export interface Row {
  readonly id: string
  readonly version: number
  readonly group: string
  /** When the database was read, or the `set` called. */
  readonly at: number
  /** The number of the `set` that wrote it; 0 for a loaded one. */
  readonly writtenBy: number
}

export interface Violation {
  readonly id: string
  readonly why: string
  readonly value: Row
}

/** An acknowledged invalidation: when it began, and when it was acknowledged, in ms. */
interface Floor {
  readonly began: number
  readonly ackMs: number
}

/** What a get may not be answered with, noted when it starts. */
export type Expectation = (value: Row) => Violation | undefined

export class History {
  readonly violations: Violation[] = []
  readonly #rows = new Map<string, { version: number; group: string }>()
  readonly #keyFloors = new Map<string, Floor[]>()
  readonly #tagFloors = new Map<string, Floor[]>()
  readonly #setAcks = new Map<number, number>()
  #tick = 0
  #sets = 0

  now(): number {
    return ++this.#tick
  }

  /** The database changes. */
  write(id: string, group: string): void {
    const version = (this.#rows.get(id)?.version ?? 0) + 1
    this.#rows.set(id, { version, group })
  }

  /** The database is read. */
  read(id: string): Row {
    const { version, group } = this.#rows.get(id) ?? { version: 0, group: 'a' }
    return { id, version, group, at: this.now(), writtenBy: 0 }
  }

  /** A row for `set`, and what to call when it was acknowledged. */
  beginSet(id: string): { readonly row: Row; acknowledge(): void } {
    const number = ++this.#sets
    const row = { ...this.read(id), writtenBy: number }
    return {
      row,
      acknowledge: () => {
        this.#setAcks.set(number, this.now())
        raise(this.#keyFloors, id, row.at)
      },
    }
  }

  /** Call when an invalidation begins; the answer, when it was acknowledged. */
  beginKeys(ids: readonly string[]): () => void {
    const began = this.now()
    return () => {
      for (const id of ids) raise(this.#keyFloors, id, began)
    }
  }

  beginTag(tag: string): () => void {
    const began = this.now()
    return () => raise(this.#tagFloors, tag, began)
  }

  /** Call when a get starts. `boundMs`: only what was acknowledged longer ago than this counts. */
  expect(id: string, tagsOf: (row: Row) => readonly string[], boundMs = 0): Expectation {
    const floorOf = (floors: readonly Floor[] | undefined): number => {
      if (floors === undefined) return 0
      if (boundMs === 0) return floors.at(-1)?.began ?? 0
      const beforeMs = performance.now() - boundMs
      return floors.findLast(({ ackMs }) => ackMs < beforeMs)?.began ?? 0
    }
    const keyFloor = floorOf(this.#keyFloors.get(id))
    const tagFloors = new Map([...this.#tagFloors].map(([tag, floors]) => [tag, floorOf(floors)]))
    return (value) => {
      const at = value.writtenBy === 0 ? value.at : (this.#setAcks.get(value.writtenBy) ?? Number.POSITIVE_INFINITY)
      const blame = (why: string) => {
        const violation = { id, why, value }
        this.violations.push(violation)
        return violation
      }
      if (value.id !== id) return blame('the value of another id')
      // A set is its own floor: it is acknowledged after it began.
      if (at < keyFloor) return blame(`read at ${at}, invalidated by key at ${keyFloor}`)
      for (const tag of tagsOf(value))
        if (at < (tagFloors.get(tag) ?? 0))
          return blame(`read at ${at}, tag ${tag} invalidated at ${tagFloors.get(tag)}`)
      return undefined
    }
  }
}

function raise(floors: Map<string, Floor[]>, name: string, began: number): void {
  const known = floors.get(name) ?? []
  floors.set(name, known)
  const highest = Math.max(began, known.at(-1)?.began ?? 0)
  known.push({ began: highest, ackMs: performance.now() })
  if (known.length > 10_000) known.splice(0, 5_000)
}

/** Numbers of 0 to 1 that a seed decides. source: mulberry32, Tommy Ettinger */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
