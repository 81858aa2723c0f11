import { ConfigError } from '../base/errors.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { HELD, type ShardKeys } from './keys.ts'
import { openLaneScript } from './lua.generated.ts'

/** More lanes would make every turn long. */
export const MOST_LANES = 16

/**
 * The lanes of one shard as this process knows them: their priorities, highest first. Every script says which layout it means, and is
 * answered the one that stands where that is another.
 */
export class Layout {
  readonly keys: ShardKeys
  readonly #redis: Redis
  readonly #opening = new Map<number, Promise<void>>()
  text = ''
  priorities: readonly number[] = []
  lanes: readonly Key[] = []
  /** The lanes, and after them what scripts need beside where there are ranks or groups. */
  all: readonly Key[] = []

  constructor(redis: Redis, keys: ShardKeys) {
    this.#redis = redis
    this.keys = keys
  }

  /** What a script answered. */
  learn(text: string): void {
    if (text === this.text) return
    this.text = text
    this.priorities = text === '' ? [] : text.split(',').map(Number)
    this.lanes = this.priorities.map((priority) => this.keys.lane(priority))
    const { ranked, grouped, round, running, parked } = this.keys
    this.all = this.has(HELD) ? [...this.lanes, ranked, grouped, round, running, parked] : this.lanes
  }

  has(priority: number): boolean {
    return this.priorities.includes(priority)
  }

  /** Makes the lane of a priority, in the place of an empty one where there are too many. Throws ConfigError where none is empty. */
  open(priority: number, operation: string): Promise<void> {
    const opening =
      this.#opening.get(priority) ?? this.#open(priority, operation).finally(() => this.#opening.delete(priority))
    this.#opening.set(priority, opening)
    return opening
  }

  async #open(priority: number, operation: string): Promise<void> {
    for (;;) {
      const keys = { state: this.keys.state, lane: this.keys.lane(priority), lanes: this.lanes }
      const args = { layout: this.text, priority, most: MOST_LANES }
      const [word, layout] = await openLaneScript.run(this.#redis, keys, args, { operation, repeat: true })
      this.learn(layout)
      if (word === 'crowded')
        throw new ConfigError(
          'priority',
          `one of the ${MOST_LANES} different ones that have jobs (${layout})`,
          priority,
        )
      if (word === 'opened' || this.has(priority)) return
    }
  }
}
