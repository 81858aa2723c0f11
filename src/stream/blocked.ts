import { monotonicMs } from '../base/clock.ts'
import type { Redis } from '../redis/redis.ts'
import type { Bounds, ConsumerCalls, Turned, Undone } from './consumer-calls.ts'
import type { ConsumerLease } from './consumer-lease.ts'
import type { Layout } from './layout.ts'

/** What a turn that waits is told beforehand. */
export interface Waiting {
  /** Jobs that it takes, at most. */
  readonly count: number
  readonly inbox: string
  /** The longest that it waits. */
  readonly ms: number
  readonly bounds: Bounds
}

export interface BlockedOwner {
  /** A turn that waited for `count` jobs has come. */
  onBlocked(lease: ConsumerLease, turned: Turned | Undone, count: number): void
  /** It did not, or not so that anybody could tell. */
  onBlockFailed(lease: ConsumerLease, error: unknown): void
}

interface Wait {
  readonly lease: ConsumerLease
  readonly untilMs: number
  readonly stop: AbortController
}

/**
 * Turns that wait on the server for something to do, one at a time. A connection of its own blocks on a list, and the turn is sent right behind: once
 * somebody rings, or the time is over, the server carries it out at once, and the job is here half a round trip later.
 */
export class Blocked {
  readonly #redis: Redis
  readonly #layout: Layout
  readonly #calls: ConsumerCalls
  readonly #owner: BlockedOwner
  #wait: Wait | undefined

  constructor(redis: Redis, layout: Layout, calls: ConsumerCalls, owner: BlockedOwner) {
    this.#redis = redis
    this.#layout = layout
    this.#calls = calls
    this.#owner = owner
  }

  get isWaiting(): boolean {
    return this.#wait !== undefined
  }

  /** False where one waits already, and for longer. */
  wait(lease: ConsumerLease, waiting: Waiting): boolean {
    const untilMs = monotonicMs() + waiting.ms
    // A moment more or less is nobody's business.
    if (this.#wait !== undefined) return this.#wait.untilMs <= untilMs + 1
    const wait = { lease, untilMs, stop: new AbortController() }
    this.#wait = wait
    const isOver = () => {
      if (this.#wait !== wait) return false
      this.#wait = undefined
      return true
    }
    this.#take(wait, waiting).then(
      (turned) => isOver() && this.#owner.onBlocked(lease, turned, waiting.count),
      (error) => isOver() && this.#owner.onBlockFailed(lease, error),
    )
    return true
  }

  /** Rejects within the wait and the instance's timeout, whatever the server does. */
  #take({ lease, stop }: Wait, { count, inbox, ms, bounds }: Waiting): Promise<Turned | Undone> {
    const { wake } = this.#layout.keys
    return this.#redis.blocking.use(
      async (own) => {
        const woken = own.call('BLPOP', wake, (ms / 1_000).toFixed(3))
        const turned = this.#calls.turnBeside(lease, count, inbox, bounds, (words) =>
          own.callBehind(ms, 'EVALSHA', words),
        )
        // The one may be refused, as by CLIENT UNBLOCK, and the other carried out all the same.
        const [, end] = await Promise.allSettled([woken, turned])
        if (end.status === 'rejected') throw end.reason
        return end.value
      },
      { key: wake, bytes: true, signal: stop.signal },
    )
  }

  /** Closes the connection on which a turn of this lease, or any, waits. What it may have been given is for `release` to hand back. */
  end(lease = this.#wait?.lease): ConsumerLease | undefined {
    if (this.#wait === undefined || this.#wait.lease !== lease) return undefined
    this.#wait.stop.abort(new Error('nobody waits for it any more'))
    this.#wait = undefined
    return lease
  }
}
