import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * At most `limit` pieces of work at once; the rest wait in the order they came. Work that is started from inside
 * this bulkhead's own work does not wait while that work runs: it would wait for its own parent, for ever.
 */
export class Bulkhead {
  readonly #limit: number
  readonly #inside = new AsyncLocalStorage<{ running: boolean }>()
  readonly #waiting: (() => void)[] = []
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  async run<T>(work: () => Promise<T> | T): Promise<T> {
    if (this.#inside.getStore()?.running) return work()
    if (this.#running >= this.#limit) await new Promise<void>((admit) => this.#waiting.push(admit))
    else this.#running++
    const place = { running: true }
    try {
      return await this.#inside.run(place, work)
    } finally {
      // What it left behind, such as a timer, is no child of running work any more.
      place.running = false
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
