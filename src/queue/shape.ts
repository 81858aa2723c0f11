import { unlessAborted } from '../base/clock.ts'
import { ConfigError, HoldfastError } from '../base/errors.ts'
import { onEveryServer } from '../redis/everywhere.ts'
import { unescapeName } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import { StreamKeys } from '../stream/keys.ts'
import { Layout } from '../stream/layout.ts'
import { CHANGING, readShape, type Shape, shapeIn, writeShape } from '../stream/shape.ts'
import { slotsKey } from './keys.ts'
import { reshapeScript } from './lua.generated.ts'

export type { Shape } from '../stream/shape.ts'

const MOST_SHARDS = 64
/** Names are a courtesy: a server of very many keys is not searched for them. */
const LONGEST_LOOK_MS = 1_000
const PLAIN: Shape = { mode: 'stream', shards: 1, groupConcurrency: 1 }
const OPTIONS = { operation: 'queue.shape', repeat: true } as const

/**
 * What a queue is like, as the first process that used it was told: its mode, shards and groupConcurrency. Undefined where there is no such
 * queue. Of one that was made before queues kept this, as many shards as were used, and the defaults.
 */
export async function queueShape(redis: Redis, name: string): Promise<Shape | undefined> {
  const { state } = new StreamKeys(redis.keyspace, 'queue', name).shard(0)
  const layout = (await redis.call(state, 'HGET', [state, 'layout'], OPTIONS)) as string | null
  const shape = readShape(shapeIn(layout ?? ''))
  if (shape !== undefined) return shape
  const shards = await countShards(redis, name)
  return shards === 0 ? undefined : { ...PLAIN, shards }
}

/** How many shards of a queue were ever used, the unused before them included; 0 where there is no such queue. */
async function countShards(redis: Redis, name: string): Promise<number> {
  const keys = new StreamKeys(redis.keyspace, 'queue', name)
  const states = Array.from({ length: MOST_SHARDS }, (_, shard) => keys.shard(shard).state)
  const exist = await Promise.all(states.map((state) => redis.call(state, 'EXISTS', [state], OPTIONS)))
  return exist.lastIndexOf(1) + 1
}

/** The queues of a namespace that were ever used, by their names. Looks at every key of every server, in lots. */
export async function findQueues(redis: Redis): Promise<{ readonly name: string; readonly shape: Shape }[]> {
  const found = new Set<string>()
  // A name cannot spell what has a meaning in a pattern.
  const pattern = `{${redis.keyspace.stem('queue')}*}`
  await onEveryServer(redis, async (node) => {
    for await (const keys of scanKeys(node, pattern, 'queue.list'))
      for (const key of keys) {
        const [, name] = /:([^:]*):\d+\}$/.exec(key) ?? []
        if (name !== undefined) found.add(unescapeName(name))
      }
  })
  const shapes = await Promise.all(
    [...found].sort().map(async (name) => ({ name, shape: await queueShape(redis, name) })),
  )
  return shapes.flatMap(({ name, shape }) => (shape === undefined ? [] : [{ name, shape }]))
}

/**
 * Gives a queue without jobs another shape. From its first step to its last no process can use the queue; those that have the old shape are
 * refused by a ConfigError until they are started with the new one. Called again, it brings to its end what died half-way.
 *
 * throws  CHANGE_REFUSED, and nothing is changed, where there are jobs; with another number of shards also where there are schedules or dead
 *         letters, since those are found by it
 */
export async function reshapeQueue(redis: Redis, name: string, change: Partial<Shape>): Promise<Shape> {
  const before = await queueShape(redis, name)
  if (before === undefined) throw await unknownQueue(redis, name)
  const after = { ...before, ...change }
  const keys = new StreamKeys(redis.keyspace, 'queue', name)
  const used = Math.max(before.shards, await countShards(redis, name))
  const layouts = Array.from({ length: Math.max(used, after.shards) }, (_, i) => new Layout(redis, keys.shard(i)))
  const places = after.shards === before.shards ? 0 : 1
  const closed: Layout[] = []
  for (const layout of layouts) {
    const busy = await write(redis, layout, CHANGING, places)
    if (busy === undefined) {
      closed.push(layout)
      continue
    }
    for (const one of closed.reverse()) await write(redis, one, writeShape(before), 0)
    throw new HoldfastError('CHANGE_REFUSED', `queue '${name}' keeps its shape while it has ${busy}`)
  }
  // The first last: who comes looks there.
  for (const layout of layouts.reverse()) await write(redis, layout, writeShape(after), 0)
  return after
}

/** Undefined when it was written; else what stands in the way. */
async function write(redis: Redis, layout: Layout, shape: string, places: 0 | 1): Promise<string | undefined> {
  const { state, delayed, dead } = layout.keys
  for (;;) {
    const keys = { state, delayed, dead, slots: slotsKey(layout.keys), lanes: layout.all }
    const args = { layout: layout.text, shape, places }
    const reply = await reshapeScript.run(redis, keys, args, { operation: 'queue.reshape', repeat: true })
    if (reply[0] === 'busy') return `${reply[1]} jobs, ${reply[2]} schedules and ${reply[3]} dead letters in a shard`
    layout.learn(reply[1])
    if (reply[0] === 'reshaped') return undefined
  }
}

/** That there is no queue of this name; with the names that there are, where they can be had soon. */
export async function unknownQueue(redis: Redis, name: string): Promise<ConfigError> {
  const looking = findQueues(redis)
  const known = await unlessAborted(looking, AbortSignal.timeout(LONGEST_LOOK_MS)).catch(() => [])
  const names = known.slice(0, 10).map((one) => `'${one.name}'`)
  const some = names.length === 0 ? '' : `: ${names.join(', ')}${known.length > names.length ? ', …' : ''}`
  return new ConfigError('queue', `a queue of the namespace '${redis.keyspace.namespace}' that was used${some}`, name)
}
