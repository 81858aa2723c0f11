import type { Encoded } from '../base/codec.ts'
import { randomId } from '../base/id.ts'
import type { Redis } from '../redis/redis.ts'
import type { LogKeys } from './keys.ts'
import { appendScript } from './lua.generated.ts'

/** Most of one call: the server is busy with it for a millisecond at most. */
const MOST_ENTRIES = 256
const MOST_BYTES = 1024 * 1024
const SHORTEST_ERA_MS = 60_000

interface Waiting {
  readonly words: readonly [id: string, key: string, json: string, types: string]
  readonly done: (id: string) => void
  readonly fail: (error: unknown) => void
}

/**
 * Sends what is appended, one call at a time: what comes while one is under way goes along with the next. So entries of one process stand in
 * the order in which they were appended, also when a call has to be repeated, and the more there are the more go in one round trip.
 */
export class Appender {
  readonly #redis: Redis
  readonly #keys: LogKeys
  readonly #eraMs: number
  readonly #keepMs: number
  #waiting: Waiting[] = []
  #running = false

  constructor(redis: Redis, keys: LogKeys, keepMs: number) {
    this.#redis = redis
    this.#keys = keys
    this.#keepMs = keepMs
    // A repeat comes before the call's deadline.
    this.#eraMs = Math.max(SHORTEST_ERA_MS, 2 * redis.timeoutMs)
  }

  /** Answers the entry's id once it stands. `id`: the caller's own. */
  add({ json, types }: Encoded, key = '', id?: string): Promise<string> {
    return new Promise((done, fail) => {
      // A mark before it, so that an empty id is one, too.
      this.#waiting.push({ words: [id === undefined ? '' : `=${id}`, key, json, types], done, fail })
      if (this.#running) return
      this.#running = true
      // What else is appended in this tick goes along.
      queueMicrotask(() => void this.#run())
    })
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const lot = this.#take()
      try {
        const [, ...ids] = await this.#send(lot)
        lot.forEach(({ done }, i) => void done(ids[i] as string))
      } catch (error) {
        for (const { fail } of lot) fail(error)
      }
    }
    this.#running = false
  }

  #take(): readonly Waiting[] {
    let count = 0
    for (let bytes = 0; count < this.#waiting.length && count < MOST_ENTRIES; count++) {
      bytes += (this.#waiting[count] as Waiting).words[2].length
      if (count > 0 && bytes > MOST_BYTES) break
    }
    return this.#waiting.splice(0, count)
  }

  #send(lot: readonly Waiting[]) {
    const { entries, state, recent, channel } = this.#keys
    const items = lot.flatMap(({ words }) => words)
    const args = { token: randomId(), eraMs: this.#eraMs, keepMs: this.#keepMs, channel, items }
    return appendScript.run(this.#redis, { entries, state, recent }, args, { operation: 'log.append', repeat: true })
  }
}
