import type { RefillCounts } from './refill.ts'

/** What a cache did in this process since it was made. */
export interface CacheStats {
  readonly hits: {
    readonly memory: number
    readonly redis: number
    readonly stale: number
    /** Answered within `hf.perRequest` by what that request had read before. */
    readonly request: number
  }
  readonly misses: number
  /** Answered by a load that another caller of this process had begun. */
  readonly joined: number
  /** Answered by another process's load. */
  readonly waited: number
  readonly loads: number
  readonly loadFailures: number
  /** Took longer than `loader.hardTimeout`. */
  readonly loadTimeouts: number
  /** Loaded and not kept, because the entry was invalidated or written meanwhile. */
  readonly voided: number
  /** Answered without Redis, because it could not be asked. */
  readonly withoutRedis: number
  readonly memory: { readonly entries: number; readonly bytes: number }
}

export function cacheStats(
  hits: Omit<CacheStats['hits'], 'request'>,
  { misses, joined, withoutRedis }: { readonly misses: number; readonly joined: number; readonly withoutRedis: number },
  { loads, failures, timeouts, voided, waited, found }: RefillCounts,
  request: number,
  memory: { readonly size: number; readonly bytes: number } | undefined,
): CacheStats {
  return {
    hits: { ...hits, request },
    misses: misses - found,
    joined,
    withoutRedis,
    waited,
    loads,
    loadFailures: failures,
    loadTimeouts: timeouts,
    voided,
    memory: { entries: memory?.size ?? 0, bytes: memory?.bytes ?? 0 },
  }
}
