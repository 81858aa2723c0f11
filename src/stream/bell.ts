import { monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { bellPrefix } from './keys.ts'

/** A server that would not let us listen is asked again so much later. */
const AGAIN_MS = 5_000

interface Listening {
  stop: (() => void) | undefined
  triedMs: number
}

/** Where this process is told that there is work: one channel, whatever it waits for. A message is the key of the shard that has some. */
export class Bell {
  readonly id = randomId(16)
  readonly #redis: Redis
  readonly #listeners = new Map<Key, () => void>()
  readonly #listening = new Map<Key, Listening>()
  #closed = false

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Told when there is work behind `key`; heard from soon on, and told once then, for what came before. */
  on(key: Key, listener: () => void): void {
    this.#listeners.set(key, listener)
    this.#listen(key)
  }

  off(key: Key): void {
    this.#listeners.delete(key)
    this.#listening.get(key)?.stop?.()
    this.#listening.delete(key)
  }

  /** Asks again where it was refused. */
  hear(key: Key): void {
    const listening = this.#listening.get(key)
    if (listening?.stop === undefined && monotonicMs() - (listening?.triedMs ?? 0) > AGAIN_MS) this.#listen(key)
  }

  // Near each key: where a message for it is published, whoever publishes it learns whether anybody heard it.
  #listen(key: Key): void {
    if (this.#closed || !this.#listeners.has(key)) return
    const listening: Listening = { stop: undefined, triedMs: monotonicMs() }
    this.#listening.set(key, listening)
    const channel = bellPrefix(this.#redis.keyspace) + this.id
    this.#redis.listeners
      .listen(channel, (message) => this.#listeners.get(message as Key)?.(), key)
      .then(
        (stop) => {
          if (this.#closed || this.#listening.get(key) !== listening) return stop()
          listening.stop = stop
          this.#listeners.get(key)?.()
        },
        // Without the right to listen, those who wait look again from time to time.
        () => {},
      )
  }

  close(): void {
    this.#closed = true
    for (const { stop } of this.#listening.values()) stop?.()
    this.#listening.clear()
  }
}
