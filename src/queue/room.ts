import { ConnectionError } from '../base/errors.ts'
import { Named } from '../base/named.ts'
import type { Redis } from '../redis/redis.ts'
import { Bell } from '../stream/bell.ts'
import type { ResolvedQueue } from './options.ts'
import { Queue } from './queue.ts'

/** All that the queues of one process share: one channel on which it is told of work. */
export class QueueRoom {
  readonly #redis: Redis
  readonly #bell: Bell
  readonly #queues = new Named<Queue<never>, ResolvedQueue>('queue')
  #isClosed = false

  constructor(redis: Redis) {
    this.#redis = redis
    this.#bell = new Bell(redis)
  }

  /** The queue of this name; `given`: its options as the user wrote them, for the error. */
  queue<T>(name: string, options: ResolvedQueue, given: unknown): Queue<T> {
    if (this.#isClosed) throw new ConnectionError('CONNECTION_CLOSED', 'queue', 'close() was called')
    const make = () => new Queue<never>(this.#redis, this.#bell, name, options, () => this.#queues.forget(name))
    return this.#queues.get(name, options, given, make) as unknown as Queue<T>
  }

  /** Ends the workers, each within its `timeout`, and hands back what this process holds. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(this.#queues.all.map((queue) => queue.close()))
    this.#bell.close()
  }
}
