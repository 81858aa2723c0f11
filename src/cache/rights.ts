import { DIRTY_COMMANDS } from '../dirty/keys.ts'
import { joinRights, type Rights } from '../redis/rights.ts'
import type { CacheKeys } from './keys.ts'

/**
 * What a cache needs of the server's user. Adding a command to a script or a call means adding it here.
 * `listens`: with the memory tier or `stampede: 'fleet'` there is a connection that listens.
 */
export function cacheRights(keys: CacheKeys, listens: boolean): Rights {
  const listening = ['SUBSCRIBE', 'UNSUBSCRIBE', 'PING', 'CLIENT|ID', 'CLIENT|TRACKING']
  return {
    commands: [
      ...['GET', 'MGET', 'SET', 'DEL', 'UNLINK', 'PTTL', 'PEXPIRE', 'SCAN', 'TIME', 'EVAL', 'EVALSHA', 'PUBLISH'],
      ...['EXISTS', 'PEXPIREAT', 'ZADD', 'ZRANGE', 'ZREM', 'ZREMRANGEBYSCORE'],
      ...(listens ? listening : []),
    ],
    keys: keys.patterns,
    channels: listens ? [keys.channel, '__redis__:invalidate'] : [keys.channel],
  }
}

/** What a cache with write-behind needs beside that, with keys made for it. */
export function behindRights(keys: CacheKeys, listens: boolean): Rights {
  return joinRights(cacheRights(keys, listens), { commands: DIRTY_COMMANDS, keys: keys.patterns, channels: [] })
}
