import { ConfigError } from '../base/errors.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { HELD, type ShardKeys } from './keys.ts'
import { openLaneScript } from './lua.generated.ts'
import { differenceOf, type Shape, shapeIn, writeShape } from './shape.ts'

/** More lanes would make every turn long. */
export const MOST_LANES = 16

export interface LayoutTerms {
  /** What this process was told that the stream is like. Without it any is right, and no lane is opened. */
  readonly shape?: Shape
  /** Of the first shard, where whoever comes looks for the shape. */
  readonly first?: Layout | undefined
}

/**
 * The lanes of one shard as this process knows them: their priorities, highest first. Every script says which layout it means, and is
 * answered the one that stands where that is another. The shape of the stream is the last part of it: so who was told another learns it by the
 * first script that he sends, and no call is made for it.
 */
export class Layout {
  readonly keys: ShardKeys
  readonly #redis: Redis
  readonly #shape: string
  readonly #first: Layout | undefined
  readonly #opening = new Map<number, Promise<void>>()
  text = ''
  priorities: readonly number[] = []
  lanes: readonly Key[] = []
  /** The lanes, and after them what scripts need beside where there are ranks or groups. */
  all: readonly Key[] = []

  constructor(redis: Redis, keys: ShardKeys, { shape, first }: LayoutTerms = {}) {
    this.#redis = redis
    this.keys = keys
    this.#shape = shape === undefined ? '' : writeShape(shape)
    this.#first = first
  }

  /** What a script answered. Throws ConfigError where the stream has another shape than this process was told: nothing was done then. */
  learn(text: string): void {
    if (text === this.text) return
    const shape = shapeIn(text)
    if (this.#shape !== '' && shape !== '' && shape !== this.#shape) {
      const { option, stored, told } = differenceOf(shape, this.#shape)
      throw new ConfigError(option, `${stored}, as ${this.keys.state} has it`, told)
    }
    this.text = text
    const lanes = shape === '' ? text : text.slice(0, -shape.length - 1)
    this.priorities = lanes === '' ? [] : lanes.split(',').map(Number)
    this.lanes = this.priorities.map((priority) => this.keys.lane(priority))
    const { ranked, grouped, round, running, parked } = this.keys
    this.all = this.has(HELD) ? [...this.lanes, ranked, grouped, round, running, parked] : this.lanes
  }

  has(priority: number): boolean {
    return this.priorities.includes(priority)
  }

  /** Makes the lane of a priority, in the place of an empty one where there are too many. Throws ConfigError where none is empty, or the stream has another shape. */
  open(priority: number, operation: string): Promise<void> {
    const opening =
      this.#opening.get(priority) ?? this.#open(priority, operation).finally(() => this.#opening.delete(priority))
    this.#opening.set(priority, opening)
    return opening
  }

  async #open(priority: number, operation: string): Promise<void> {
    // The shape is looked for there: no other shard is used before it says so.
    if (this.#first !== undefined && shapeIn(this.#first.text) === '') await this.#first.open(priority, operation)
    for (;;) {
      const keys = { state: this.keys.state, lane: this.keys.lane(priority), lanes: this.lanes }
      const args = { layout: this.text, priority, most: MOST_LANES, shape: this.#shape }
      const [word, layout] = await openLaneScript.run(this.#redis, keys, args, { operation, repeat: true })
      this.learn(layout)
      if (word === 'crowded') throw crowded(this.priorities, priority)
      if (word === 'opened' || this.has(priority)) return
    }
  }
}

/** There is no lane left for a priority. */
export function crowded(priorities: readonly number[], priority: number): ConfigError {
  const used = priorities.filter((one) => one !== HELD).join(', ')
  return new ConfigError('priority', `one of the ${MOST_LANES} different ones that have jobs (${used})`, priority)
}
