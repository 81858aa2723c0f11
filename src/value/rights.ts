import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { valuePattern } from './keys.ts'

/** What values need of the server's user. Adding a command to a script or a call means adding it here. */
export function valueRights(keyspace: Keyspace): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'HMGET', 'HSET', 'UNLINK', 'PEXPIRE', 'PERSIST', 'PTTL'],
      ...['XADD', 'XREVRANGE'],
    ],
    keys: [valuePattern(keyspace)],
    channels: [],
  }
}
