import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { inboxPattern, LOCK_KINDS, lockPattern } from './keys.ts'

/** What locks need of the server's user. SCAN is for the list of all locks alone. */
export function lockRights(keyspace: Keyspace): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'GET', 'SET', 'UNLINK', 'PEXPIRE', 'SCAN', 'PUBLISH', 'SUBSCRIBE'],
      ...['HGET', 'HMGET', 'HGETALL', 'HSET', 'HDEL', 'HKEYS', 'HEXISTS'],
    ],
    keys: LOCK_KINDS.map((kind) => lockPattern(keyspace, kind)),
    channels: [inboxPattern(keyspace)],
  }
}
