import type { Rights } from '../redis/rights.ts'
import type { GeoKeys } from './keys.ts'

/** What a set of places needs of the server's user. Adding a command to a script or a call means adding it here. */
export function geoRights(keys: Pick<GeoKeys, 'pattern'>): Rights {
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'HGET', 'HMGET', 'HSET', 'HDEL', 'HLEN', 'TIME', 'UNLINK'],
      ...['ZADD', 'ZCOUNT', 'ZRANGE', 'ZREM', 'ZSCORE'],
    ],
    keys: [keys.pattern],
    channels: [],
  }
}
