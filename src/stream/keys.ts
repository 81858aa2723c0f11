import { escapeLast, type Key, type Keyspace } from '../redis/keyspace.ts'

/** The lane of what is given out by exact rank or by group, as a priority that no job has: above all others. */
export const HELD = 1_000_000

/** When a parent is due that waits for its children: never. A script that ends a child brings it in. */
export const AWAITED_MS = 9e15

/**
 * The keys of one shard of a stream, all of one hash tag. For the first shard of the queue `email` in the namespace `shop`:
 *
 *     {shop:queue:email:0}              hash    layout (its lanes, then the shape of the whole), since when each lane is one, paused, the last
 *                                               fence, how many jobs were done, how many attempts failed, the last 256
 *                                               consumers that were blamed for a death, and which number jobs had 10 s ago
 *     {shop:queue:email:0}:lane:0       stream  jobs that wait or run, one stream a priority, one group `g`
 *     {shop:queue:email:0}:lane:held    stream  jobs that were given out of the following five; none of them waits there
 *     {shop:queue:email:0}:ranked       zset    ids of jobs that wait by their exact priority
 *     {shop:queue:email:0}:grouped      zset    those that wait for their group's turn: group, a zero byte, place in line, id
 *     {shop:queue:email:0}:round        zset    groups that have a turn, by when they had the last one and the priority of their first job
 *     {shop:queue:email:0}:running      hash    by group, how many of its jobs are given out
 *     {shop:queue:email:0}:parked       zset    groups whose first job waits for its next attempt, by when that is
 *     {shop:queue:email:0}:leases       zset    consumers, by the end of their leases
 *     {shop:queue:email:0}:delayed      zset    ids of jobs that wait for their time, by it
 *     {shop:queue:email:0}:bodies       hash    envelopes of all that wait in no lane
 *     {shop:queue:email:0}:ids          hash    ids that users gave, of jobs that exist
 *     {shop:queue:email:0}:kept         zset    ids that are refused although their jobs are done, by until when. As long as the longest
 *     {shop:queue:email:0}:dead         zset    ids of dead letters, by when they died, no two at the same moment
 *     {shop:queue:email:0}:dead-bodies  hash    their reasons, errors and envelopes
 *     {shop:queue:email:0}:idle         zset    processes that want to be told of work, by since when
 *     {shop:queue:email:0}:wake         list    a token, where somebody blocks until he is told
 *     {shop:queue:email:0}:progress:ID  string  what a handler last told of a job. An hour
 *     {shop:queue:email:0}:family:ID    hash    what children of ID came to, by their place. A month once they have all ended
 *     {shop:queue:email:0}:receipt:P:0  string  the last batch of producer P, so that a repeat adds nothing. A minute
 *
 * Only receipts, progress, kept ids and what is over of families expire: whatever else is here is work that somebody counts on.
 */
export class ShardKeys {
  readonly state: Key
  readonly leases: Key
  readonly delayed: Key
  readonly bodies: Key
  readonly ids: Key
  readonly kept: Key
  readonly dead: Key
  readonly deadBodies: Key
  readonly idle: Key
  readonly wake: Key
  readonly ranked: Key
  readonly grouped: Key
  readonly round: Key
  readonly running: Key
  readonly parked: Key
  readonly #lanes = new Map<number, Key>()

  constructor(state: Key) {
    const of = (part: string) => `${state}:${part}` as Key
    this.state = state
    this.leases = of('leases')
    this.delayed = of('delayed')
    this.bodies = of('bodies')
    this.ids = of('ids')
    this.kept = of('kept')
    this.dead = of('dead')
    this.deadBodies = of('dead-bodies')
    this.idle = of('idle')
    this.wake = of('wake')
    this.ranked = of('ranked')
    this.grouped = of('grouped')
    this.round = of('round')
    this.running = of('running')
    this.parked = of('parked')
  }

  lane(priority: number): Key {
    const known = this.#lanes.get(priority)
    if (known !== undefined) return known
    const lane = `${this.state}:lane:${priority === HELD ? 'held' : priority}` as Key
    this.#lanes.set(priority, lane)
    return lane
  }

  progress(id: string): Key {
    return `${this.state}:progress:${escapeLast(id)}` as Key
  }

  family(id: string): Key {
    return `${this.state}:family:${escapeLast(id)}` as Key
  }

  receipt(producer: string, slot: number): Key {
    return `${this.state}:receipt:${producer}:${slot}` as Key
  }
}

/** The keys of a stream of one room, such as a queue. */
export class StreamKeys {
  readonly #keyspace: Keyspace
  readonly #room: string
  readonly #name: string
  /** A pattern over all its keys, for the manifest of rights. */
  readonly pattern: string

  constructor(keyspace: Keyspace, room: string, name: string) {
    this.#keyspace = keyspace
    this.#room = room
    this.#name = name
    this.pattern = `{${keyspace.stem(room, name)}*`
  }

  shard(shard: number): ShardKeys {
    return new ShardKeys(this.#keyspace.entity(this.#room, this.#name, String(shard)))
  }
}

/** What the channels of processes begin with: each process hears one, whatever it waits for. */
export const bellPrefix = (keyspace: Keyspace): string => keyspace.channel('bell', '')

/** All of them, as a pattern for ACL rules. */
export const bellPattern = (keyspace: Keyspace): string => `${bellPrefix(keyspace)}*`
