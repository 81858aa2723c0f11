import { setTimeout as wait } from 'node:timers/promises'
import type { Holdfast } from 'holdfast'
import { expect } from 'vitest'

/** Callers that write, read back and sell, until they are stopped; every failure is kept. */
export class Traffic {
  readonly failures: unknown[] = []
  calls = 0
  longestMs = 0
  readonly #clients: readonly Holdfast[]
  readonly #nights: readonly string[]
  readonly #work: Promise<unknown>
  #stopping = false

  constructor(clients: readonly Holdfast[]) {
    this.#clients = clients
    this.#nights = Array.from({ length: 20 }, (_, i) => `night-${i}`)
    this.#work = this.#begin()
  }

  async #begin(): Promise<void> {
    const layout = { currency: 'EUR', sections: [{ name: 'A', rows: 40, seatsPerRow: 50, price: 100 }] }
    await Promise.all(this.#nights.map((id) => (this.#clients[0] as Holdfast).seats(id).create(layout)))
    await Promise.all(Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? this.#cache(i) : this.#sell(i))))
  }

  async #timed<T>(work: Promise<T>): Promise<T> {
    const startMs = performance.now()
    const answer = await work
    this.calls++
    this.longestMs = Math.max(this.longestMs, performance.now() - startMs)
    return answer
  }

  /** `turn` answers false when it has nothing more to do. */
  async #until(turn: (n: number) => Promise<boolean>): Promise<void> {
    for (let n = 0; !this.#stopping; n++)
      try {
        if (!(await turn(n))) return
        await wait(3)
      } catch (error) {
        this.failures.push(error)
        return
      }
  }

  #cache(caller: number): Promise<void> {
    const hf = this.#clients[caller % this.#clients.length] as Holdfast
    const cache = hf.cache<string>('traffic', { ttl: '10m', whenDown: 'throw' })
    return this.#until(async (n) => {
      const id = `${caller}:${n % 200}`
      await this.#timed(cache.set(id, `${n}`))
      expect(await this.#timed(cache.get(id))).toBe(`${n}`)
      if (n % 7 === 0) {
        await this.#timed(cache.delete(id))
        expect(await this.#timed(cache.get(id))).toBeUndefined()
      }
      return true
    })
  }

  #sell(caller: number): Promise<void> {
    const hf = this.#clients[caller % this.#clients.length] as Holdfast
    // Every caller has rows of his own: whatever is not held by him is his to hold.
    return this.#until(async (n) => {
      const night = hf.seats(this.#nights[n % 20] as string)
      const id = `${caller}-${n}`
      const turn = Math.floor(n / 20)
      const seat = `A-${((caller >> 1) % 8) * 5 + Math.floor(turn / 50) + 1}-${(turn % 50) + 1}`
      if (turn >= 60) return false
      const hold = await this.#timed(night.hold({ id, customer: `c${caller}`, seats: [seat], for: '10m' }))
      expect(hold.status).toBe('held')
      const end = n % 3 === 0 ? await this.#timed(night.release(id)) : await this.#timed(night.confirm(id))
      expect(end.status).toBe(n % 3 === 0 ? 'released' : 'confirmed')
      return true
    })
  }

  async stop(): Promise<void> {
    this.#stopping = true
    await this.#work
    expect(this.failures).toEqual([])
    for (const id of this.#nights)
      expect(await (this.#clients[0] as Holdfast).seats(id).verify()).toMatchObject({ ok: true })
  }
}
