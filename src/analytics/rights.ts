import type { Rights } from '../redis/rights.ts'
import type { AnalyticsKeys } from './keys.ts'

/** What analytics needs of the server's user. Adding a command to a script or a call means adding it here. */
export function analyticsRights(keys: Pick<AnalyticsKeys, 'pattern'>): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'GET', 'SET', 'EXISTS', 'PEXPIREAT', 'HLEN', 'HEXISTS', 'HGET', 'HMGET', 'HGETALL'],
      ...['HINCRBY', 'HINCRBYFLOAT', 'ZADD', 'ZCARD', 'ZINCRBY', 'ZMSCORE', 'ZPOPMAX', 'ZPOPMIN', 'ZRANGE'],
      ...['ZREMRANGEBYRANK', 'ZSCORE', 'PFADD', 'PFCOUNT'],
    ],
    keys: [keys.pattern],
    channels: [],
  }
}
