import { lotsBy } from '../base/lots.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'
import {
  acquireGateScript,
  beatGateScript,
  releaseGateForcedScript,
  releaseGateScript,
  renewGateScript,
} from './lua.generated.ts'
import { MOST_RENEWALS, type Renewer, renewerInLots } from './renewer.ts'
import { type AcquireReply, type BeatReply, CALLS, type Request, type Resource, readAcquired } from './resource.ts'

/** A gate in Redis: as many holders as its permits allow. */
export class GateResource implements Resource {
  readonly key: Key
  readonly name: string
  readonly renewer: Renewer
  readonly #redis: Redis
  readonly #inbox: string
  readonly #capacity: number
  readonly #channel: string

  constructor(redis: Redis, key: Key, name: string, inbox: string, capacity: number, renewer: Renewer) {
    this.key = key
    this.name = name
    this.renewer = renewer
    this.#redis = redis
    this.#inbox = inbox
    this.#capacity = capacity
    this.#channel = inboxPrefix(redis.keyspace)
  }

  async acquire({ token, ttlMs, owner, permits }: Request, patienceMs: number): Promise<AcquireReply> {
    const [inbox, channel, capacity] = [this.#inbox, this.#channel, this.#capacity]
    const args = { token, ttlMs, patienceMs, inbox, channel, permits, capacity, owner }
    const reply = await acquireGateScript.run(this.#redis, { gate: this.key }, args, CALLS.acquire)
    return readAcquired(reply)
  }

  async release(token: string): Promise<'released' | 'left' | 'gone'> {
    const args = { token, channel: this.#channel, capacity: this.#capacity }
    const [word] = await releaseGateScript.run(this.#redis, { gate: this.key }, args, CALLS.release)
    return word
  }

  async beat(tokens: readonly string[], patienceMs: number): Promise<BeatReply> {
    const args = { channel: this.#channel, patienceMs, capacity: this.#capacity, tokens }
    const [, leftMs, nowMs, ...missing] = await beatGateScript.run(this.#redis, { gate: this.key }, args, CALLS.beat)
    return { leftMs, nowMs, missing }
  }

  async releaseForced(): Promise<boolean> {
    const args = { channel: this.#channel, capacity: this.#capacity }
    const [word] = await releaseGateForcedScript.run(this.#redis, { gate: this.key }, args, CALLS.releaseForced)
    return word === 'released'
  }
}

/** Renews permits, those of one gate in one call. */
export const gateRenewer = (redis: Redis): Renewer =>
  renewerInLots(
    (renewals) => lotsBy(renewals, ({ key }) => key, MOST_RENEWALS),
    (lot, holds, options) => renewGateScript.run(redis, { gate: lot[0]?.key as Key }, { holds }, options),
  )
