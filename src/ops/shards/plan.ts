import type { ShardOptions } from './options.ts'

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
  /** How many keys were weighed for `bytes`; with all of those that move, the figures are no estimate. */
  readonly weighed: number
  /** Half of the 95 % confidence interval of `bytesMoving`; 0 when every key was weighed. */
  readonly bytesError: number
  /** About how long the move would take, in ms. */
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

/** Counts what a move would do, by a scan of every shard, without changing anything. */
export async function planShards(options: ShardOptions): Promise<ShardPlan> {
  throw new Error(`not yet: ${options.to}`)
}
