import type { Key } from '../redis/keyspace.ts'

/** The keys of what is yet to be persisted of one place, all of one hash tag with the values themselves. None of them expires but the lease. */
export interface DirtyKeys {
  readonly dirty: Key
  readonly due: Key
  readonly writes: Key
  readonly tries: Key
  readonly state: Key
  readonly dead: Key
  readonly lease: Key
}

const PARTS = ['dirty', 'due', 'writes', 'tries', 'state', 'dead', 'lease'] as const

/** Spelt behind `stem`, which holds the hash tag. */
export function dirtyKeys(stem: string): DirtyKeys {
  return Object.fromEntries(PARTS.map((part) => [part, `${stem}:${part}`])) as unknown as DirtyKeys
}

/** What a script of this room touches of a value itself. */
export interface ValueKeys {
  readonly value: Key
  readonly lease: Key
  readonly fence: Key
}

/** The commands of this room's scripts and calls. */
export const DIRTY_COMMANDS = [
  ...['EVALSHA', 'EVAL', 'TIME', 'GET', 'SET', 'DEL', 'UNLINK', 'PTTL', 'PEXPIRE', 'PERSIST', 'PUBLISH'],
  ...['HGET', 'HMGET', 'HSET', 'HDEL', 'HINCRBY', 'HLEN', 'HSCAN'],
  ...['ZADD', 'ZREM', 'ZRANGE', 'ZSCORE', 'ZCARD'],
]
