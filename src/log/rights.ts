import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { bellPattern, logPattern } from './keys.ts'

/** What logs need of the server's user. Adding a command to a script or a call means adding it here. */
export function logRights(keyspace: Keyspace): Rights {
  return {
    commands: [
      ...[
        'EVALSHA',
        'EVAL',
        'TIME',
        'HGET',
        'HMGET',
        'HSET',
        'HDEL',
        'HKEYS',
        'HSETNX',
        'HINCRBY',
        'EXISTS',
        'PEXPIREAT',
      ],
      ...['XADD', 'XDEL', 'XLEN', 'XRANGE', 'XREVRANGE', 'XTRIM', 'XACK', 'XCLAIM', 'XPENDING', 'XREADGROUP'],
      ...['XGROUP|CREATE', 'XGROUP|DESTROY', 'XGROUP|DELCONSUMER', 'XINFO|GROUPS'],
      ...[
        'ZADD',
        'ZREM',
        'ZRANGE',
        'ZSCORE',
        'ZCARD',
        'ZCOUNT',
        'ZRANGEBYLEX',
        'ZREMRANGEBYSCORE',
        'UNLINK',
        'PUBLISH',
        'SUBSCRIBE',
        'UNSUBSCRIBE',
      ],
      ...['GET', 'SET', 'DEL', 'PEXPIRE'],
    ],
    keys: [logPattern(keyspace)],
    channels: [bellPattern(keyspace)],
  }
}
