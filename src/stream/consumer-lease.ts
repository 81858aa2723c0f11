import { LONGEST_TIMER_MS, monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import type { Envelope } from './envelope.ts'
import { type Ending, Settlements, type Told } from './settlements.ts'

/** A job that was given to this process, until it has ended. */
export interface Delivery {
  readonly lease: ConsumerLease
  /** The priority of the lane that it came from. */
  readonly lane: number
  readonly entry: string
  /** How often it was given out since it came into its lane; each but the last ended in the loss of a lease. */
  readonly deliveries: number
  /** Higher than that of every delivery of this job before. */
  readonly fence: bigint
  /** Two crashes are blamed on it: it has a lease of its own. */
  readonly isAlone: boolean
  readonly envelope: Envelope
  /** Set by who works on it. */
  onLost: ((why: string) => void) | undefined
  /** Set by who works on it. */
  onCancel: (() => void) | undefined
}

export interface LeaseOwner {
  lost(lease: ConsumerLease): void
  /** There is an ending to be told. */
  settled(lease: ConsumerLease): void
}

/** One incarnation of this process as a consumer of one shard: what it was given, and until when it surely has it. */
export class ConsumerLease {
  /** Never the same again: what a dead one leaves behind is another's. */
  readonly id = randomId(16)
  readonly held = new Set<Delivery>()
  readonly settlements = new Settlements()
  readonly leaseMs: number
  /** True once the server knows it. */
  isJoined = false
  /** Takes nothing more: an answer was lost, and with it perhaps jobs that nobody here knows of. */
  isRetired = false
  isLost = false
  /** A job of it runs alone, or has just ended. */
  alone: 'none' | 'busy' | 'ended' = 'none'
  #validUntilMs = 0
  #renewedMs = monotonicMs()
  #timer: NodeJS.Timeout | undefined
  readonly #owner: LeaseOwner

  constructor(leaseMs: number, owner: LeaseOwner) {
    this.leaseMs = leaseMs
    this.#owner = owner
  }

  /** The server counts so long from later than `fromMs`. */
  renewed(fromMs: number, forMs: number): void {
    this.#validUntilMs = Math.max(this.#validUntilMs, fromMs + forMs)
    this.#renewedMs = Math.max(this.#renewedMs, fromMs)
    if (this.#timer === undefined && !this.isLost) this.#watch()
  }

  /** When the last call was sent that renewed it. */
  get renewedMs(): number {
    return this.#renewedMs
  }

  /** True while nobody else can have been given what is held here: by this process's own steady clock, so also while Redis is away. */
  isValid(nowMs = monotonicMs()): boolean {
    return !this.isLost && nowMs < this.#validUntilMs
  }

  /** For how long it is surely ours, in ms. */
  leftMs(nowMs = monotonicMs()): number {
    return this.#validUntilMs - nowMs
  }

  #watch(): void {
    const leftMs = Math.min(Math.max(1, Math.ceil(this.leftMs())), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (this.isLost) return
      if (this.leftMs() > 0) return this.#watch()
      this.lose('it was not renewed in time')
    }, leftMs).unref()
  }

  /** Whether the ending may be told to the server at all. `told` hears what came of it. */
  settle(delivery: Delivery, ending: Ending, told?: Told): boolean {
    if (!this.held.delete(delivery)) return false
    if (delivery.isAlone) this.alone = 'ended'
    if (!this.isValid()) {
      this.lose('it was not renewed in time')
      return false
    }
    this.settlements.add(delivery.lane, delivery.entry, ending, told)
    this.#owner.settled(this)
    return true
  }

  /** All that is held may be another's from now on. */
  lose(why: string): void {
    if (this.isLost) return
    this.isLost = true
    clearTimeout(this.#timer)
    this.#owner.lost(this)
    const held = [...this.held]
    this.held.clear()
    for (const delivery of held) delivery.onLost?.(why)
  }

  /** Left in order: nothing is held, nothing will be. */
  end(): void {
    this.isLost = true
    clearTimeout(this.#timer)
  }
}
