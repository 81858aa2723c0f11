import type { Breaker } from '../breaker/breaker.ts'
import type { LeaseKeeper } from '../lease/lease.ts'
import type { Redis } from '../redis/redis.ts'
import type { Entries } from './entries.ts'
import type { CacheKeys } from './keys.ts'
import type { Present } from './load-plan.ts'
import type { ResolvedCacheOptions } from './options.ts'
import type { Requests } from './per-request.ts'
import type { TagTable } from './tags.ts'
import type { FillBell } from './waiting.ts'

/** What loads and fills stand on. */
export interface RefillRoom {
  readonly name: string
  readonly redis: Redis
  readonly keys: CacheKeys
  readonly options: ResolvedCacheOptions
  readonly entries: Entries
  readonly tags: TagTable
  readonly bell: FillBell
  readonly keeper: LeaseKeeper
  readonly signal: AbortSignal
  readonly requests: Requests
  /** In front of every loader. */
  readonly breaker: Breaker | undefined
  /** The entry in a frame, if it may be served: it can be read, and its tags stand. `counts`: why not, for nobody has looked before. */
  present(id: string, frame: Buffer, counts: boolean): Promise<Present | undefined>
}

/** What loads and fills so far: for figures, not for decisions. */
export interface RefillCounts {
  loads: number
  failures: number
  /** Took longer than the loader may. */
  timeouts: number
  /** Loaded, and not kept: its entry was invalidated or written meanwhile. */
  voided: number
  /** Answered by another process's load. */
  waited: number
  /** Nobody had looked, and the value was there when the lease was asked for: a hit. */
  found: number
  /** Begun while `mutate` was changing its entry, and so not kept. */
  fenced: number
  /** Not begun, since the breaker was open. */
  refused: number
}
