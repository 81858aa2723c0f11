import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'
import { acquireScript, beatScript, releaseScript, renewScript } from './lua.generated.ts'
import {
  type AcquireReply,
  type BeatReply,
  KEEP_MS,
  type Renewal,
  type Renewer,
  type Request,
  type Resource,
} from './resource.ts'

/** Most locks of one renewal: 100 take the server 0.3 ms. */
const MOST_PER_CALL = 100

const ACQUIRE = { operation: 'lock.acquire', repeat: true } as const
const RELEASE = { operation: 'lock.release', repeat: true } as const
const BEAT = { operation: 'lock.wait', repeat: true } as const

/** A lock in Redis: one holder. */
export class LockResource implements Resource {
  readonly key: Key
  readonly name: string
  readonly renewer: Renewer
  readonly #redis: Redis
  readonly #inbox: string
  readonly #channel: string

  constructor(redis: Redis, key: Key, name: string, inbox: string, renewer: LockRenewer) {
    this.key = key
    this.name = name
    this.renewer = renewer
    this.#redis = redis
    this.#inbox = inbox
    this.#channel = inboxPrefix(redis.keyspace)
  }

  async acquire({ token, ttlMs, owner }: Request, patienceMs: number): Promise<AcquireReply> {
    const args = {
      token,
      ttlMs,
      patienceMs,
      inbox: this.#inbox,
      channel: this.#channel,
      owner,
      keepMs: ttlMs + KEEP_MS,
    }
    const reply = await acquireScript.run(this.#redis, { lock: this.key }, args, ACQUIRE)
    switch (reply[0]) {
      case 'held':
        return { word: 'held', fence: BigInt(reply[1]), nowMs: reply[2] }
      case 'queued':
        return { word: 'queued', leftMs: reply[1], nowMs: reply[2] }
      default:
        return { word: reply[0] }
    }
  }

  async release(token: string): Promise<'released' | 'left' | 'gone'> {
    const args = { token, channel: this.#channel }
    const [word] = await releaseScript.run(this.#redis, { lock: this.key }, args, RELEASE)
    return word
  }

  async beat(tokens: readonly string[], patienceMs: number): Promise<BeatReply> {
    const args = { channel: this.#channel, patienceMs, tokens }
    const [, leftMs, nowMs, ...missing] = await beatScript.run(this.#redis, { lock: this.key }, args, BEAT)
    return { leftMs, nowMs, missing }
  }
}

/** Renews locks, those of one place in one call. */
export class LockRenewer implements Renewer {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  renew(
    renewals: readonly Renewal[],
    timeoutMs: number,
    tell: (at: number, still: boolean | undefined, error?: unknown) => void,
  ): void {
    const items = renewals.map((renewal, at) => ({ ...renewal, at }))
    for (const lot of this.#redis.groupByPlace(items, ({ key }) => key, MOST_PER_CALL)) {
      const locks = lot.map(({ key }) => key)
      const holds = lot.map(({ token, ttlMs }) => `${token}${ttlMs}`)
      const options = { operation: 'lock.renew', repeat: true, timeoutMs }
      renewScript.run(this.#redis, { locks }, { holds }, options).then(
        ([, ...still]) => lot.forEach(({ at }, i) => void tell(at, still[i] === 1)),
        (error) => lot.forEach(({ at }) => void tell(at, undefined, error)),
      )
    }
  }
}
