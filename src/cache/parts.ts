import { ConnectionError } from '../base/errors.ts'
import type { Breaker } from '../breaker/breaker.ts'
import { LeaseKeeper } from '../lease/lease.ts'
import type { Redis } from '../redis/redis.ts'
import { aclRule } from '../redis/rights.ts'
import { WriteBehind } from './behind.ts'
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

/** What a cache is made of. `signal` fires when it is closed; `forget` drops what this process keeps of an entry. */
export function makeParts(
  redis: Redis,
  name: string,
  options: ResolvedCacheOptions,
  requests: Requests,
  breaker: Breaker | undefined,
  signal: AbortSignal,
  forget: (id: string) => void,
) {
  const { write, encoding } = options
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
  let isVetted = false
  const enter = () => {
    if (signal.aborted) throw new ConnectionError('CONNECTION_CLOSED', 'cache', 'close() was called')
    if (isVetted) return
    isVetted = true
    // What is not persisted must not be evicted.
    const [needs, role] =
      write?.behind === undefined ? (['cache', 'cache'] as const) : (['write-behind', 'state'] as const)
    redis.vet(needs, role, rights, keys.entry(''), keys.channel).catch(() => {})
  }
  const room: ReadThroughRoom = {
    ...{ name, redis, keys, options, entries, tags, bell, keeper, signal, requests, breaker, enter },
    present: async (id, frame, counts) => {
      const entry = counts ? reader.read(frame) : decodeFrame(frame, encoding)
      const found = entry === undefined ? undefined : await reader.judge(id, entry)
      if (counts && entry !== undefined && found === undefined) reader.refused.tag++
      if (entry === undefined || found === undefined) return undefined
      return { value: found.value, stale: found.stale, staleAtMs: entry.staleAtMs, tags: entry.tags }
    },
  }
  const refill = new Refill(room)
  const reads = new ReadThrough(room, reader, refill)
  const behind =
    write?.behind &&
    new WriteBehind({
      ...{ name, redis, encoding, keys, tags, refill, forget },
      ...{ channel: options.fleet ? keys.channel : '', write: { ...write, behind: write.behind } },
    })
  entries.unpersisted = behind
  return { room, memory, reader, refill, reads, behind }
}
