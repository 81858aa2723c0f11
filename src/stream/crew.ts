import { Presence } from '../base/presence.ts'
import { Loop } from '../loop/loop.ts'
import type { Redis } from '../redis/redis.ts'
import type { Bell } from './bell.ts'
import { Consumer, type Crew, MOST_OF_TURN } from './consumer.ts'
import type { Delivery } from './consumer-lease.ts'
import type { Layout } from './layout.ts'

/** Whoever works on jobs. */
export interface Taker {
  /** How many more it takes now. */
  readonly free: number
  /** True for one that wants to be told of work by a connection that blocks. */
  readonly isBlocking: boolean
  give(delivery: Delivery): void
}

export interface CrewOptions {
  /** Such as `queue`: what its operations begin with. */
  readonly room: string
  readonly leaseMs: number
  readonly deadMost: number
  readonly groupMost: number
  /** Jobs that may begin in each `perMs` on each shard; 0: any number. */
  readonly rate: number
  readonly perMs: number
  readonly onRefused: (count: number) => void
  readonly onError: (error: unknown) => void
}

/** All that work on one stream in this process: shares out places among shards, and jobs among workers; one beat for all. */
export class ShardCrew implements Crew {
  readonly leaseMs: number
  readonly deadMost: number
  readonly groupMost: number
  readonly rate: number
  readonly perMs: number
  readonly presence: Presence
  readonly consumers: readonly Consumer[]
  readonly #options: CrewOptions
  readonly #bell: Bell
  readonly #takers = new Set<Taker>()
  readonly #beat: Loop
  #reserved = 0
  #turn = 0
  #isListening = false
  #isBeating = false
  #isClosed = false

  constructor(redis: Redis, layouts: readonly Layout[], bell: Bell, options: CrewOptions) {
    this.leaseMs = options.leaseMs
    this.deadMost = options.deadMost
    this.groupMost = options.groupMost
    this.rate = options.rate
    this.perMs = options.perMs
    this.#options = options
    this.presence = new Presence(options.leaseMs)
    this.#bell = bell
    this.consumers = layouts.map((layout) => new Consumer(redis, layout, this, bell, options.room))
    this.#beat = new Loop(() => this.#beatAll(), {
      every: Math.max(10, Math.floor(options.leaseMs / 3)),
      onError: options.onError,
    })
  }

  get isWaiting(): boolean {
    return this.#takers.size > 0
  }

  get isBlocking(): boolean {
    for (const { isBlocking } of this.#takers) if (isBlocking) return true
    return false
  }

  /** Jobs that are being worked on in this process. */
  get held(): number {
    return this.consumers.reduce((sum, { held }) => sum + held, 0)
  }

  join(taker: Taker): void {
    this.#takers.add(taker)
    this.#startBeat()
    if (!this.#isListening) {
      this.#isListening = true
      for (const consumer of this.consumers) this.#bell.on(consumer.layout.keys.state, () => consumer.ring())
    }
    this.look()
  }

  leave(taker: Taker): void {
    this.#takers.delete(taker)
    if (!this.isBlocking) for (const consumer of this.consumers) consumer.stopWaiting()
    if (this.#takers.size > 0 || !this.#isListening) return
    this.#isListening = false
    for (const consumer of this.consumers) this.#bell.off(consumer.layout.keys.state)
  }

  /** There may be work, or somebody free for it. */
  look(): void {
    for (const consumer of this.consumers) if (!consumer.isEmpty) consumer.pump()
  }

  /** A job of any shard, or undefined when there is none now. */
  async take(): Promise<Delivery | undefined> {
    this.#startBeat()
    const start = this.#turn++
    for (let i = 0; i < this.consumers.length && !this.#isClosed; i++) {
      const consumer = this.consumers[(start + i) % this.consumers.length] as Consumer
      const delivery = await consumer.take()
      if (delivery !== undefined) return delivery
    }
    return undefined
  }

  #startBeat(): void {
    if (this.#isBeating) return
    this.#isBeating = true
    this.#beat.start()
    this.presence.start()
  }

  async #beatAll(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.beat().catch(this.#options.onError)))
  }

  get free(): number {
    let free = -this.#reserved
    for (const taker of this.#takers) free += taker.free
    return free
  }

  reserve(): number {
    const { free } = this
    if (free <= 0) return 0
    let shards = 0
    for (const { isEmpty } of this.consumers) if (!isEmpty) shards++
    const share = Math.min(MOST_OF_TURN, Math.ceil(free / Math.max(1, shards)))
    this.#reserved += share
    return share
  }

  deliver(reserved: number, deliveries: readonly Delivery[]): void {
    this.#reserved -= reserved
    let takers: Taker[] = []
    for (const delivery of deliveries) {
      if (takers.length === 0) takers = [...this.#takers].filter(({ free }) => free > 0)
      const at = this.#turn++ % Math.max(1, takers.length)
      const taker = takers[at]
      // Closed or paused since it was asked for.
      if (taker === undefined) {
        delivery.lease.settle(delivery, { op: 'back' })
        continue
      }
      taker.give(delivery)
      if (taker.free <= 0) takers.splice(at, 1)
    }
    // Places that this shard did not fill are for others.
    if (this.consumers.length > 1 && deliveries.length < reserved) this.look()
  }

  /** Resolves when all that has ended so far was told. */
  async flush(): Promise<void> {
    await Promise.all(this.consumers.map((consumer) => consumer.flush()))
  }

  onRefused(count: number): void {
    this.#options.onRefused(count)
  }

  onError(error: unknown): void {
    this.#options.onError(error)
  }

  /** What is still held is handed back uncounted. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const taker of [...this.#takers]) this.leave(taker)
    await this.#beat.stop()
    await Promise.all(this.consumers.map((consumer) => consumer.close()))
    this.presence.stop()
  }
}
