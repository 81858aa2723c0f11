import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { breakerPattern } from './keys.ts'

/** What shared breakers need of the server's user; the others need nothing. Adding a command to a script means adding it here. */
export function breakerRights(keyspace: Keyspace): Rights {
  return {
    commands: ['EVALSHA', 'EVAL', 'TIME', 'HMGET', 'HSET', 'HDEL', 'PEXPIRE'],
    keys: [breakerPattern(keyspace)],
    channels: [],
  }
}
