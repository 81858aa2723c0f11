import { scanKeys } from '../../redis/scan.ts'
import type { Layout } from '../../redis/shards/layout.ts'
import { Placement } from '../../redis/shards/layout.ts'
import type { Reply } from '../../redis/wire.ts'
import type { ShardServer, ShardServers } from './servers.ts'

/** Keys of one pair of shards that are weighed, most. */
const MOST_WEIGHED = 200

/** What goes from one shard to another, as a scan found it. */
export interface Flow {
  readonly from: string
  readonly to: string
  keys: number
  bytes: number
  bytesError: number
  weighed: number
}

export interface Count {
  readonly flows: readonly Flow[]
  readonly keys: number
  readonly keysMoving: number
  /** By server, keys that lie where neither list would look for them before the move, and the new one would. */
  readonly strays: ReadonlyMap<ShardServer, readonly string[]>
  /** By server that is to be added, keys of the namespace in it. */
  readonly occupied: ReadonlyMap<ShardServer, readonly string[]>
}

/**
 * Scans every server for what a move to `layout.next` would do. A key that is met twice by SCAN counts twice: one in some
 * thousands, while a server's table grows.
 */
export async function countMove(
  servers: ShardServers,
  layout: Layout,
  reached: readonly ShardServer[],
  signal: AbortSignal | undefined,
  onKeys: (keys: number) => void,
): Promise<Count> {
  const placement = new Placement(layout)
  const isPulling = layout.phase === 'pulling'
  const flows = new Map<string, Flow & { readonly sample: string[] }>()
  const strays = new Map<ShardServer, string[]>()
  const occupied = new Map<ShardServer, string[]>()
  const old = new Set(layout.shards.map(({ name }) => name))
  let keys = 0
  const note = (into: Map<ShardServer, string[]>, server: ShardServer, key: string): void => {
    const list = into.get(server) ?? []
    list.push(key)
    into.set(server, list)
  }
  const visit = async (server: ShardServer): Promise<void> => {
    for await (const lot of scanKeys(server.node, servers.keys.all, 'shards.count')) {
      signal?.throwIfAborted()
      for (const key of lot) {
        if (!servers.keys.isOwn(key)) continue
        if (!old.has(server.name)) {
          // While keys are pulled, those that have come are no strangers.
          if (isPulling) keys++
          else note(occupied, server, key)
          continue
        }
        keys++
        const from = placement.now(key)
        const to = placement.next(key)
        if (from !== server.name) {
          if (to === server.name && !isPulling) note(strays, server, key)
          continue
        }
        if (from === to) continue
        const name = `${from}\n${to}`
        const flow = flows.get(name) ?? { from, to, keys: 0, bytes: 0, bytesError: 0, weighed: 0, sample: [] }
        flows.set(name, flow)
        flow.keys++
        pick(flow.sample, key, flow.keys)
      }
      onKeys(keys)
    }
  }
  await Promise.all(reached.map(visit))
  for (const flow of flows.values()) {
    const server = reached.find(({ name }) => name === flow.from)
    if (server !== undefined) await weigh(flow, server)
  }
  const all = [...flows.values()].sort((a, b) => (`${a.from}\n${a.to}` < `${b.from}\n${b.to}` ? -1 : 1))
  return { flows: all, keys, keysMoving: all.reduce((sum, flow) => sum + flow.keys, 0), strays, occupied }
}

/** Keeps each of `seen` keys with the same chance. */
function pick(sample: string[], key: string, seen: number): void {
  if (sample.length < MOST_WEIGHED) return void sample.push(key)
  const at = Math.floor(Math.random() * seen)
  if (at < MOST_WEIGHED) sample[at] = key
}

async function weigh(flow: Flow & { readonly sample: readonly string[] }, { node }: ShardServer): Promise<void> {
  const options = { operation: 'shards.weigh', repeat: true, needs: '+memory|usage' }
  const replies = await Promise.all(flow.sample.map((key) => node.call('MEMORY', ['USAGE', key], options)))
  const weights = replies.filter((reply: Reply) => reply !== null).map(Number)
  flow.weighed = weights.length
  if (weights.length === 0) return
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length
  const variance = weights.reduce((sum, weight) => sum + (weight - mean) ** 2, 0) / Math.max(1, weights.length - 1)
  flow.bytes = Math.round(mean * flow.keys)
  const isAll = weights.length >= flow.keys
  flow.bytesError = isAll ? 0 : Math.round(1.96 * Math.sqrt(variance / weights.length) * flow.keys)
}
