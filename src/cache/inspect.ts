import { monotonicMs } from '../base/clock.ts'
import { type LeaseKeeper, TOKEN_LENGTH } from '../lease/lease.ts'
import type { Redis } from '../redis/redis.ts'
import { STREAM_BOUND_MS } from '../redis/subscriber.ts'
import type { Unread } from './encoding.ts'
import { decodeFrame, readHeader } from './frame.ts'
import type { CacheKeys } from './keys.ts'
import { inspectScript } from './lua.generated.ts'
import { type MemoryMisses, type MemoryTier, NO_MEMORY_MISSES } from './memory.ts'
import type { ResolvedCacheOptions } from './options.ts'
import type { ReadThrough } from './read-through.ts'
import type { Reader } from './reader.ts'
import type { RefillCounts } from './refill-room.ts'
import type { TagTable } from './tags.ts'

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
  /** The same by the reason: what Redis had, or why it could not be served. They add up to `misses`. */
  readonly missesBy: MissReasons
  /** Answered by a load that another caller of this process had begun. */
  readonly joined: number
  /** Answered by another process's load. */
  readonly waited: number
  readonly loads: number
  readonly loadFailures: number
  /** Not begun, because `loader.breaker` was open. */
  readonly loadsRefused: number
  /** Took longer than `loader.hardTimeout`. */
  readonly loadTimeouts: number
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
  /** Written by another library, or by a later version of this one. A key that is no text is so to `get`, and absent to `getMany`. */
  readonly foreign: number
  /** Nothing there, and nothing to be stored: it is being changed by `mutate`. One for each load. */
  readonly fenced: number
}

/** All figures of one cache. What was refused for no other reason was not there. */
export function statsOf(
  reader: Pick<Reader, 'hits' | 'refused'>,
  asked: ReadThrough['counts'],
  counts: RefillCounts,
  memory: MemoryTier | undefined,
  request: number,
): CacheStats {
  const { loads, failures, timeouts, voided, waited, fenced, refused } = counts
  const misses = asked.misses - counts.found
  const { tag, schema, undecodable, foreign } = reader.refused
  const absent = Math.max(0, misses - tag - schema - undecodable - foreign - fenced)
  return {
    hits: { ...reader.hits, request },
    misses,
    missesBy: { absent, tag, schema, undecodable, foreign, fenced },
    joined: asked.joined,
    withoutRedis: asked.withoutRedis,
    waited,
    loads,
    loadFailures: failures,
    loadsRefused: refused,
    loadTimeouts: timeouts,
    voided,
    memory: {
      entries: memory?.size ?? 0,
      bytes: memory?.bytes ?? 0,
      misses: { ...(memory?.misses ?? NO_MEMORY_MISSES) },
    },
  }
}

/** How it stands with one entry. */
export interface Explanation {
  readonly key: string
  /** What a read would find now, before any load. */
  readonly verdict: 'hit' | 'stale' | 'miss'
  /** Why it would miss; undefined where it would not. */
  readonly why: Exclude<keyof MissReasons, 'fenced'> | undefined
  /** What Redis has, if it is of ours. */
  readonly stored: StoredEntry | undefined
  /** In this process: served from there, or why not. `'none'`: this cache has no memory tier. */
  readonly memory: 'kept' | 'none' | keyof MemoryMisses
  /** The load that is under way, in this process or another. */
  readonly lease: { readonly holder: 'this process' | 'another'; readonly leftMs: number } | undefined
  /** How many `mutate` are changing it, and when the last of their fences ends unless it is renewed. */
  readonly fence: { readonly changes: number; readonly leftMs: number } | undefined
}

export interface StoredEntry {
  readonly bytes: number
  readonly codec: string
  readonly compressed: boolean
  /** False when it is of another schema or version. */
  readonly schemaMatches: boolean
  /** How long it is still fresh; below 0 when it is stale. */
  readonly freshMs: number
  /** How long Redis keeps it. */
  readonly leftMs: number
  /** How old it is if it was given the cache's own ttl; undefined where that cannot be so, or jitter hides it. */
  readonly ageMs: number | undefined
  /** Its tags, and whether each still has the epoch that it had when the entry's load began. */
  readonly tags: readonly { readonly tag: string; readonly stands: boolean }[]
}

export interface InspectRoom {
  readonly redis: Redis
  readonly keys: CacheKeys
  readonly options: ResolvedCacheOptions
  readonly tags: TagTable
  readonly keeper: LeaseKeeper
}

/** Looks at one entry and changes nothing. Its tags are asked for after it: two round trips. */
export async function explain(room: InspectRoom, memory: MemoryTier | undefined, id: string): Promise<Explanation> {
  const { redis, keys, options, keeper } = room
  const key = keys.entry(id)
  const names = { value: key, lease: keys.leaseOf(key), fences: keys.fenceOf(key) }
  // Noted before and behind the look: a load that ends or begins meanwhile is this process's all the same.
  const held = keeper.tokens
  const asked = inspectScript.run(redis, names, {}, { operation: 'cache.explain', repeat: true })
  const [, frame, lifeMs, lease, leaseMs, changes, fenceMs] = await asked
  const token = lease.slice(0, TOKEN_LENGTH)
  const isOurs = held.has(token) || keeper.tokens.has(token)
  let unread: Unread | undefined
  const entry = decodeFrame(frame, options.encoding, (why) => {
    unread = why
  })
  const stored = await describeStored(room, frame, lifeMs, entry === undefined ? undefined : entry.value === null)
  const tagged = stored?.tags.every(({ stands }) => stands) ?? true
  const why = lifeMs === -2 ? 'absent' : (unread ?? (tagged ? undefined : 'tag'))
  const isStale = options.staleMs > 0 && (stored?.freshMs ?? 1) <= 0
  const state = memory === undefined ? 'none' : memory.stateOf(id)
  return {
    key,
    verdict: state === 'kept' ? 'hit' : why !== undefined ? 'miss' : isStale ? 'stale' : 'hit',
    why: state === 'kept' ? undefined : why,
    stored,
    memory: state,
    lease: lease === '' ? undefined : { holder: isOurs ? 'this process' : 'another', leftMs: leaseMs },
    fence: changes === 0 ? undefined : { changes, leftMs: fenceMs },
  }
}

async function describeStored(
  { redis, options, tags }: InspectRoom,
  frame: Buffer,
  leftMs: number,
  isNull: boolean | undefined,
): Promise<StoredEntry | undefined> {
  const header = readHeader(frame)
  if (header === undefined) return undefined
  const freshMs = Math.round(header.staleAtMs - redis.serverNowMs())
  const ageMs = (isNull ? options.nullTtlMs : options.ttlMs) - freshMs
  return {
    bytes: frame.length,
    codec: header.codec,
    compressed: header.compressed,
    schemaMatches: header.shape === options.encoding.shape,
    freshMs,
    leftMs,
    ageMs: options.jitter > 0 || ageMs < 0 ? undefined : ageMs,
    tags: await tags.compare(header.tags),
  }
}

/** How far what this process answers may be behind an invalidation that was acknowledged elsewhere. */
export interface Staleness {
  /** In ms. 0 where every answer comes from Redis. */
  readonly boundMs: number
  readonly why: string
}

export function staleness(memory: MemoryTier | undefined, limitMs: number): Staleness {
  if (memory === undefined) return { boundMs: 0, why: 'there is no memory tier: every answer is looked up in Redis' }
  if (!memory.isOn(monotonicMs()))
    return { boundMs: 0, why: 'the memory tier is off, since the invalidation stream is not confirmed: Redis answers' }
  const boundMs = Math.min(STREAM_BOUND_MS, limitMs)
  return {
    boundMs,
    why: `the memory tier is on: it hears of a change in about a millisecond, and is off when it has heard nothing for ${boundMs} ms`,
  }
}
