import { ConnectionError, TimeoutError } from '../base/errors.ts'
import type { Presence } from '../base/presence.ts'
import type { ConsumerCalls, Excuse } from './consumer-calls.ts'
import type { ConsumerLease } from './consumer-lease.ts'
import type { Batch } from './settlements.ts'

/** Whose leases they are. */
export interface ExcusesOwner {
  /** Jobs of one group that may run at the same time. */
  readonly groupMost: number
  readonly presence: Presence
}

/** Of one lease; what it has beyond stays blamed where another has been given it by then. */
export const MOST_EXCUSED = 1_000
/** An outage of hours leaves many names that were used for one call each. */
const MOST_LEASES = 1_000
const AT_ONCE = 100
/** Renewals come every third of a lease: with less than this share of it lost, one of them had been heard in time by a server that listens. */
const AWAY_SHARE = 1 / 4

/**
 * Leases that ended while this process was there to renew them and was not heard: Redis was away, or out of reach. That is no death, and what ran under them is
 * not to blame. Only the process itself knows, so it says so before it asks for more. One that stood still, as by a job that blocks, has no excuse.
 */
export class Excuses {
  readonly #calls: ConsumerCalls
  readonly #owner: ExcusesOwner
  readonly #excuses = new Map<string, Excuse>()
  #telling: Promise<void> | undefined

  constructor(calls: ConsumerCalls, owner: ExcusesOwner) {
    this.#calls = calls
    this.#owner = owner
  }

  get size(): number {
    return this.#excuses.size
  }

  /** A lease that has just been lost, with what it holds. */
  lost(lease: ConsumerLease): void {
    if (this.#owner.presence.awayMs(lease.renewedMs) > lease.leaseMs * AWAY_SHARE) return
    const [oldest] = this.#excuses.keys()
    if (this.#excuses.size >= MOST_LEASES && oldest !== undefined) this.#excuses.delete(oldest)
    const held = [...lease.held]
    const alone = held.find(({ isAlone }) => isAlone)?.entry ?? ''
    const jobs = held.slice(0, MOST_EXCUSED).map(({ lane, entry, envelope: { id } }) => ({ lane, entry, id }))
    this.#excuses.set(lease.id, { jobs, alone })
  }

  /** Endings of a lost lease that do not count: these jobs run again. */
  refused(lease: ConsumerLease, batch: Batch): void {
    const jobs = this.#excuses.get(lease.id)?.jobs
    if (jobs === undefined) return
    const done = [...batch.done].flatMap(([lane, entries]) => entries.map((entry) => ({ lane, entry, id: '' })))
    const others = batch.others.map(({ lane, entry }) => ({ lane, entry, id: '' }))
    jobs.push(...[...done, ...others].slice(0, MOST_EXCUSED - jobs.length))
  }

  /** Tells the server of all of them. Throws where it is still away. */
  tell(): Promise<void> {
    this.#telling ??= this.#tellAll().finally(() => {
      this.#telling = undefined
    })
    return this.#telling
  }

  async #tellAll(): Promise<void> {
    while (this.#excuses.size > 0) {
      const some = [...this.#excuses].slice(0, AT_ONCE)
      // All of them end before this does: none is told twice at a time.
      const ends = await Promise.allSettled(
        some.map(([consumer, excuse]) => this.#calls.excuse(consumer, excuse, this.#owner)),
      )
      let away: unknown
      for (const [i, end] of ends.entries()) {
        const isAway = end.status === 'rejected' && isOutage(end.reason)
        if (isAway) away = end.reason
        else this.#excuses.delete((some[i] as (typeof some)[number])[0])
      }
      if (away !== undefined) throw away
      const failed = ends.find((end) => end.status === 'rejected')
      if (failed !== undefined) throw failed.reason
    }
  }
}

const isOutage = (error: unknown): boolean => error instanceof TimeoutError || error instanceof ConnectionError
