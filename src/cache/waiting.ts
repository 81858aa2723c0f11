import type { Redis } from '../redis/redis.ts'
import type { CacheKeys } from './keys.ts'

/** The net under a lost message: someone who waits looks again by himself after this long, varied by a third. */
const LOOK_AGAIN_MS = 150

/** Wakes those who wait for another process's load: the script that ends it publishes the key. */
export class FillBell {
  readonly #redis: Redis
  readonly #keys: CacheKeys
  readonly #waiting = new Map<string, Set<() => void>>()
  #listening: Promise<unknown> | undefined

  constructor(redis: Redis, keys: CacheKeys) {
    this.#redis = redis
    this.#keys = keys
  }

  /** Starts to listen, once; without it waiting still works, by looking again. */
  listen(): Promise<unknown> {
    this.#listening ??= this.#redis.listeners
      .listen(this.#keys.channel, (key) => this.#ring(key))
      .catch(() => {
        this.#listening = undefined
      })
    return this.#listening
  }

  /** The next ring for `id`, never later than the look-again time. Ask for it before you look, or you may miss it. */
  next(id: string): { readonly rung: Promise<void>; cancel(): void } {
    const key = this.#keys.entry(id)
    const waiters = this.#waiting.get(key) ?? new Set()
    this.#waiting.set(key, waiters)
    let wake = () => {}
    const rung = new Promise<void>((resolve) => {
      const timer = setTimeout(() => wake(), LOOK_AGAIN_MS * (2 / 3 + Math.random() * (2 / 3)))
      wake = () => {
        clearTimeout(timer)
        waiters.delete(wake)
        if (waiters.size === 0 && this.#waiting.get(key) === waiters) this.#waiting.delete(key)
        resolve()
      }
      waiters.add(wake)
    })
    return { rung, cancel: wake }
  }

  // A fill says the entry's key, a release the lease's.
  #ring(key: string): void {
    for (const wake of this.#waiting.get(key.replace(/^lease:/, '')) ?? []) wake()
  }
}
