import { monotonicMs } from '../base/clock.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { releaseScript, renewScript } from './lua.generated.ts'

/** Letters of a token: a lease's value starts with it. */
export const TOKEN_LENGTH = 22
/** Most leases of one script call. */
const MOST_PER_SCRIPT = 128

/**
 * Leases of one token that are held while some work runs: renewed at a third of their length, each time to the full length,
 * until `end`. By its own clock the holder knows when they may have ended, whether or not Redis answers.
 */
export class HeldLeases {
  readonly #redis: Redis
  readonly #keys: readonly Key[]
  readonly #token: string
  readonly #lengthMs: number
  readonly #operation: string
  #timer: NodeJS.Timeout | undefined
  #standUntilMs: number
  #ended = false

  /** `askedMs`: when the grant was asked for, as `monotonicMs`; the server counts from later. */
  constructor(redis: Redis, keys: readonly Key[], token: string, lengthMs: number, askedMs: number, operation: string) {
    this.#redis = redis
    this.#keys = keys
    this.#token = token
    this.#lengthMs = lengthMs
    this.#operation = operation
    this.#standUntilMs = askedMs + lengthMs
    this.#renewLater()
  }

  /** False once they are known to be lost, or may have run out by our own clock. */
  get stand(): boolean {
    return !this.#ended && monotonicMs() < this.#standUntilMs
  }

  #renewLater(): void {
    this.#timer = setTimeout(() => void this.#renew(), this.#lengthMs / 3)
    this.#timer.unref()
  }

  async #renew(): Promise<void> {
    const askedMs = monotonicMs()
    const timeoutMs = Math.max(10, Math.round(this.#lengthMs / 3))
    const options = { operation: this.#operation, repeat: true, timeoutMs }
    try {
      const lots = this.#redis.groupByPlace(this.#keys, (key) => key, MOST_PER_SCRIPT)
      const replies = await Promise.all(
        lots.map((leases) =>
          renewScript.run(this.#redis, { leases }, { token: this.#token, leaseMs: this.#lengthMs }, options),
        ),
      )
      if (replies.every(([, count]) => count === 0)) this.end()
      else this.#standUntilMs = askedMs + this.#lengthMs
    } catch {
      // The next turn tries again; if none gets through, they end by our clock here and by the server's there.
    }
    if (!this.#ended) this.#renewLater()
  }

  /** Stops renewing; the leases themselves are ended by whoever settles the work, or by `releaseLeases`. */
  end(): void {
    this.#ended = true
    clearTimeout(this.#timer)
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
