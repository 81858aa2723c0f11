import type { ShardOptions } from './options.ts'

/** What a move did. */
export interface ShardMoveReport {
  readonly namespace: string
  readonly from: readonly string[]
  readonly to: readonly string[]
  /** `moved`; or `same` when the list was that of `to` already and nothing was done. */
  readonly status: 'moved' | 'same'
  /** True when this run went on with a move that another had begun. */
  readonly resumed: boolean
  /** Keys that this run moved; callers moved others themselves. */
  readonly keys: number
  /** Bytes of their values, as serialized. */
  readonly bytes: number
  /** Keys with more than 1 MiB: each holds up both servers while it is written and read. */
  readonly bigKeys: readonly { readonly key: string; readonly bytes: number }[]
  /** Shards whose keys are lost, because they did not answer and `force` was given. */
  readonly lost: readonly string[]
  /** Keys removed because of `force`: from shards that were added, and strays. */
  readonly removed: number
  readonly tookMs: number
}

/** Moves a namespace to another list of shards while it is in use. */
export async function moveShards(options: ShardOptions): Promise<ShardMoveReport> {
  throw new Error(`not yet: ${options.to}`)
}
