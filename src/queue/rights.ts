import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { bellPattern, StreamKeys } from '../stream/keys.ts'
import type { QueueDurability } from './options.ts'

/** Not among the rights of all: a server before 7.2 refuses an ACL rule that names WAITAOF. */
const WAITING = { async: [], replica: ['WAIT'], fsync: ['WAITAOF'] } as const

/** What a queue needs of the server's user, with the durability that its adds ask for. Adding a command to a script or a call means adding it here. */
export function queueRights(keyspace: Keyspace, name: string, durability: QueueDurability = 'async'): Rights {
  return {
    commands: [
      ...[
        'EVALSHA',
        'EVAL',
        'TIME',
        'GET',
        'SET',
        'DEL',
        'EXISTS',
        'PTTL',
        'PEXPIRE',
        'PERSIST',
        'PUBLISH',
        'SUBSCRIBE',
      ],
      ...['HGET', 'HMGET', 'HSET', 'HSETNX', 'HEXISTS', 'HLEN', 'HDEL', 'HINCRBY', 'HGETALL'],
      ...['ZADD', 'ZREM', 'ZSCORE', 'ZCARD', 'ZCOUNT', 'ZRANGE', 'ZRANGEBYSCORE', 'ZPOPMIN', 'ZRANGEBYLEX'],
      ...['XADD', 'XDEL', 'XACK', 'XLEN', 'XRANGE', 'XREVRANGE', 'XREADGROUP', 'XPENDING', 'XCLAIM'],
      ...[
        'XGROUP|CREATE',
        'XGROUP|DELCONSUMER',
        'XINFO|GROUPS',
        'XINFO|CONSUMERS',
        'BLPOP',
        'LLEN',
        'RPUSH',
        'MEMORY|USAGE',
      ],
      ...WAITING[durability],
    ],
    keys: [new StreamKeys(keyspace, 'queue', name).pattern],
    channels: [bellPattern(keyspace)],
  }
}
