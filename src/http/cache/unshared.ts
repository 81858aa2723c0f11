import { monotonicMs } from '../../base/clock.ts'

/** How long what could not be shared is not tried again, unless it turns out to be shareable. */
const LASTS_MS = 10_000
const MOST = 10_000

/**
 * What turned out not to be shareable a moment ago. Without it, callers of such a URL would wait for each other, one after the other,
 * each to learn that the answer is not for him.
 */
export class Unshared {
  readonly #until = new Map<string, number>()

  has(id: string): boolean {
    const untilMs = this.#until.get(id)
    if (untilMs === undefined) return false
    if (untilMs > monotonicMs()) return true
    this.#until.delete(id)
    return false
  }

  add(id: string): void {
    this.#until.delete(id)
    if (this.#until.size >= MOST) this.#until.delete(this.#until.keys().next().value as string)
    this.#until.set(id, monotonicMs() + LASTS_MS)
  }

  delete(id: string): void {
    this.#until.delete(id)
  }
}
