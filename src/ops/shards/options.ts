import type { ConnectOptions } from '../../redis/settings.ts'

/** What a plan or a move needs to know. Options of `connect` count for the servers of both addresses. */
export interface ShardOptions extends Omit<ConnectOptions, 'url' | 'lazy' | 'client' | 'readFrom'> {
  /** Where the namespace is now: `redis+shards://a=…,b=…`. If its record says otherwise, the record counts. */
  readonly url: string
  /** Where it is to be: every shard that there shall be, `redis+shards://a=…,b=…,c=…`. Without credentials, those of `url`. */
  readonly to: string
  /** Stops the work between two of its steps, with `signal.reason`; a move that has begun can be gone on with. */
  readonly signal?: AbortSignal
  /**
   * Go on although something is lost by it: shards that are to be removed and do not answer, keys in shards that are to be added, keys
   * that lie where nobody looks for them. Default false: such a move is refused.
   */
  readonly force?: boolean
  /** Told several times a second while the work goes on. */
  readonly onProgress?: (progress: ShardMoveProgress) => void
}

export interface ShardMoveProgress {
  /**
   * `scan` counts what there is; `announce` and `stop` wait until every process knows of the move; `move` moves; `finish` writes the
   * new list.
   */
  readonly step: 'scan' | 'announce' | 'stop' | 'move' | 'finish'
  /** Keys looked at while scanning, or moved by this run. */
  readonly keys: number
  /** Keys to be moved, as counted by the scan; callers move some of them themselves. 0 until that is known. */
  readonly keysInAll: number
  /** Bytes moved by this run, as serialized. */
  readonly bytes: number
}
