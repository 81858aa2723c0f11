/** A namespace seen from outside the library, through a plain client: which keys are in it, and how to be rid of them. */

import { Redis } from 'ioredis'

const BATCH = 500

/** Every key of the namespace, and of no other: the tag says whose a key is. */
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

/** Removes what one run left on a server that is not ours: by name, key by key, and nothing else. */
export async function removeNamespace(url: string, namespace: string): Promise<number> {
  const redis = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null })
  try {
    await redis.connect()
    const keys = await keysOf(redis, namespace)
    for (let start = 0; start < keys.length; start += BATCH) await redis.unlink(...keys.slice(start, start + BATCH))
    return keys.length
  } finally {
    redis.disconnect()
  }
}
