import type { Key, Keyspace } from '../redis/keyspace.ts'

/**
 * The keys of one id of a limiter, all of one hash tag. For the limiter `api` in the namespace `shop`:
 *
 *     {shop:limit:api:1.2.3.4}            hash  by rule its state, blocked: until when nobody is admitted
 *     {shop:limit:api:1.2.3.4}:l60000000  list  who was admitted, of a rule 'log'
 *     {shop:limit:api:1.2.3.4}:c60000000  zset  permits by when they end, of a rule 'concurrency'
 *
 * Each expires, from its first write on, when what it says has become void: at the latest one `per` later. Kind and `per` of a rule are part of its
 * field's or key's name: a deployment with another limit counts on, one with another `per` or algorithm begins anew and disturbs none.
 */
export class LimitKeys {
  readonly #keyspace: Keyspace
  readonly #name: string
  /** A pattern over all keys of this limiter, for the manifest of rights. */
  readonly pattern: string

  constructor(keyspace: Keyspace, name: string) {
    this.#keyspace = keyspace
    this.#name = name
    this.pattern = `{${keyspace.stem('limit', name)}*`
  }

  state(id: string): Key {
    return this.#keyspace.entity('limit', this.#name, id)
  }

  /** The key of a rule that has one of its own. */
  of(state: Key, field: string): Key {
    return `${state}:${field}` as Key
  }
}
