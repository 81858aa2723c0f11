import type { Rights } from '../redis/rights.ts'
import type { LimitKeys } from './keys.ts'
import type { Rule } from './rules.ts'

/** What a limiter needs of the server's user; `sweeps`: with `clear`, which requests do without. Adding a command to a script or a call means adding it here. */
export function limitRights(keys: LimitKeys, rules: readonly Pick<Rule, 'algorithm'>[], sweeps = false): Rights {
  const has = (algorithm: string) => rules.some((rule) => rule.algorithm === algorithm)
  return {
    commands: [
      ...['EVALSHA', 'EVAL', 'TIME', 'HGET', 'HGETALL', 'HMGET', 'HSET', 'HDEL', 'PTTL', 'PEXPIRE', 'UNLINK'],
      ...(sweeps ? ['SCAN'] : []),
      ...(has('log') ? ['LINDEX', 'LRANGE', 'LTRIM', 'RPUSH', 'RPOP'] : []),
      ...(has('concurrency')
        ? ['ZADD', 'ZREM', 'ZCOUNT', 'ZRANGE', 'ZRANGEBYSCORE', 'ZREMRANGEBYSCORE', 'ZSCORE']
        : []),
    ],
    keys: [keys.pattern],
    channels: [],
  }
}
