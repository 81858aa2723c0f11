import type { Redis } from '../redis/redis.ts'
import { HELD, StreamKeys } from '../stream/keys.ts'
import { Layout } from '../stream/layout.ts'
import { countsScript } from '../stream/lua.generated.ts'
import { talliesKey } from './keys.ts'
import { drainScript } from './lua.generated.ts'

export { HIGHEST_PRIORITY } from './options.ts'
export { type PeekedJob, type PeekOptions, peekJobs } from './peek.ts'
export { findQueues, queueShape, reshapeQueue, type Shape, unknownQueue } from './shape.ts'

const DRAINED_AT_ONCE = 200

export interface QueueCounts {
  /** Jobs that could run now. */
  readonly waiting: number
  /** Jobs that are being worked on, or whose worker has died and whose lease has not ended yet. */
  readonly active: number
  /** Jobs that wait for their time: a delay, or the next attempt. */
  readonly delayed: number
  /** Dead letters. */
  readonly dead: number
  /** How long the first of those that could run has waited, in ms; undefined where none waits. */
  readonly oldestMs: number | undefined
  /** How long until the next of those that wait for their time may run, in ms; undefined where there is none. */
  readonly nextDueMs: number | undefined
  readonly paused: boolean
  /** Processes that hold a lease. */
  readonly consumers: number
  /** Jobs that were done, and attempts that failed, in the last minute, by the whole fleet; what is older than this minute by the clock is estimated. */
  readonly lastMinute: { readonly done: number; readonly failed: number }
  /** The same since the queue was first used. */
  readonly total: { readonly done: number; readonly failed: number }
  /** What it takes of the server's memory, about, as MEMORY USAGE says of a sample; undefined where the user may not ask that. */
  readonly bytes: number | undefined
  /** Those that could run, by their priority; without those of groups and of exact ranks. */
  readonly waitingBy: ReadonlyMap<number, number>
}

/** The counts of a queue that nobody here works on. `shards`: as its processes were told. */
export function inspectQueue(redis: Redis, name: string, shards = 1): Promise<QueueCounts> {
  const keys = new StreamKeys(redis.keyspace, 'queue', name)
  return readCounts(
    redis,
    Array.from({ length: shards }, (_, shard) => new Layout(redis, keys.shard(shard))),
  )
}

export async function readCounts(redis: Redis, layouts: readonly Layout[]): Promise<QueueCounts> {
  const all = await Promise.all(layouts.map((layout) => readShard(redis, layout)))
  const sum = (pick: (counts: QueueCounts) => number) => all.reduce((total, counts) => total + pick(counts), 0)
  const waitingBy = new Map<number, number>()
  for (const counts of all)
    for (const [priority, waiting] of counts.waitingBy)
      waitingBy.set(priority, (waitingBy.get(priority) ?? 0) + waiting)
  return {
    waiting: sum(({ waiting }) => waiting),
    active: sum(({ active }) => active),
    delayed: sum(({ delayed }) => delayed),
    dead: sum(({ dead }) => dead),
    oldestMs: pickDefined(
      Math.max,
      all.map(({ oldestMs }) => oldestMs),
    ),
    nextDueMs: pickDefined(
      Math.min,
      all.map(({ nextDueMs }) => nextDueMs),
    ),
    paused: all.some(({ paused }) => paused),
    consumers: Math.max(...all.map(({ consumers }) => consumers)),
    lastMinute: { done: sum(({ lastMinute }) => lastMinute.done), failed: sum(({ lastMinute }) => lastMinute.failed) },
    total: { done: sum(({ total }) => total.done), failed: sum(({ total }) => total.failed) },
    bytes: all.some(({ bytes }) => bytes === undefined) ? undefined : sum(({ bytes }) => bytes as number),
    waitingBy,
  }
}

export async function readTallies(redis: Redis, layouts: readonly Layout[]): Promise<Record<string, number>> {
  const sums: Record<string, number> = Object.create(null)
  const options = { operation: 'queue.tallies', repeat: true }
  for (const { keys } of layouts) {
    const key = talliesKey(keys)
    const words = (await redis.call(key, 'HGETALL', [key], options)) as readonly string[]
    for (let i = 0; i < words.length; i += 2)
      sums[words[i] as string] = (sums[words[i] as string] ?? 0) + Number(words[i + 1])
  }
  return sums
}

/** Forgets all jobs that wait, for their turn or for their time; those that run end. Answers how many. */
export async function drainQueue(redis: Redis, name: string, shards: number): Promise<number> {
  const keys = new StreamKeys(redis.keyspace, 'queue', name)
  let total = 0
  for (let shard = 0; shard < shards; shard++) {
    const layout = new Layout(redis, keys.shard(shard))
    const { state, delayed, bodies, ids } = layout.keys
    const options = { operation: 'queue.drain', repeat: true }
    for (let count = -1; count !== 0; ) {
      const all = { state, delayed, bodies, ids, lanes: layout.all }
      const reply = await drainScript.run(redis, all, { layout: layout.text, most: DRAINED_AT_ONCE }, options)
      if (reply[0] === 'layout') layout.learn(reply[1])
      else {
        count = reply[1]
        for (const id of reply.slice(2)) {
          const family = layout.keys.family(String(id))
          await redis.call(family, 'DEL', [family], options)
        }
        total += count
      }
    }
  }
  return total
}

async function readShard(redis: Redis, layout: Layout): Promise<QueueCounts> {
  const { state, leases, delayed, dead, bodies, deadBodies } = layout.keys
  for (;;) {
    const keys = { state, leases, delayed, dead, bodies, deadBodies, lanes: layout.all }
    const options = { operation: 'queue.counts', repeat: true }
    const reply = await countsScript.run(redis, keys, { layout: layout.text }, options)
    if (reply[0] === 'layout') {
      layout.learn(reply[1])
      continue
    }
    const [, waiting, active, later, dying, oldestMs, dueMs, paused, consumers, bytes, ...rest] = reply
    const [done = 0, failed = 0, doneLately = 0, failedLately = 0, ...lanes] = rest
    return {
      ...{ waiting, active, delayed: later, dead: dying },
      oldestMs: oldestMs < 0 ? undefined : oldestMs,
      nextDueMs: dueMs < 0 ? undefined : dueMs,
      paused: paused === 1,
      consumers,
      lastMinute: { done: doneLately, failed: failedLately },
      total: { done, failed },
      bytes: bytes < 0 ? undefined : bytes,
      waitingBy: new Map(
        layout.priorities.flatMap((priority, i) =>
          priority === HELD ? [] : [[priority, lanes[i] as number] as const],
        ),
      ),
    }
  }
}

function pickDefined(
  pick: (...values: number[]) => number,
  values: readonly (number | undefined)[],
): number | undefined {
  const defined = values.filter((value) => value !== undefined)
  return defined.length === 0 ? undefined : pick(...defined)
}
