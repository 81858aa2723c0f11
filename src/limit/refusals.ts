/** Most ids of which a refusal is remembered; the oldest goes first. */
const MOST_IDS = 10_000

interface Refusal<T> {
  readonly cost: number
  readonly untilMs: number
  readonly answer: T
}

/**
 * Refusals that must be the same if asked again: for a cost at least as high, under the same limits, until the moment at which time alone may
 * make room. That moment is counted from before the question was sent, so that ours is never later than the server's.
 *
 * What else makes room (a refund, a reset, a block that is ended) must be told here; that of other processes is not known.
 */
export class Refusals<T> {
  readonly #byId = new Map<string, Refusal<T>>()
  /** Grows with each thing that makes room: what was asked before may not be remembered after it. */
  #epoch = 0

  get epoch(): number {
    return this.#epoch
  }

  /** The refusal that holds for this cost now. */
  find(id: string, cost: number, nowMs: number): { readonly answer: T; readonly leftMs: number } | undefined {
    const known = this.#byId.get(id)
    if (known === undefined) return undefined
    if (nowMs >= known.untilMs) {
      this.#byId.delete(id)
      return undefined
    }
    return cost < known.cost ? undefined : { answer: known.answer, leftMs: known.untilMs - nowMs }
  }

  keep(id: string, cost: number, untilMs: number, answer: T, epoch: number): void {
    if (epoch !== this.#epoch) return
    const known = this.#byId.get(id)
    // That of a lower cost says more, while it lasts.
    if (known !== undefined && known.cost < cost && known.untilMs >= untilMs) return
    this.#byId.delete(id)
    this.#byId.set(id, { cost, untilMs, answer })
    if (this.#byId.size > MOST_IDS) this.#byId.delete(this.#byId.keys().next().value as string)
  }

  forget(id: string): void {
    this.#epoch++
    this.#byId.delete(id)
  }

  forgetAll(): void {
    this.#epoch++
    this.#byId.clear()
  }
}
