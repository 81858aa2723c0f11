import { escapeLast, type Key, type Keyspace, unescapeName } from '../redis/keyspace.ts'
import type { Rights } from '../redis/rights.ts'

/**
 * Every key of a store for Keyv, spelt here and nowhere else. For the store `files` in the namespace `shop`:
 *
 *   {shop:keyv:files:users:42}   string  what Keyv made of the value; `users` is Keyv's namespace   expires: as Keyv says, or never
 */
export class KeyvKeys {
  readonly #prefix: string

  constructor(keyspace: Keyspace, name: string) {
    this.#prefix = `{${keyspace.stem('keyv', name)}`
  }

  entry(key: string): Key {
    return `${this.#prefix}${escapeLast(key)}}` as Key
  }

  /** The key that Keyv gave, of a key on the server; undefined for any other. */
  nameOf(key: string): string | undefined {
    return key.startsWith(this.#prefix) && key.endsWith('}')
      ? unescapeName(key.slice(this.#prefix.length, -1))
      : undefined
  }

  /** What to SCAN for all keys that begin so. */
  glob(start: string): string {
    return `${this.#prefix}${escapeLast(start)}*}`
  }

  get rights(): Rights {
    return {
      commands: ['GET', 'MGET', 'SET', 'EXISTS', 'UNLINK', 'SCAN', 'EVAL'],
      keys: [`${this.#prefix}*`],
      channels: [],
    }
  }
}
