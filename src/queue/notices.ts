import { Doorbell } from '../redis/doorbell.ts'
import { escapeLast } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'

/** Where all processes with a worker hear what concerns a shard: `schedules`, or `cancel` and an id. */
export const noticeChannel = (redis: Redis, { keys }: Layout): string => `${bellPrefix(redis.keyspace)}${keys.state}`

/**
 * Where those who wait for a job hear that there is something to see: `progress` or `ended`. One for all shards: who waits for a job of a group
 * does not know in which it is.
 */
export const outcomeChannel = (redis: Redis, layouts: readonly Layout[], id: string): string =>
  `${noticeChannel(redis, layouts[0] as Layout)}:${escapeLast(id)}`

/** Where those who follow the events of a queue hear that there are some. */
export const eventsChannel = (redis: Redis, first: Layout): string => `${noticeChannel(redis, first)}::events`

/** Hears the notices of a queue's shards while it is wanted. */
export class Notices {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #onNotice: (word: string, rest: string) => void
  #doorbells: readonly Doorbell[] = []

  constructor(redis: Redis, layouts: readonly Layout[], onNotice: (word: string, rest: string) => void) {
    this.#redis = redis
    this.#layouts = layouts
    this.#onNotice = onNotice
  }

  start(): void {
    if (this.#doorbells.length > 0) return
    const onMessage = (message: string) => {
      const at = message.indexOf(' ')
      this.#onNotice(at < 0 ? message : message.slice(0, at), at < 0 ? '' : message.slice(at + 1))
    }
    // For what was said before it could be heard. Unheard, schedules are looked at from time to time, and running jobs cannot be cancelled.
    const onUp = () => this.#onNotice('schedules', '')
    this.#doorbells = this.#layouts.map((layout) => {
      const options = { near: layout.keys.state, onMessage, onUp }
      return new Doorbell(this.#redis.listeners, noticeChannel(this.#redis, layout), options).listen()
    })
  }

  stop(): void {
    for (const doorbell of this.#doorbells) doorbell.close()
    this.#doorbells = []
  }
}
