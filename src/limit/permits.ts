import type { Redis } from '../redis/redis.ts'
import type { LimitKeys } from './keys.ts'
import type { LocalLimiter } from './local.ts'
import { extendScript } from './lua.generated.ts'
import type { Rule } from './rules.ts'
import type { Permit } from './turn.ts'

/** Gives permits of `concurrency` back, or keeps them longer. Both are known by their token, and so are safe to repeat. */
export class PermitDesk {
  readonly #redis: Redis
  readonly #keys: LimitKeys
  readonly #rules: readonly Rule[]
  readonly #deadline: { readonly timeoutMs?: number }

  constructor(redis: Redis, keys: LimitKeys, rules: readonly Rule[], timeoutMs: number | undefined) {
    this.#redis = redis
    this.#keys = keys
    this.#rules = rules.filter(({ algorithm }) => algorithm === 'concurrency')
    this.#deadline = timeoutMs === undefined ? {} : { timeoutMs }
  }

  /** The permits that were admitted under a token. */
  permit(id: string, token: string, weight: number): Permit {
    let released = false
    return {
      release: async () => {
        if (released) return
        await this.#release(id, token, weight)
        released = true
      },
      extend: async () => !released && (await this.#extend(id, token, weight)),
    }
  }

  /** The permits that this process alone gave, while Redis was away. */
  localPermit(local: LocalLimiter, id: string, token: string): Permit {
    return { release: async () => local.release(id, token), extend: async () => true }
  }

  async #release(id: string, token: string, weight: number): Promise<void> {
    const state = this.#keys.state(id)
    const members = Array.from({ length: weight }, (_, n) => (n === 0 ? token : `${token}#${n + 1}`))
    await Promise.all(
      this.#rules.map(({ field }) => {
        const key = this.#keys.of(state, field)
        const options = { operation: 'limit.release', repeat: true, ...this.#deadline }
        return this.#redis.call(key, 'ZREM', [key, ...members], options)
      }),
    )
  }

  async #extend(id: string, token: string, weight: number): Promise<boolean> {
    const state = this.#keys.state(id)
    const permits = this.#rules.map(({ field }) => this.#keys.of(state, field))
    const lives = this.#rules.map(({ perUs }) => String(perUs))
    const options = { operation: 'limit.extend', repeat: true, ...this.#deadline }
    const [word] = await extendScript.run(this.#redis, { permits }, { token, weight, lives }, options)
    return word === 'extended'
  }
}
