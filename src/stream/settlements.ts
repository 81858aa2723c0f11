/** How a delivery ends. */
export type Ending =
  | { readonly op: 'done'; readonly named: string; readonly group: string }
  /** Put back after `delayMs`, with so many attempts used. */
  | { readonly op: 'retry'; readonly used: number; readonly delayMs: number }
  | { readonly op: 'dead'; readonly used: number; readonly reason: string; readonly error: string }
  /** As if it had never been given out. */
  | { readonly op: 'back' }

/** Told what came of an ending: whether it counts. */
export type Told = (settled: boolean, error?: unknown) => void

interface Other {
  readonly op: string
  readonly lane: number
  readonly entry: string
  readonly number: number
  readonly text: string
  readonly more: string
  readonly told: Told | undefined
}

/** Endings that wait for their call, or are under way in one. */
export interface Batch {
  readonly done: ReadonlyMap<number, readonly string[]>
  readonly others: readonly Other[]
  readonly size: number
}

/** Of one call at most: a script must not unpack more than a thousand. */
const MOST = 500

/** What a consumer has ended and not yet told, those of one lane together. */
export class Settlements {
  #done = new Map<number, string[]>()
  #others: Other[] = []
  #size = 0

  get size(): number {
    return this.#size
  }

  /** `told` is called once, when it is known. */
  add(lane: number, entry: string, ending: Ending, told?: Told): void {
    this.#size++
    if (ending.op === 'done' && ending.named === '' && ending.group === '' && told === undefined) {
      const done = this.#done.get(lane)
      if (done === undefined) this.#done.set(lane, [entry])
      else done.push(entry)
      return
    }
    this.#others.push({ lane, entry, told, ...wordsOf(ending) })
  }

  /** All, or as many as one call may hold. */
  take(): Batch {
    if (this.#size <= MOST) {
      const batch = { done: this.#done, others: this.#others, size: this.#size }
      this.#done = new Map()
      this.#others = []
      this.#size = 0
      return batch
    }
    const done = new Map<number, string[]>()
    let left = MOST
    for (const [lane, entries] of this.#done) {
      if (left === 0) break
      const some = entries.splice(0, left)
      left -= some.length
      done.set(lane, some)
      if (entries.length === 0) this.#done.delete(lane)
    }
    const others = this.#others.splice(0, left)
    this.#size -= MOST - left + others.length
    return { done, others, size: MOST - left + others.length }
  }

  /** Puts a batch back that was not carried out, or may not have been: it may be sent again. */
  putBack(batch: Batch): void {
    for (const [lane, entries] of batch.done) this.#done.set(lane, [...entries, ...(this.#done.get(lane) ?? [])])
    this.#others = [...batch.others, ...this.#others]
    this.#size += batch.size
  }
}

export function tellAll(batch: Batch, settled: boolean, error?: unknown): void {
  for (const { told } of batch.others) told?.(settled, error)
}

/**
 * A batch as the scripts read it. `laneOf`: a priority's place in the layout, from 1; 0 for one whose lane has given way since: it was empty, so
 * what is to be ended there has been, by this very batch when its answer was lost.
 */
export function settleArgs(batch: Batch, laneOf: (priority: number) => number): string[] {
  const args = ['0']
  let lots = 0
  for (const [priority, entries] of batch.done) {
    const lane = laneOf(priority)
    if (lane === 0) continue
    args[0] = String(++lots)
    args.push(String(lane), String(entries.length))
    for (const entry of entries) args.push(entry)
  }
  for (const { op, lane: priority, entry, number, text, more } of batch.others) {
    const lane = laneOf(priority)
    if (lane > 0) args.push(op, String(lane), entry, String(number), text, more)
  }
  return args
}

function wordsOf(ending: Ending): Pick<Other, 'op' | 'number' | 'text' | 'more'> {
  switch (ending.op) {
    case 'done':
      return { op: 'done', number: 0, text: ending.named, more: ending.group }
    case 'retry':
      return { op: 'retry', number: ending.used, text: String(ending.delayMs), more: '' }
    case 'dead':
      return { op: 'dead', number: ending.used, text: ending.reason, more: ending.error }
    case 'back':
      return { op: 'back', number: 0, text: '', more: '' }
  }
}
