import { randomId } from '../base/id.ts'
import { Doorbell } from '../redis/doorbell.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'

/** Where this process is told that something it waits for is there: one channel, whatever it waits for. */
export class Inbox {
  /** 22 letters. */
  readonly id = randomId()
  readonly #doorbell: Doorbell
  readonly #readers = new Map<string, (words: readonly string[]) => void>()
  readonly #lookers: (() => void)[] = []

  constructor(redis: Redis) {
    this.#doorbell = new Doorbell(redis.listeners, inboxPrefix(redis.keyspace) + this.id, {
      onMessage: (message) => {
        const words = message.split(' ')
        this.#readers.get(words[0] as string)?.(words)
      },
      onUp: () => {
        for (const look of this.#lookers) look()
      },
    })
  }

  /** Who reads messages that begin with `word`. */
  on(word: string, reader: (words: readonly string[]) => void): void {
    this.#readers.set(word, reader)
  }

  /** Who looks, once it is heard, for what happened before. */
  onUp(look: () => void): void {
    this.#lookers.push(look)
  }

  /** Listens from the first call on: whoever never waits needs no channel. */
  listen(): void {
    this.#doorbell.listen()
  }

  close(): void {
    this.#doorbell.close()
  }
}
