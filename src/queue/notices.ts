import { escapeLast } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'

/** A server that would not let us listen is asked again so much later. */
const AGAIN_MS = 5_000

/** Where all processes with a worker hear what concerns a shard: `schedules`, or `cancel` and an id. */
export const noticeChannel = (redis: Redis, { keys }: Layout): string => `${bellPrefix(redis.keyspace)}${keys.state}`

/**
 * Where those who wait for a job hear that there is something to see: `progress` or `ended`. One for all shards: who waits for a job of a group
 * does not know in which it is.
 */
export const outcomeChannel = (redis: Redis, layouts: readonly Layout[], id: string): string =>
  `${noticeChannel(redis, layouts[0] as Layout)}:${escapeLast(id)}`

/** Hears the notices of a queue's shards while it is wanted. */
export class Notices {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #onNotice: (word: string, rest: string) => void
  #stops: (() => void)[] | undefined

  constructor(redis: Redis, layouts: readonly Layout[], onNotice: (word: string, rest: string) => void) {
    this.#redis = redis
    this.#layouts = layouts
    this.#onNotice = onNotice
  }

  start(): void {
    if (this.#stops !== undefined) return
    this.#stops = []
    for (const layout of this.#layouts) this.#listen(layout, this.#stops)
  }

  #listen(layout: Layout, stops: (() => void)[]): void {
    const hear = (message: string) => {
      const at = message.indexOf(' ')
      this.#onNotice(at < 0 ? message : message.slice(0, at), at < 0 ? '' : message.slice(at + 1))
    }
    this.#redis.listeners.listen(noticeChannel(this.#redis, layout), hear, layout.keys.state).then(
      (stop) => {
        if (this.#stops !== stops) return stop()
        stops.push(stop)
        // For what was said before it could be heard.
        this.#onNotice('schedules', '')
      },
      () => {
        // Without it schedules are looked at from time to time, and running jobs cannot be cancelled.
        const timer = setTimeout(() => this.#stops === stops && this.#listen(layout, stops), AGAIN_MS).unref()
        stops.push(() => clearTimeout(timer))
      },
    )
  }

  stop(): void {
    for (const stop of this.#stops ?? []) stop()
    this.#stops = undefined
  }
}
