/** What a cache did in this process since it was made. */
export interface CacheStats {
  readonly hits: { readonly memory: number; readonly redis: number; readonly stale: number }
  readonly misses: number
  /** The same by the reason: what Redis had, or why it could not be served. They add up to `misses`. */
  readonly missesBy: MissReasons
  /** Answered by a load that another caller of this process had begun. */
  readonly joined: number
  /** Answered by another process's load. */
  readonly waited: number
  readonly loads: number
  readonly loadFailures: number
  /** Loaded and not kept, because the entry was invalidated or written meanwhile. */
  readonly voided: number
  /** Answered without Redis, because it could not be asked. */
  readonly withoutRedis: number
  /** The tier in this process: what it holds, and why it could not answer. All 0 without one. */
  readonly memory: { readonly entries: number; readonly bytes: number; readonly misses: MemoryMisses }
}

export interface MissReasons {
  /** Redis had nothing: never stored, expired, invalidated or evicted. It does not tell these apart. */
  readonly absent: number
  /** A tag of it was invalidated, or its epoch is gone. */
  readonly tag: number
  /** Of another schema or version. */
  readonly schema: number
  /** Of a codec that this cache does not have, or damaged. */
  readonly undecodable: number
  /** Written by another library, or by a later version of this one. */
  readonly foreign: number
  /** Nothing there, and nothing to be stored: it is being changed by `mutate`. One for each load. */
  readonly fenced: number
}

export interface MemoryMisses {
  /** Not kept: never read, invalidated or evicted. */
  readonly absent: number
  readonly expired: number
  /** One of its tags was invalidated. */
  readonly tag: number
  /** The invalidation stream was in doubt, and what was kept not to be trusted. */
  readonly off: number
}

export const NO_MEMORY_MISSES: MemoryMisses = { absent: 0, expired: 0, tag: 0, off: 0 }

/** The reasons of all misses; what has no other reason was not there. */
export function missReasons(
  misses: number,
  refused: Omit<MissReasons, 'absent' | 'fenced'>,
  fenced: number,
): MissReasons {
  const { tag, schema, undecodable, foreign } = refused
  const absent = Math.max(0, misses - tag - schema - undecodable - foreign - fenced)
  return { absent, tag, schema, undecodable, foreign, fenced }
}
