import type { Rights } from '../redis/rights.ts'
import type { CacheKeys } from './keys.ts'

/** What a cache needs of the server's user. Adding a command to a script or a call means adding it here. */
export function cacheRights(keys: CacheKeys): Rights {
  return {
    commands: ['GET', 'MGET', 'SET', 'DEL', 'UNLINK', 'PTTL', 'PEXPIRE', 'SCAN', 'TIME', 'EVAL', 'EVALSHA', 'PUBLISH'],
    keys: keys.patterns,
    channels: [keys.channel],
  }
}

/** What the memory tier and `stampede: 'fleet'` need beside it: a connection that listens. */
export const LISTENER_RIGHTS = '+subscribe +unsubscribe +ping +client|id +client|tracking &__redis__:invalidate'
