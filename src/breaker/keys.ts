import type { Key, Keyspace } from '../redis/keyspace.ts'

/**
 * The key of a shared breaker. For `payments` in the namespace `shop`:
 *
 *     {shop:breaker:payments}  hash  era, open: until when (0: closed), row: failures in a row, trial: who tries, tried: until when,
 *                                    w0 … w9: slices of the window
 *
 * It ends an hour after what it says has become void, which means closed.
 */
export const breakerKey = (keyspace: Keyspace, name: string): Key => keyspace.entity('breaker', name)

/** The keys of every breaker, as a pattern for ACL rules. */
export const breakerPattern = (keyspace: Keyspace): string => `{${keyspace.stem('breaker')}*`
