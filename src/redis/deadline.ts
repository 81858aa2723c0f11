import { monotonicMs } from '../base/clock.ts'

/** Something that must end by a moment. Linked into its list by itself, so that coming and going allocate nothing. */
export interface Due {
  dueMs: number
  previous: Due | undefined
  next: Due | undefined
  expire(): void
}

/**
 * Deadlines of one length each, so that whoever comes later is due later: a list in order of time with one timer for its head.
 * Adding and removing are O(1); a timer for each call costs 4 × as much.
 */
class DueList {
  readonly #lengthMs: number
  #head: Due | undefined
  #tail: Due | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs
  }

  add(due: Due, nowMs: number): void {
    due.dueMs = nowMs + this.#lengthMs
    due.previous = this.#tail
    if (this.#tail === undefined) this.#head = due
    else this.#tail.next = due
    this.#tail = due
    this.#timer ??= setTimeout(this.#sweep, this.#lengthMs)
  }

  remove(due: Due): void {
    if (due.previous === undefined && due.next === undefined && this.#head !== due) return
    if (due.previous === undefined) this.#head = due.next
    else due.previous.next = due.next
    if (due.next === undefined) this.#tail = due.previous
    else due.next.previous = due.previous
    due.previous = undefined
    due.next = undefined
  }

  // When this process was busy for long, the answers may lie unread in the socket: read before judging.
  readonly #sweep = (): void => {
    setImmediate(() => {
      const nowMs = monotonicMs()
      while (this.#head !== undefined && this.#head.dueMs <= nowMs) {
        const due = this.#head
        this.remove(due)
        due.expire()
      }
      this.#timer =
        this.#head === undefined ? undefined : setTimeout(this.#sweep, Math.max(1, this.#head.dueMs - nowMs))
    })
  }

  get empty(): boolean {
    return this.#head === undefined
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }
}

/** All deadlines of one node, whatever their lengths: in whole ms, so that what is left of others' time makes no list for each call. */
export class Deadlines {
  readonly #lists = new Map<number, DueList>()

  add(due: Due, exactMs: number, nowMs: number): void {
    const lengthMs = Math.ceil(exactMs)
    let list = this.#lists.get(lengthMs)
    if (list === undefined) {
      list = new DueList(lengthMs)
      this.#lists.set(lengthMs, list)
      if (this.#lists.size > 64) this.#forgetEmpty(lengthMs)
    }
    list.add(due, nowMs)
  }

  remove(due: Due, exactMs: number): void {
    this.#lists.get(Math.ceil(exactMs))?.remove(due)
  }

  /** Callers may choose any length; those that are not in use any more need no list. */
  #forgetEmpty(except: number): void {
    for (const [lengthMs, list] of this.#lists) {
      if (lengthMs === except || !list.empty) continue
      list.stop()
      this.#lists.delete(lengthMs)
    }
  }

  stop(): void {
    for (const list of this.#lists.values()) list.stop()
    this.#lists.clear()
  }
}
