import type { Rights } from '../redis/rights.ts'
import type { SessionKeys } from './keys.ts'

/** What sessions need of the server's user; `sweeps`: with `count` and `clear`, which requests do without. */
export function sessionRights(keys: SessionKeys, sweeps = false): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'HGET', 'HMGET', 'HGETALL', 'HSET', 'HDEL', 'HEXISTS', 'HKEYS'],
      ...['HRANDFIELD', 'PEXPIREAT', 'PEXPIRETIME', 'UNLINK'],
      ...(sweeps ? ['SCAN'] : []),
    ],
    keys: keys.patterns,
    channels: [],
  }
}
