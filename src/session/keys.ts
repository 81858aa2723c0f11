import { escapePart, type Key, type Keyspace } from '../redis/keyspace.ts'

/**
 * The keys of one set of sessions, spelt here and nowhere else. For the set `default` in the namespace `shop`:
 *
 *     {shop:session:default:K3…}           hash  one session       expires: min(last use + idle, begin + absolute)
 *     {shop:session-user:default:USR123}   hash  one user's        expires: with the last that his sessions can be
 *
 * A session lies by its reference, which never changes and opens nothing: so it keeps its place when its id changes. Fields of a session:
 *
 *     meta     hash of its id (43 letters); begin, last touch and end of the absolute life (ms of 13 digits each); earlier ids that open it a
 *              little longer, `<hash>:<until>;` each
 *     user     `<epoch>` tab `<label>` tab `<user>`; none for nobody's
 *     .<name>  a field of its data
 *
 * Names and texts hold no control character, see `line.ts`. Fields of a user: `epoch`, and for each reference when it was entered and when it can
 * only be over. Users lie on other servers than their sessions: what that costs is told in `users.ts`.
 */
export class SessionKeys {
  readonly sessionPrefix: string
  readonly #userPrefix: string
  /** Over all keys of the set, for the manifest of rights. */
  readonly patterns: readonly string[]
  readonly #keyspace: Keyspace
  readonly #name: string

  constructor(keyspace: Keyspace, name: string) {
    this.#keyspace = keyspace
    this.#name = name
    this.sessionPrefix = `{${keyspace.stem('session')}${escapePart(name)}:`
    this.#userPrefix = `{${keyspace.stem('session-user')}${escapePart(name)}:`
    this.patterns = [`${this.sessionPrefix}*`, `${this.#userPrefix}*`]
  }

  /** `ref`: letters of base64url alone. */
  session(ref: string): Key {
    return `${this.sessionPrefix}${ref}}` as Key
  }

  user(userId: string): Key {
    return this.#keyspace.entity('session-user', this.#name, userId)
  }

  /** The reference of a session's key, or undefined for any other key. */
  refOf(key: string): string | undefined {
    return key.startsWith(this.sessionPrefix) && key.endsWith('}')
      ? key.slice(this.sessionPrefix.length, -1)
      : undefined
  }
}

/** A field of a session's data, apart from what is known of the session itself. */
export const DATA = '.'
export const META = 'meta'
export const USER = 'user'
