import type { Rights } from '../redis/rights.ts'
import type { SessionKeys } from './keys.ts'

/** What sessions need of the server's user. SCAN: `count` and `clear` alone. */
export function sessionRights(keys: SessionKeys): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'HGET', 'HMGET', 'HGETALL', 'HSET', 'HDEL', 'HEXISTS', 'HKEYS'],
      ...['HRANDFIELD', 'PEXPIREAT', 'PEXPIRETIME', 'UNLINK', 'SCAN'],
    ],
    keys: keys.patterns,
    channels: [],
  }
}
