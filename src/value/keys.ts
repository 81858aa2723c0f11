import type { Key, Keyspace } from '../redis/keyspace.ts'

/**
 * The keys of one value, of one hash tag. They last as long as the value: without a `ttl`, until `delete()`.
 *
 *     {shop:value:stock}      hash    json, types: the content; version; history: the writes that led to it; at: when
 *     {shop:value:stock}:log  stream  json, types, version of each update that logged
 *
 * Once deleted, the hash stays for ten minutes without a content, so that a write which comes twice is known.
 */
export interface ValueKeys {
  readonly value: Key
  readonly log: Key
}

export function valueKeys(keyspace: Keyspace, name: string): ValueKeys {
  const value = keyspace.entity('value', name)
  return { value, log: `${value}:log` as Key }
}

/** The keys of every value, as a pattern for ACL rules. */
export const valuePattern = (keyspace: Keyspace): string => `{${keyspace.stem('value')}*`
