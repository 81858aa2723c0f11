import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { channelPattern, eventPattern } from './keys.ts'

/** What seats need of the server's user. */
export function seatsRights(keyspace: Keyspace): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'GET', 'SET', 'EXISTS', 'UNLINK', 'GETRANGE', 'SETRANGE'],
      ...['HGET', 'HMGET', 'HSET', 'HDEL', 'HINCRBY', 'HSCAN', 'ZADD', 'ZREM', 'ZRANGE', 'ZSCAN'],
      ...['XADD', 'XTRIM', 'XRANGE', 'XREVRANGE', 'PUBLISH', 'SUBSCRIBE'],
    ],
    keys: [eventPattern(keyspace)],
    channels: [channelPattern(keyspace)],
  }
}
