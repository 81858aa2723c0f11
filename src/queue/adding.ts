import { randomId } from '../base/id.ts'
import type { Redis } from '../redis/redis.ts'
import type { ShardKeys } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import { type Outcome, type Posting, Producer } from '../stream/producer.ts'
import type { AddedJob } from './effects.ts'
import { QueueFullError } from './errors.ts'
import type { Family } from './families.ts'
import { beginFamilyScript } from './lua.generated.ts'
import type { QueueDurability, ResolvedQueue } from './options.ts'
import type { Prepared } from './postings.ts'

/** Jobs of one call that go the same way. */
interface Lot {
  readonly producer: Producer
  /** Their places in the call. */
  readonly places: number[]
  readonly postings: Posting[]
}

/** The ways of jobs into a queue: one for each shard and durability, so that who waits for replicas keeps nobody waiting who does not. */
export class Adding {
  readonly #redis: Redis
  readonly #layouts: readonly Layout[]
  readonly #name: string
  readonly #options: ResolvedQueue
  readonly #ways = new Map<string, Producer>()

  constructor(redis: Redis, layouts: readonly Layout[], name: string, options: ResolvedQueue) {
    this.#redis = redis
    this.#layouts = layouts
    this.#name = name
    this.#options = options
  }

  #way(shard: number, durability: QueueDurability, isBounded: boolean): Producer {
    const name = `${shard} ${durability} ${isBounded}`
    const known = this.#ways.get(name)
    if (known !== undefined) return known
    const { maxLength, shards, groupConcurrency: groupMost } = this.#options
    const way = new Producer(this.#redis, this.#layouts[shard] as Layout, 'queue', randomId(9), {
      length: isBounded && maxLength > 0 ? Math.ceil(maxLength / shards) : 0,
      groupMost,
      durability: durability === 'async' ? undefined : durability,
    })
    this.#ways.set(name, way)
    return way
  }

  /** `isBounded`: only while there is room for it. Throws QUEUE_FULL. */
  async add({ id, shard, posting, durability }: Prepared, isBounded = true): Promise<AddedJob> {
    const { outcomes, durable } = await this.#way(shard, durability, isBounded).post([posting])
    if (outcomes[0] === 'full') throw new QueueFullError(this.#name, this.#options.maxLength, [])
    const added = answerOf(id, outcomes[0] as Outcome)
    return durability === 'async' ? added : { ...added, durable }
  }

  /** All of it or nothing: nothing too while a child of an earlier parent of its id is there. Throws QUEUE_FULL. */
  async addFamily({ id, postings }: Family, shard: number, durability: QueueDurability): Promise<AddedJob> {
    const word = await this.#clear(postings, (this.#layouts[shard] as Layout).keys)
    if (word === 'busy' || (word === 'exists' && durability === 'async'))
      return durability === 'async' ? { id, added: false } : { id, added: false, durable: false }
    const { outcomes, durable } = await this.#way(shard, durability, true).post(postings, true)
    if (outcomes[0] === 'full') throw new QueueFullError(this.#name, this.#options.maxLength, [])
    const added = answerOf(id, outcomes[0] as Outcome)
    return durability === 'async' ? added : { ...added, durable }
  }

  /** An id of the user's may have had a family before: what that left behind is not the new one's. */
  async #clear(postings: readonly Posting[], keys: ShardKeys): Promise<'cleared' | 'exists' | 'busy'> {
    const ids = postings.map(({ named }) => named)
    if (ids[0] === '') return 'cleared'
    const families = postings.filter(({ ms }) => ms < 0).map(({ named }) => keys.family(named))
    const options = { operation: 'queue.add', repeat: true }
    return (await beginFamilyScript.run(this.#redis, { ids: keys.ids, families }, { ids }, options))[0]
  }

  /** Throws QUEUE_FULL, with the ids of those that were added. */
  async addMany(jobs: readonly Prepared[]): Promise<AddedJob[]> {
    const lots = lotsOf(jobs, ({ shard, durability }) => this.#way(shard, durability, true))
    const all: Outcome[] = []
    const reached: boolean[] = []
    const send = async ({ producer, places, postings }: Lot) => {
      const { outcomes, durable } = await producer.post(postings)
      places.forEach((i, at) => {
        all[i] = outcomes[at] as Outcome
        reached[i] = durable
      })
    }
    await Promise.all(lots.map(send))
    if (all.includes('full')) {
      const answers = jobs.map(({ id }, i) => answerOf(id, all[i] as Outcome))
      const added = answers.flatMap(({ id, added }) => (added ? [id] : []))
      throw new QueueFullError(this.#name, this.#options.maxLength, added)
    }
    return jobs.map(({ id, durability }, i) => {
      const added = answerOf(id, all[i] as Outcome)
      return durability === 'async' ? added : { ...added, durable: reached[i] as boolean }
    })
  }
}

function answerOf(id: string, outcome: Outcome): AddedJob {
  if (outcome === 'added') return { id, added: true }
  const [word, n] = outcome.split('@')
  if (n === undefined) return { id, added: false }
  const own = n === '0' ? id : `${id}@${n}`
  return word === 'replaced' ? { id: own, added: true, replaced: true } : { id: own, added: true }
}

function lotsOf(jobs: readonly Prepared[], wayOf: (job: Prepared) => Producer): readonly Lot[] {
  const lots: Lot[] = []
  let before: Prepared | undefined
  let lot: Lot | undefined
  for (const [i, job] of jobs.entries()) {
    // Most go the way of the one before.
    if (lot === undefined || job.shard !== before?.shard || job.durability !== before.durability) {
      const producer = wayOf(job)
      lot = lots.find((one) => one.producer === producer)
      if (lot === undefined) {
        lot = { producer, places: [], postings: [] }
        lots.push(lot)
      }
      before = job
    }
    lot.places.push(i)
    lot.postings.push(job.posting)
  }
  return lots
}
