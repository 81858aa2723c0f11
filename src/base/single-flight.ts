/**
 * One piece of work per name at a time: callers who come while it runs share its answer, or its very error.
 * Nothing is kept once it has ended, however it ended.
 */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>()

  /** The work under way for `name`, if any. */
  get(name: string): Promise<T> | undefined {
    return this.#flights.get(name)
  }

  run(name: string, work: () => Promise<T>): Promise<T> {
    const running = this.#flights.get(name)
    if (running !== undefined) return running
    const flight = work()
    this.#flights.set(name, flight)
    const land = () => {
      // A flight that was detached must not take its successor's place away.
      if (this.#flights.get(name) === flight) this.#flights.delete(name)
    }
    flight.then(land, land)
    return flight
  }

  /** Callers who come from now on start new work; those who wait already still get the old one's answer. */
  detach(name: string): void {
    this.#flights.delete(name)
  }

  detachWhere(matches: (name: string) => boolean): void {
    for (const name of this.#flights.keys()) if (matches(name)) this.#flights.delete(name)
  }

  get size(): number {
    return this.#flights.size
  }
}
