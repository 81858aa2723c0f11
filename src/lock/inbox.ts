import { randomId } from '../base/id.ts'
import type { Redis } from '../redis/redis.ts'
import { inboxPrefix } from './keys.ts'

/** A server that would not let us listen is asked again so much later. */
const AGAIN_MS = 5_000

/** Where this process is told that something it waits for is there: one channel, whatever it waits for. */
export class Inbox {
  /** 22 letters. */
  readonly id = randomId()
  readonly #redis: Redis
  readonly #readers = new Map<string, (words: readonly string[]) => void>()
  readonly #lookers: (() => void)[] = []
  #listening: Promise<void> | undefined
  #stop: (() => void) | undefined
  #triedMs = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Who reads messages that begin with `word`. */
  on(word: string, reader: (words: readonly string[]) => void): void {
    this.#readers.set(word, reader)
  }

  /** Who looks, once it is heard, for what happened before. */
  onUp(look: () => void): void {
    this.#lookers.push(look)
  }

  /** Listens from the first call on. */
  listen(): void {
    if (this.#closed || this.#listening !== undefined) return
    const nowMs = performance.now()
    if (nowMs - this.#triedMs < AGAIN_MS) return
    this.#triedMs = nowMs
    const channel = inboxPrefix(this.#redis.keyspace) + this.id
    this.#listening = this.#redis.listeners
      .listen(channel, (message) => this.#onMessage(message))
      .then(
        (stop) => {
          if (this.#closed) return stop()
          this.#stop = stop
          for (const look of this.#lookers) look()
        },
        () => {
          // Without the right to listen, those who wait look again every half second.
          this.#listening = undefined
        },
      )
  }

  #onMessage(message: string): void {
    const words = message.split(' ')
    this.#readers.get(words[0] as string)?.(words)
  }

  close(): void {
    this.#closed = true
    this.#stop?.()
  }
}
