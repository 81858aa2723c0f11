import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { bellPattern, StreamKeys } from '../stream/keys.ts'

/** What a queue needs of the server's user. Adding a command to a script or a call means adding it here. */
export function queueRights(keyspace: Keyspace, name: string): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'GET', 'SET', 'DEL', 'EXISTS', 'PUBLISH', 'SUBSCRIBE'],
      ...['HGET', 'HMGET', 'HSET', 'HSETNX', 'HDEL', 'HINCRBY', 'HGETALL'],
      ...['ZADD', 'ZREM', 'ZSCORE', 'ZCARD', 'ZCOUNT', 'ZRANGE', 'ZRANGEBYSCORE', 'ZPOPMIN', 'ZRANGEBYLEX'],
      ...['XADD', 'XDEL', 'XACK', 'XLEN', 'XRANGE', 'XREADGROUP', 'XPENDING', 'XCLAIM'],
      ...['XGROUP|CREATE', 'XGROUP|DELCONSUMER', 'XINFO|GROUPS', 'XINFO|CONSUMERS'],
    ],
    keys: [new StreamKeys(keyspace, 'queue', name).pattern],
    channels: [bellPattern(keyspace)],
  }
}
