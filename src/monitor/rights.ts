import type { Rights } from '../redis/rights.ts'
import type { MonitorKeys } from './keys.ts'

/** What the monitor needs of the server's user. Adding a command to a script or a call means adding it here. */
export function monitorRights(keys: MonitorKeys): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'HGET', 'HMGET', 'HGETALL', 'HSET', 'HINCRBY', 'HINCRBYFLOAT', 'PEXPIREAT'],
      ...['ZADD', 'ZRANGEBYSCORE', 'ZREMRANGEBYSCORE', 'PEXPIRE'],
    ],
    keys: keys.patterns,
    channels: [],
  }
}
