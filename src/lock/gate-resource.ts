import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'
import { acquireGateScript, beatGateScript, releaseGateScript, renewGateScript } from './lua.generated.ts'
import type { AcquireReply, BeatReply, Renewal, Renewer, Request, Resource } from './resource.ts'

const MOST_PER_CALL = 100

const ACQUIRE = { operation: 'lock.acquire', repeat: true } as const
const RELEASE = { operation: 'lock.release', repeat: true } as const
const BEAT = { operation: 'lock.wait', repeat: true } as const

/** A gate in Redis: as many holders as its permits allow. */
export class GateResource implements Resource {
  readonly key: Key
  readonly name: string
  readonly renewer: Renewer
  readonly #redis: Redis
  readonly #inbox: string
  readonly #capacity: number
  readonly #channel: string

  constructor(redis: Redis, key: Key, name: string, inbox: string, capacity: number, renewer: GateRenewer) {
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
    const reply = await acquireGateScript.run(this.#redis, { gate: this.key }, args, ACQUIRE)
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
    const args = { token, channel: this.#channel, capacity: this.#capacity }
    const [word] = await releaseGateScript.run(this.#redis, { gate: this.key }, args, RELEASE)
    return word
  }

  async beat(tokens: readonly string[], patienceMs: number): Promise<BeatReply> {
    const args = { channel: this.#channel, patienceMs, capacity: this.#capacity, tokens }
    const [, leftMs, nowMs, ...missing] = await beatGateScript.run(this.#redis, { gate: this.key }, args, BEAT)
    return { leftMs, nowMs, missing }
  }
}

/** Renews permits, those of one gate in one call. */
export class GateRenewer implements Renewer {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  renew(
    renewals: readonly Renewal[],
    timeoutMs: number,
    tell: (at: number, still: boolean | undefined, error?: unknown) => void,
  ): void {
    const byGate = new Map<Key, (Renewal & { readonly at: number })[]>()
    renewals.forEach((renewal, at) => {
      const lot = byGate.get(renewal.key) ?? []
      byGate.set(renewal.key, lot)
      lot.push({ ...renewal, at })
    })
    for (const [gate, all] of byGate)
      for (let i = 0; i < all.length; i += MOST_PER_CALL) {
        const lot = all.slice(i, i + MOST_PER_CALL)
        const holds = lot.map(({ token, ttlMs }) => `${token}${ttlMs}`)
        const options = { operation: 'lock.renew', repeat: true, timeoutMs }
        renewGateScript.run(this.#redis, { gate }, { holds }, options).then(
          ([, ...still]) => lot.forEach(({ at }, n) => void tell(at, still[n] === 1)),
          (error) => lot.forEach(({ at }) => void tell(at, undefined, error)),
        )
      }
  }
}
