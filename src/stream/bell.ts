import { randomId } from '../base/id.ts'
import { Doorbell } from '../redis/doorbell.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { bellPrefix } from './keys.ts'

/** Where this process is told that there is work: one channel, whatever it waits for. A message is the key of the shard that has some. */
export class Bell {
  readonly id = randomId(16)
  readonly #redis: Redis
  readonly #doorbells = new Map<Key, Doorbell>()

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Told when there is work behind `key`; heard from soon on, and told once then, for what came before. */
  on(key: Key, ring: () => void): void {
    const onMessage = (message: string) => {
      if (message === key) ring()
    }
    // Near each key: where a message for it is published, whoever publishes it learns whether anybody heard it.
    const options = { near: key, onMessage, onUp: ring }
    const doorbell = new Doorbell(this.#redis.listeners, bellPrefix(this.#redis.keyspace) + this.id, options)
    this.#doorbells.set(key, doorbell.listen())
  }

  off(key: Key): void {
    this.#doorbells.get(key)?.close()
    this.#doorbells.delete(key)
  }

  close(): void {
    for (const doorbell of this.#doorbells.values()) doorbell.close()
  }
}
