import { onEveryServer } from './everywhere.ts'
import { asKey, type Key } from './keyspace.ts'
import type { Redis } from './redis.ts'
import { scanKeys } from './scan.ts'

/** Keys of one UNLINK: about 0.2 ms of the server. */
const MOST_PER_UNLINK = 250

/** Removes every key that matches `pattern` and is there when this is called, beside other callers' commands: all servers are looked through. */
export async function removeMatching(redis: Redis, pattern: string, operation: string): Promise<void> {
  await onEveryServer(redis, async (node) => {
    for await (const found of scanKeys(node, pattern, operation))
      for (const lot of redis.groupByPlace(found.map(asKey), (key: Key) => key, MOST_PER_UNLINK))
        await redis.call(lot[0] as Key, 'UNLINK', lot, { operation, repeat: true })
  })
}
