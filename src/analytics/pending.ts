import type { EventFields } from './options.ts'
import type { Visitor } from './visitor.ts'

/** When a visitor was first and last seen, in ms. */
interface Seen {
  readonly rank: number
  firstMs: number
  lastMs: number
}

export interface RecentEvent {
  readonly atMs: number
  readonly fields: EventFields
}

/** What came together of one event, dimension or item in one minute. */
export interface Mark {
  readonly kind: 'event' | 'dimension' | 'item' | 'recent'
  readonly minuteMs: number
  /** Of the event, or of the dimension. */
  readonly name: string
  readonly item: string
  count: number
  readonly sums: Map<string, number>
  readonly visitors: Map<string, Seen>
  readonly recent: RecentEvent[]
}

export const sizeOf = ({ kind, sums, visitors, recent }: Mark): number =>
  (kind === 'recent' ? 0 : 1) + sums.size + visitors.size + recent.length

/** The increments of one part that were not sent yet, added up: so many of the same are as large as one. */
export class Pending {
  readonly #marks = new Map<string, Mark>()
  #size = 0

  get size(): number {
    return this.#size
  }

  /** The mark of this minute; made, when there is none. */
  at(kind: Mark['kind'], minuteMs: number, name: string, item = ''): Mark {
    const key = `${kind} ${minuteMs} ${name.length} ${name}${item}`
    const known = this.#marks.get(key)
    if (known !== undefined) return known
    const mark = { kind, minuteMs, name, item, count: 0, sums: new Map(), visitors: new Map(), recent: [] }
    this.#marks.set(key, mark)
    this.#size += sizeOf(mark)
    return mark
  }

  has(kind: Mark['kind'], minuteMs: number, name: string, item = ''): boolean {
    return this.#marks.has(`${kind} ${minuteMs} ${name.length} ${name}${item}`)
  }

  addSum(mark: Mark, field: string, amount: number): void {
    const before = mark.sums.get(field)
    if (before === undefined) this.#size++
    mark.sums.set(field, (before ?? 0) + amount)
  }

  addVisitor(mark: Mark, { id, rank }: Visitor, atMs: number): void {
    const seen = mark.visitors.get(id)
    if (seen === undefined) {
      this.#size++
      mark.visitors.set(id, { rank, firstMs: atMs, lastMs: atMs })
    } else {
      seen.firstMs = Math.min(seen.firstMs, atMs)
      seen.lastMs = Math.max(seen.lastMs, atMs)
    }
  }

  /** Of more than are kept in Redis, the newest alone matter. */
  addRecent(mark: Mark, event: RecentEvent, most: number): void {
    mark.recent.push(event)
    this.#size++
    if (mark.recent.length < 2 * most) return
    mark.recent.sort((a, b) => a.atMs - b.atMs)
    this.#size -= mark.recent.splice(0, mark.recent.length - most).length
  }

  /** Takes marks out, the oldest first, of this size together; one that is larger is parted. */
  take(most: number): readonly Mark[] {
    const lot: Mark[] = []
    let room = most
    for (const [key, mark] of this.#marks) {
      const size = sizeOf(mark)
      if (size <= room) {
        this.#marks.delete(key)
        this.#size -= size
        lot.push(mark)
        room -= size
      } else {
        // Sums are few; what makes a mark large is visitors and events.
        if (mark.sums.size + 1 > room && lot.length > 0) break
        lot.push(this.#part(mark, Math.max(1, room - mark.sums.size - 1)))
        break
      }
      if (room <= 0) break
    }
    return lot
  }

  #part(mark: Mark, most: number): Mark {
    const before = sizeOf(mark)
    const visitors = new Map([...mark.visitors].slice(0, most))
    const part = { ...mark, sums: new Map(mark.sums), visitors, recent: mark.recent.splice(0, most) }
    for (const id of visitors.keys()) mark.visitors.delete(id)
    mark.sums.clear()
    mark.count = 0
    this.#size -= before - sizeOf(mark)
    return part
  }
}
