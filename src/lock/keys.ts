import type { Key, Keyspace } from '../redis/keyspace.ts'

/**
 * The keys of locks. Each is all that there is of one lock, and none lives for ever:
 *
 *     {shop:lock:payment:77}       string  who has it and who waits. The lease and an hour more, for the last fence
 *     {shop:leader:scheduler}      string  as a lock
 *     {shop:quorum:nightly}        string  as a lock, on each server of a quorum
 *     {shop:rwlock:catalogue}      hash    readers or the writer, and who waits. The longest lease and an hour more
 *     {shop:semaphore:payments}    hash    as a readers-writer lock
 *     {shop:once:invoice:42}       hash    who runs it, who waits, then the result. The lease and ten seconds more, then the `ttl` given
 */
export type LockKind = 'lock' | 'leader' | 'quorum' | 'rwlock' | 'semaphore' | 'once'

export const LOCK_KINDS: readonly LockKind[] = ['lock', 'leader', 'quorum', 'rwlock', 'semaphore', 'once']

export const lockKey = (keyspace: Keyspace, kind: LockKind, name: string): Key => keyspace.entity(kind, name)

/** Every key of a kind, as a pattern for SCAN and ACL rules. */
export const lockPattern = (keyspace: Keyspace, kind: LockKind): string => `{${keyspace.stem(kind)}*`

/** All keys of these kinds, and a few of others, as one pattern for SCAN: a server is gone through once for all of them. */
export function lockSuperset(keyspace: Keyspace, kinds: readonly LockKind[]): string {
  const [first] = kinds
  if (kinds.length === 1 && first !== undefined) return lockPattern(keyspace, first)
  const letters = Math.min(...kinds.map((kind) => kind.length))
  const classes = Array.from({ length: letters }, (_, i) => `[${[...new Set(kinds.map((kind) => kind[i]))].join('')}]`)
  return `{${keyspace.stem()}${classes.join('')}*`
}

/** The name that a key of this kind was made of, still escaped. */
export const nameOfKey = (keyspace: Keyspace, kind: LockKind, key: string): string =>
  key.slice(keyspace.stem(kind).length + 1, -1)

/** What the channels of processes begin with; each process that waits hears one, and each message is for one process. */
export const inboxPrefix = (keyspace: Keyspace): string => keyspace.channel('lock', '')

/** All of them, as a pattern for ACL rules. */
export const inboxPattern = (keyspace: Keyspace): string => `${inboxPrefix(keyspace)}*`
