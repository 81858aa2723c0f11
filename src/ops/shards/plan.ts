import { firstLayout, type Layout, namesOf, sameNames, shardsOf } from '../../redis/shards/layout.ts'
import { countMove } from './count.ts'
import type { ShardOptions } from './options.ts'
import { ShardServers } from './servers.ts'

/** What would go from one shard to another. */
export interface ShardTransfer {
  readonly from: string
  readonly to: string
  readonly keys: number
  /** About so many bytes of the server's memory, from a sample. */
  readonly bytes: number
}

/** What a move would do. */
export interface ShardPlan {
  readonly namespace: string
  /** Shards now and then, by name. */
  readonly from: readonly string[]
  readonly to: readonly string[]
  readonly transfers: readonly ShardTransfer[]
  /** Keys of the namespace, and how many of them would go elsewhere. */
  readonly keys: number
  readonly keysMoving: number
  /** `keysMoving` of `keys`, 0 to 1. */
  readonly share: number
  /** About so many bytes would go elsewhere. */
  readonly bytesMoving: number
  /** How many keys were weighed for `bytesMoving`: at most 200 for each pair of shards. */
  readonly weighed: number
  /** Half of the 95 % confidence interval of `bytesMoving`, as the sample shows it: a few keys that are far larger than others may escape it. */
  readonly bytesError: number
  /** About how long the move would take without other load, in ms. */
  readonly takesMs: number
  /** Keys in shards where nobody looks for them now, and would after the move. */
  readonly strays: number
  /** Keys in shards that would be added. */
  readonly occupied: number
  /** Shards that do not answer: what they hold is not counted. */
  readonly unreachable: readonly string[]
  /** True when there is nothing to do: the list is that of `to` already. */
  readonly isDone: boolean
}

/** The steps before the first key moves, and measured for keys of 100 bytes and for bytes: what one mover does on two cores. */
const STEPS_MS = 2_000
const KEYS_PER_MS = 15
const BYTES_PER_MS = 50_000

/**
 * Counts what a move would do, by a scan of every shard, without changing anything.
 *
 * throws  ConfigError; CHANGE_REFUSED when the servers are not those that the addresses say; CONNECTION_LOST, TIMEOUT when none answers
 * costs   1.6 ms of each server for 1,000 keys that it holds, in pieces
 */
export async function planShards(options: ShardOptions): Promise<ShardPlan> {
  const servers = new ShardServers(options)
  try {
    const known = (await servers.readLayout()) ?? firstLayout(servers.given, 1)
    const layout = planned(known, servers)
    const { servers: reached, silent } = await servers.reach(shardsOf(layout))
    if (reached.length === 0) {
      // They have been away for longer than that: each says at once why.
      const options = { operation: 'shards.plan', repeat: true, timeoutMs: 100 }
      await Promise.any(shardsOf(layout).map((shard) => servers.at(shard).node.call('PING', [], options))).catch(
        (error: AggregateError) => {
          throw error.errors[0]
        },
      )
    }
    const tell = (keys: number) => options.onProgress?.({ step: 'scan', keys, keysInAll: 0, bytes: 0 })
    const count = await countMove(servers, layout, reached, options.signal, tell)
    const sum = (pick: (flow: (typeof count.flows)[number]) => number) =>
      count.flows.reduce((total, flow) => total + pick(flow), 0)
    const bytesMoving = sum(({ bytes }) => bytes)
    const { keys, keysMoving } = count
    return {
      namespace: servers.namespace,
      from: namesOf(known.shards),
      to: namesOf(servers.wanted),
      transfers: count.flows.map(({ from, to, keys, bytes }) => ({ from, to, keys, bytes })),
      keys,
      keysMoving,
      share: keys === 0 ? 0 : keysMoving / keys,
      bytesMoving,
      weighed: sum(({ weighed }) => weighed),
      bytesError: Math.round(Math.sqrt(sum(({ bytesError }) => bytesError ** 2))),
      takesMs: Math.round(STEPS_MS + Math.max(keysMoving / KEYS_PER_MS, bytesMoving / BYTES_PER_MS)),
      strays: countAll(count.strays),
      occupied: countAll(count.occupied),
      unreachable: silent,
      isDone: known.phase === 'stable' && sameNames(known.shards, servers.wanted),
    }
  } finally {
    await servers.close()
  }
}

/** The layout of a move from what is known to what is wanted. */
function planned(known: Layout, { wanted }: ShardServers): Layout {
  const phase = known.phase === 'pulling' ? 'pulling' : 'announced'
  return { ...known, phase, next: wanted }
}

export const countAll = (byServer: ReadonlyMap<unknown, readonly string[]>): number =>
  [...byServer.values()].reduce((sum, keys) => sum + keys.length, 0)
