import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'
import { channelPattern, eventPattern } from './keys.ts'
import type { SeatsDurability } from './options.ts'

/** Not among the rights of all: a server before 7.2 refuses an ACL rule that names WAITAOF. */
const WAITING = { async: [], replica: ['WAIT'], fsync: ['WAITAOF'] } as const

/** What seats need of the server's user, with the durability that their sales ask for. */
export function seatsRights(keyspace: Keyspace, durability: SeatsDurability = 'async'): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'GET', 'SET', 'EXISTS', 'UNLINK', 'GETRANGE', 'SETRANGE'],
      ...['HGET', 'HMGET', 'HSET', 'HDEL', 'HINCRBY', 'HSCAN', 'ZADD', 'ZREM', 'ZRANGE', 'ZSCAN'],
      ...['XADD', 'XTRIM', 'XRANGE', 'XREVRANGE', 'PUBLISH', 'SUBSCRIBE'],
      ...WAITING[durability],
    ],
    keys: [eventPattern(keyspace)],
    channels: [channelPattern(keyspace)],
  }
}
