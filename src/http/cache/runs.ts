import { monotonicMs } from '../../base/clock.ts'

/** A run that has not begun to answer after so many times the longest wait will not, and gives its place free. */
const GIVEN_UP_AFTER = 6

/** The runs of handlers that others of this process may wait for, and how long they do. */
export class Runs {
  readonly #maxWaitMs: number
  readonly #begun = new Map<string, number>()

  constructor(maxWaitMs: number) {
    this.#maxWaitMs = maxWaitMs
  }

  /** How long a run may take to begin to answer, in ms. */
  get longestMs(): number {
    return this.#maxWaitMs * GIVEN_UP_AFTER
  }

  async run<R>(id: string, work: () => Promise<R>): Promise<R> {
    const begun = monotonicMs()
    this.#begun.set(id, begun)
    try {
      return await work()
    } finally {
      if (this.#begun.get(id) === begun) this.#begun.delete(id)
    }
  }

  /** How long one who comes now waits for what is to be at `id`: of a run under way the time is counted from its beginning. */
  leftMs(id: string): number {
    const begun = this.#begun.get(id)
    return begun === undefined ? this.#maxWaitMs : begun + this.#maxWaitMs - monotonicMs()
  }
}
