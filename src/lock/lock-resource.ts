import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'
import { acquireScript, beatScript, releaseForcedScript, releaseScript, renewScript } from './lua.generated.ts'
import { MOST_RENEWALS, type Renewer, renewerInLots } from './renewer.ts'
import {
  type AcquireReply,
  type BeatReply,
  CALLS,
  KEEP_MS,
  type Request,
  type Resource,
  readAcquired,
} from './resource.ts'

/** A lock in Redis: one holder. */
export class LockResource implements Resource {
  readonly key: Key
  readonly name: string
  readonly renewer: Renewer
  readonly #redis: Redis
  readonly #inbox: string
  readonly #channel: string

  constructor(redis: Redis, key: Key, name: string, inbox: string, renewer: Renewer) {
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
    const reply = await acquireScript.run(this.#redis, { lock: this.key }, args, CALLS.acquire)
    return readAcquired(reply)
  }

  async release(token: string): Promise<'released' | 'left' | 'gone'> {
    const args = { token, channel: this.#channel }
    const [word] = await releaseScript.run(this.#redis, { lock: this.key }, args, CALLS.release)
    return word
  }

  async beat(tokens: readonly string[], patienceMs: number): Promise<BeatReply> {
    const args = { channel: this.#channel, patienceMs, tokens }
    const [, leftMs, nowMs, ...missing] = await beatScript.run(this.#redis, { lock: this.key }, args, CALLS.beat)
    return { leftMs, nowMs, missing }
  }

  async releaseForced(): Promise<boolean> {
    const args = { channel: this.#channel }
    const [word] = await releaseForcedScript.run(this.#redis, { lock: this.key }, args, CALLS.releaseForced)
    return word === 'released'
  }
}

/** Renews locks, those of one place in one call. */
export const lockRenewer = (redis: Redis): Renewer =>
  renewerInLots(
    (renewals) => redis.groupByPlace(renewals, ({ key }) => key, MOST_RENEWALS),
    (lot, holds, options) => renewScript.run(redis, { locks: lot.map(({ key }) => key) }, { holds }, options),
  )
