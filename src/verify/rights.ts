import type { Keyspace } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'

/** What looking needs of the servers' user beside what the parts need that are looked at: a key with WATCH, and every key found again. */
export function verifyRights(keyspace: Keyspace): Rights {
  return {
    commands: ['GET', 'SET', 'WATCH', 'MULTI', 'EXEC', 'SCAN', 'DBSIZE', 'UNLINK'],
    keys: [`*{${keyspace.stem()}*`],
    channels: [],
  }
}
