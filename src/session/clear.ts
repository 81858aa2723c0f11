import { onEveryServer } from '../redis/everywhere.ts'
import { asKey, type Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import type { SessionKeys } from './keys.ts'

/** Keys of one UNLINK: about 0.2 ms of the server. */
const MOST_PER_UNLINK = 250

/** Ends every session that stands when it is called. Users' lists empty themselves. */
export async function clearSessions(redis: Redis, keys: SessionKeys): Promise<void> {
  const options = { operation: 'session.clear', repeat: true } as const
  await onEveryServer(redis, async (node) => {
    for await (const found of scanKeys(node, `${keys.sessionPrefix}*`, options.operation))
      for (const lot of redis.groupByPlace(found.map(asKey), (key: Key) => key, MOST_PER_UNLINK))
        await redis.call(lot[0] as Key, 'UNLINK', lot, options)
  })
}
