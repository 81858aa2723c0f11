import { onEveryServer } from '../redis/everywhere.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import type { SessionKeys } from './keys.ts'

/** How many sessions stand, each once, also where keys move meanwhile. */
export async function countSessions(redis: Redis, keys: SessionKeys): Promise<number> {
  const refs = new Set<string>()
  await onEveryServer(redis, async (node) => {
    for await (const found of scanKeys(node, `${keys.sessionPrefix}*`, 'session.count'))
      for (const key of found) {
        const ref = keys.refOf(key)
        if (ref !== undefined) refs.add(ref)
      }
  })
  return refs.size
}
