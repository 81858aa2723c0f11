import { monotonicMs } from '../base/clock.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { releaseScript, renewScript } from './lua.generated.ts'

/** Letters of a token: a lease's value starts with it. */
export const TOKEN_LENGTH = 22
/** Most leases of one script call. */
const MOST_PER_SCRIPT = 128

/** Leases of one token, held while some work runs. */
export interface HeldLeases {
  readonly keys: readonly Key[]
  readonly token: string
  /** When they were asked for, granted or last renewed, as `monotonicMs`. */
  renewedMs: number
}

/**
 * Renews the leases that are held in this process, each at a third of its length to its full length, until its work lets it go.
 * One timer for all of them, and none while nothing is held: most work ends before its first renewal is due.
 */
export class LeaseKeeper {
  readonly #redis: Redis
  readonly #lengthMs: number
  readonly #operation: string
  readonly #held = new Set<HeldLeases>()
  #timer: NodeJS.Timeout | undefined

  constructor(redis: Redis, lengthMs: number, operation: string) {
    this.#redis = redis
    this.#lengthMs = lengthMs
    this.#operation = operation
  }

  /** `askedMs`: when the grant was asked for; the server counts from later. */
  hold(keys: readonly Key[], token: string, askedMs: number): HeldLeases {
    const held = { keys, token, renewedMs: askedMs }
    this.#held.add(held)
    this.#timer ??= setInterval(() => this.#turn(), this.#lengthMs / 6).unref()
    return held
  }

  /** Of the work that runs in this process now. */
  get tokens(): ReadonlySet<string> {
    return new Set(Array.from(this.#held, ({ token }) => token))
  }

  /** Stops renewing; the leases themselves are ended by whoever settles the work, or by `releaseLeases`. */
  letGo(held: HeldLeases): void {
    this.#held.delete(held)
  }

  #turn(): void {
    if (this.#held.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
      return
    }
    const dueMs = monotonicMs() - this.#lengthMs / 3
    for (const held of this.#held) if (held.renewedMs <= dueMs) void this.#renew(held)
  }

  async #renew(held: HeldLeases): Promise<void> {
    const askedMs = monotonicMs()
    const before = held.renewedMs
    // The next turn must not ask again while this one is under way; if it fails, the turn after tries again.
    held.renewedMs = askedMs
    const options = { operation: this.#operation, repeat: true, timeoutMs: Math.round(this.#lengthMs / 3) }
    try {
      const lots = this.#redis.groupByPlace(held.keys, (key) => key, MOST_PER_SCRIPT)
      const args = { token: held.token, leaseMs: this.#lengthMs }
      const replies = await Promise.all(lots.map((leases) => renewScript.run(this.#redis, { leases }, args, options)))
      if (replies.every(([, count]) => count === 0)) this.letGo(held)
    } catch {
      held.renewedMs = before
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#held.clear()
  }
}

/** Ends leases of one token, wherever they still stand, and rings `channel` for those who wait. Answers how many stood. */
export async function releaseLeases(
  redis: Redis,
  keys: readonly Key[],
  token: string,
  channel: string,
  operation: string,
): Promise<number> {
  const lots = redis.groupByPlace(keys, (key) => key, MOST_PER_SCRIPT)
  const replies = await Promise.all(
    lots.map((leases) => releaseScript.run(redis, { leases }, { token, channel }, { operation, repeat: true })),
  )
  return replies.reduce((sum, [, count]) => sum + count, 0)
}
