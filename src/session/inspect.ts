import { onEveryServer } from '../redis/everywhere.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import type { Reply } from '../redis/wire.ts'
import { readMeta, readOwner } from './fields.ts'
import { META, SessionKeys, USER } from './keys.ts'
import { listScript } from './lua.generated.ts'
import type { SessionInfo } from './users.ts'

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

/**
 * A user's sessions in the set of this name, the last used first, by what is stored alone: whoever looks need not know the lives that the
 * program has given them. Nothing is changed, and none begins its idle life anew.
 */
export async function inspectUser(redis: Redis, set: string, userId: string): Promise<readonly SessionInfo[]> {
  const keys = new SessionKeys(redis.keyspace, set)
  const options = { operation: 'session.inspect', repeat: true }
  const [, , epoch, entries] = await listScript.run(redis, { user: keys.user(userId) }, {}, options)
  const refs = entries.map(String).filter((entry, i) => i % 2 === 0 && entry !== 'epoch')
  const found = await Promise.all(
    refs.map(async (ref): Promise<SessionInfo | undefined> => {
      const key = keys.session(ref)
      const [fields, ends] = await Promise.all([
        redis.call(key, 'HMGET', [key, META, USER], options),
        redis.call(key, 'PEXPIRETIME', [key], options),
      ])
      const [meta, user] = fields as readonly Reply[]
      if (meta === null || user === null) return undefined
      const { epoch: own, label, userId: owner } = readOwner(String(user))
      // Of an earlier epoch: over, though it has not been told yet.
      if (owner !== userId || Number(own) < Number(epoch)) return undefined
      const { createdAtMs, seenMs } = readMeta(String(meta))
      return { ref, label, createdAtMs, lastSeenMs: seenMs, expiresAtMs: Number(ends) }
    }),
  )
  return found.filter((info) => info !== undefined).sort((one, other) => other.lastSeenMs - one.lastSeenMs)
}
