/** A namespace seen from outside the library, through plain clients: which keys are in it, and how to be rid of them. */

import type { Redis } from 'ioredis'
import type { RedisAddress } from '../servers/address.ts'
import { openRaw } from './raw.ts'

const BATCH = 500

/** Every key of the namespace on this server, and of no other: the tag says whose a key is. */
export async function keysOf(redis: Redis, namespace: string): Promise<string[]> {
  const found = new Set<string>()
  const tag = `{${namespace}:`
  let cursor = '0'
  do {
    const [next, keys] = await redis.scan(cursor, 'MATCH', `*${tag}*`, 'COUNT', BATCH)
    for (const key of keys) if (belongsTo(key, tag)) found.add(key)
    cursor = next
  } while (cursor !== '0')
  return [...found]
}

/** `{shop:seats:1}:map` and `lease:{shop:cache:1}` are of shop; `{other:cache:x{shop:}` is not. */
function belongsTo(key: string, tag: string): boolean {
  return key.indexOf('{') === key.indexOf(tag)
}

/** Removes what one run left on servers that are not ours: by name, key by key, and nothing else. */
export async function removeNamespace(address: RedisAddress, namespace: string): Promise<number> {
  const raw = await openRaw(address)
  try {
    let removed = 0
    for (const redis of await raw.primaries()) {
      const keys = await keysOf(redis, namespace)
      for (let start = 0; start < keys.length; start += BATCH) await unlink(redis, keys.slice(start, start + BATCH))
      removed += keys.length
    }
    return removed
  } finally {
    raw.close()
  }
}

/** A command for each key: on a Cluster, keys of two slots cannot stand in one. */
async function unlink(redis: Redis, keys: readonly string[]): Promise<void> {
  const pipeline = redis.pipeline()
  for (const key of keys) pipeline.unlink(key)
  for (const [error] of (await pipeline.exec()) ?? []) if (error !== null) throw error
}
