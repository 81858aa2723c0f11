import type { Bounds, ConsumerCalls } from './consumer-calls.ts'
import type { ConsumerLease, Delivery } from './consumer-lease.ts'
import type { Excuses } from './excuses.ts'
import { type Batch, Settlements, tellAll } from './settlements.ts'

/** Whose leases they are. */
export interface RetiredOwner extends Bounds {
  /** Endings that came too late. */
  onRefused(count: number): void
  onError(error: unknown): void
}

/** Leases that take nothing more: what they hold is worked on and told, and what they were given and do not know of is handed back. */
export class RetiredLeases {
  readonly #calls: ConsumerCalls
  readonly #owner: RetiredOwner
  readonly #excuses: Excuses
  readonly #leases = new Set<ConsumerLease>()
  #tending: Promise<void> | undefined
  /** Something has ended that the tending under way may have passed by. */
  #isWanted = false

  constructor(calls: ConsumerCalls, excuses: Excuses, owner: RetiredOwner) {
    this.#calls = calls
    this.#excuses = excuses
    this.#owner = owner
  }

  get all(): readonly ConsumerLease[] {
    return [...this.#leases]
  }

  add(lease: ConsumerLease): void {
    lease.isRetired = true
    this.#leases.add(lease)
  }

  delete(lease: ConsumerLease): void {
    this.#leases.delete(lease)
  }

  /** Ends what they have ended, and hands back what they do not know of. */
  tend(): Promise<void> {
    this.#isWanted = true
    this.#tending ??= this.#tendAll().finally(() => {
      this.#tending = undefined
    })
    return this.#tending
  }

  /** Gives them all up to the caller, when nobody tends them. */
  async clear(): Promise<readonly ConsumerLease[]> {
    await this.#tending
    const leases = this.all
    this.#leases.clear()
    return leases
  }

  async #tendAll(): Promise<void> {
    while (this.#isWanted) {
      this.#isWanted = false
      for (const lease of this.#leases)
        try {
          await this.flush(lease)
          const leaves = lease.held.size === 0 && lease.settlements.size === 0
          await this.#calls.release(lease, leaves)
          if (!leaves) continue
          this.#leases.delete(lease)
          lease.end()
        } catch (error) {
          this.#owner.onError(error)
        }
    }
  }

  /** Tells all that a lease has ended, without taking more. */
  async flush(lease: ConsumerLease): Promise<void> {
    while (lease.settlements.size > 0 && !lease.isLost) {
      const batch = lease.settlements.take()
      try {
        const word = await this.#calls.settle(lease, batch, this.#owner)
        if (word === 'settled') tellAll(batch, true)
        else if (word === 'gone') this.gone(lease, batch)
        else this.tellAgain(lease, batch)
      } catch (error) {
        this.tellAgain(lease, batch)
        throw error
      }
    }
  }

  /** A batch that was not carried out, or may not have been: for as long as the lease lasts. */
  tellAgain(lease: ConsumerLease, batch: Batch): void {
    if (lease.isLost) this.refuse(lease, batch)
    else lease.settlements.putBack(batch)
  }

  /** What came when the lease was over here, and nobody will renew it: whoever ran these would run them in vain. */
  async handBack(lease: ConsumerLease, deliveries: readonly Delivery[]): Promise<void> {
    const backs = new Settlements()
    for (const { lane, entry } of deliveries) backs.add(lane, entry, { op: 'back' })
    while (backs.size > 0) {
      const batch = backs.take()
      if ((await this.#calls.settle(lease, batch, this.#owner)) === 'layout') backs.putBack(batch)
    }
  }

  /** The server knows a lease no more. */
  gone(lease: ConsumerLease, batch: Batch): void {
    lease.lose('the server says that it has ended')
    this.refuse(lease, batch)
  }

  /** Endings that do not count. */
  refuse(lease: ConsumerLease, batch: Batch): void {
    if (batch.size === 0) return
    this.#excuses.refused(lease, batch)
    this.#owner.onRefused(batch.size)
    tellAll(batch, false)
  }
}
