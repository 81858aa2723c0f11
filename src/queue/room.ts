import { ConfigError, ConnectionError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { Bell } from '../stream/bell.ts'
import type { ResolvedQueue } from './options.ts'
import { Queue } from './queue.ts'

/** All that the queues of one process share: one channel on which it is told of work. */
export class QueueRoom {
  readonly #redis: Redis
  readonly #bell: Bell
  readonly #queues = new Map<string, { readonly queue: Queue<never>; readonly options: ResolvedQueue }>()
  #isClosed = false

  constructor(redis: Redis) {
    this.#redis = redis
    this.#bell = new Bell(redis)
  }

  /** The queue of this name; `isSame` says whether it may be had with these options. */
  queue<T>(name: string, options: ResolvedQueue, isSame: (a: unknown, b: unknown) => boolean): Queue<T> {
    if (this.#isClosed) throw new ConnectionError('CONNECTION_CLOSED', 'queue', 'close() was called')
    const known = this.#queues.get(name)
    if (known !== undefined) {
      if (!isSame(known.options, options))
        throw new ConfigError('options', `the options with which the queue '${name}' was made first`, options)
      return known.queue as unknown as Queue<T>
    }
    const queue = new Queue<T>(this.#redis, this.#bell, name, options, () => this.#queues.delete(name))
    this.#queues.set(name, { queue: queue as unknown as Queue<never>, options })
    return queue
  }

  /** Ends the workers, each within its `timeout`, and hands back what this process holds. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#queues.values()].map(({ queue }) => queue.close()))
    this.#bell.close()
  }
}
