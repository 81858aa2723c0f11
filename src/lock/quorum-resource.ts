import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'
import { acquireScript, releaseScript, renewScript } from './lua.generated.ts'
import type { Renewal, Renewer, Tell } from './renewer.ts'
import { type Holdable, KEEP_MS, type Request } from './resource.ts'

/** Nobody is told anything on these servers: whoever waits asks again. */
const INBOX = randomId()

/** What came of asking a majority. */
export interface Vote {
  readonly won: boolean
  /** Why a server could not be asked; undefined where all that answered said no. */
  readonly trouble: unknown
}

/** A lock that is held on more than half of several servers that know nothing of each other. */
export class QuorumResource implements Holdable {
  readonly key: Key
  readonly name: string
  readonly renewer: Renewer
  readonly #servers: readonly Redis[]
  readonly #serverTimeoutMs: number

  constructor(servers: readonly Redis[], key: Key, name: string, serverTimeoutMs: number) {
    this.key = key
    this.name = name
    this.#servers = servers
    this.#serverTimeoutMs = serverTimeoutMs
    this.renewer = { renew: (renewals, _, tell) => this.#renew(renewals, tell) }
  }

  /** All are asked at once, each with its own deadline; decided as soon as more than half have said the same. */
  acquire({ token, ttlMs, owner }: Request): Promise<Vote> {
    const args = { token, ttlMs, patienceMs: 0, inbox: INBOX, channel: '', owner, keepMs: ttlMs + KEEP_MS }
    return this.#vote(async (redis) => {
      const reply = await acquireScript.run(redis, { lock: this.key }, args, this.#options('lock.acquire'))
      return reply[0] === 'held'
    })
  }

  /** On all of them, also those that said no or nothing: what was sent may be carried out late. */
  async release(token: string): Promise<'released' | 'gone'> {
    const { won, trouble } = await this.#vote(async (redis) => {
      const channel = inboxPrefix(redis.keyspace)
      const args = { token, channel }
      const [word] = await releaseScript.run(redis, { lock: this.key }, args, this.#options('lock.release'))
      return word === 'released'
    })
    if (!won && trouble !== undefined) throw trouble
    return won ? 'released' : 'gone'
  }

  #renew(renewals: readonly Renewal[], tell: Tell): void {
    renewals.forEach(({ token, ttlMs }, at) => {
      const holds = [`${token}${ttlMs}`]
      this.#vote(async (redis) => {
        const options = this.#options('lock.renew')
        const [, still] = await renewScript.run(redis, { locks: [this.key] }, { holds }, options)
        return still === 1
      }).then(({ won, trouble }) => tell(at, won ? true : trouble === undefined ? false : undefined, trouble))
    })
  }

  #options(operation: string) {
    return { operation, repeat: true, timeoutMs: this.#serverTimeoutMs }
  }

  #vote(ask: (redis: Redis) => Promise<boolean>): Promise<Vote> {
    const needed = Math.floor(this.#servers.length / 2) + 1
    return new Promise((resolve) => {
      let [yes, asked] = [0, this.#servers.length]
      let trouble: unknown
      const count = (said: boolean) => {
        asked--
        if (said) yes++
        if (yes === needed) resolve({ won: true, trouble })
        else if (yes + asked < needed) resolve({ won: false, trouble })
      }
      for (const redis of this.#servers)
        ask(redis).then(count, (error) => {
          trouble = error
          count(false)
        })
    })
  }
}
