/**
 * Turns of one process at the things it changes, by name: callers of one process who would only get in each other's way go one after
 * the other. No lock: who has a turn is bound to end it soon, and other processes know nothing of it.
 */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Resolves, when those before have ended theirs, with the function that ends this turn; ending twice is ending once. */
  async take(name: string): Promise<() => void> {
    const before = this.#last.get(name)
    let end: () => void = () => {}
    const turn = new Promise<void>((resolve) => {
      end = () => {
        if (this.#last.get(name) === turn) this.#last.delete(name)
        resolve()
      }
    })
    this.#last.set(name, turn)
    await before
    return end
  }
}
