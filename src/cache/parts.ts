import type { Breaker } from '../breaker/breaker.ts'
import { LeaseKeeper } from '../lease/lease.ts'
import type { Redis } from '../redis/redis.ts'
import { aclRule } from '../redis/rights.ts'
import { Entries, LEASE_MS } from './entries.ts'
import { decodeFrame } from './frame.ts'
import { CacheKeys } from './keys.ts'
import { MemoryTier } from './memory.ts'
import type { ResolvedCacheOptions } from './options.ts'
import type { Requests } from './per-request.ts'
import { ReadThrough, type ReadThroughRoom } from './read-through.ts'
import { Reader } from './reader.ts'
import { Refill } from './refill.ts'
import { behindRights, cacheRights } from './rights.ts'
import { TagTable } from './tags.ts'
import { FillBell } from './waiting.ts'

/** What a cache is made of. `signal` fires when it is closed, and `enter` throws from then on. */
export function makeParts(
  redis: Redis,
  name: string,
  options: ResolvedCacheOptions,
  requests: Requests,
  breaker: Breaker | undefined,
  signal: AbortSignal,
  enter: () => void,
) {
  const { write } = options
  const keys = new CacheKeys(redis.keyspace, name, write?.behind !== undefined)
  const listens = options.fleet || options.memory !== undefined
  const rights = write?.behind === undefined ? cacheRights(keys, listens) : behindRights(keys, listens)
  const entries = new Entries(redis, keys, options.fleet, aclRule(rights))
  // Twice the longest entry, so that an epoch outlives every entry that may carry it, also between two renewals.
  const tags = new TagTable(redis, keys, 2 * Math.max(options.ttlMs + options.staleMs, 86_400_000))
  const memory = options.memory === undefined ? undefined : new MemoryTier(options.memory, redis.listeners, keys)
  const keeper = new LeaseKeeper(redis, LEASE_MS, 'cache.renew')
  const reader = new Reader(redis, options, entries, tags, memory)
  const bell = new FillBell(redis, keys)
  const room: ReadThroughRoom = {
    ...{ name, redis, keys, options, entries, tags, bell, keeper, signal, requests, breaker, enter },
    present: async (id, frame, counts) => {
      const entry = counts ? reader.read(frame) : decodeFrame(frame, options.encoding)
      const found = entry === undefined ? undefined : await reader.judge(id, entry)
      if (counts && entry !== undefined && found === undefined) reader.refused.tag++
      if (entry === undefined || found === undefined) return undefined
      return { value: found.value, stale: found.stale, staleAtMs: entry.staleAtMs, tags: entry.tags }
    },
  }
  const refill = new Refill(room)
  const reads = new ReadThrough(room, reader, refill)
  return { room, keys, rights, entries, tags, memory, keeper, reader, refill, reads }
}
