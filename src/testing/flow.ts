import type { Socket } from 'node:net'

/** What happens to bytes that a flow receives. */
export interface Weather {
  /** True: they vanish. */
  lossy: boolean
  /** How long each of them is under way, in ms; Infinity holds them until the weather changes. */
  delayMs: number
}

/** `end`: the sender says no more; `gone`: it listens no more either. */
type Content = Buffer | 'end' | 'gone'

interface Parcel {
  readonly dueAt: number
  readonly content: Content
}

/**
 * One direction of one proxied connection: takes bytes from one socket and gives them to another, in order, after
 * the delay that held when they came. Bytes that were lost leave a hole, and `torn` says so.
 */
export class Flow {
  /** Bytes given to the receiver. */
  bytes = 0
  /** True when bytes, or the end, were lost on the way. */
  torn = false

  readonly #from: Socket
  readonly #to: Socket
  readonly #weather: Weather
  #parcels: Parcel[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, weather: Weather) {
    this.#from = from
    this.#to = to
    this.#weather = weather
    from.on('data', (bytes: Buffer) => this.#accept(bytes))
    from.on('end', () => this.#accept('end'))
    from.on('close', () => this.#accept('gone'))
    to.on('drain', () => from.resume())
  }

  /** The weather changed: give on what need no longer wait. */
  settle(): void {
    if (this.#weather.delayMs === 0) this.#parcels = this.#parcels.map(({ content }) => ({ dueAt: 0, content }))
    this.#deliver()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#parcels = []
  }

  #accept(content: Content): void {
    const { lossy, delayMs } = this.#weather
    if (lossy) {
      this.torn = true
      return
    }
    const last = this.#parcels.at(-1)?.dueAt ?? 0
    // Never before the one in front: a shorter delay must not change the order.
    this.#parcels.push({ dueAt: Math.max(last, delayMs === 0 ? 0 : performance.now() + delayMs), content })
    this.#deliver()
  }

  #deliver(): void {
    clearTimeout(this.#timer)
    for (let next = this.#parcels[0]; next !== undefined; next = this.#parcels[0]) {
      const waitMs = next.dueAt - performance.now()
      if (waitMs > 0) {
        if (Number.isFinite(waitMs)) this.#timer = setTimeout(() => this.#deliver(), waitMs).unref()
        return
      }
      this.#parcels.shift()
      this.#give(next.content)
    }
  }

  #give(content: Content): void {
    if (content === 'end') this.#to.end()
    else if (content === 'gone') this.#to.destroySoon()
    else if (!this.#to.destroyed) {
      this.bytes += content.length
      if (!this.#to.write(content)) this.#from.pause()
    }
  }
}
