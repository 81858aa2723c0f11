import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * At most `limit` pieces of work at once; the rest wait in the order they came. Work that is started from inside
 * this bulkhead's own work does not wait: it would wait for its own parent, for ever.
 */
export class Bulkhead {
  readonly #limit: number
  readonly #inside = new AsyncLocalStorage<true>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  async run<T>(work: () => Promise<T> | T): Promise<T> {
    if (this.#inside.getStore()) return work()
    if (this.#running >= this.#limit) await new Promise<void>((admit) => this.#waiting.push(admit))
    else this.#running++
    try {
      return await this.#inside.run(true, work)
    } finally {
      const next = this.#waiting.shift()
      // The place is handed over, not freed: a newcomer cannot slip in before the one who waited.
      if (next === undefined) this.#running--
      else next()
    }
  }

  get running(): number {
    return this.#running
  }

  get waiting(): number {
    return this.#waiting.length
  }
}
