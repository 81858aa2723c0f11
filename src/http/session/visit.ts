import type {
  CreateSessionOptions,
  RegenerateSessionOptions,
  Session,
  SessionPatch,
  Sessions,
} from '../../session/index.ts'
import type { SessionCookie } from './cookie.ts'

/**
 * The session of one request: read from its cookie, asked of Redis when it is first wanted, and answered by Set-Cookie headers. For any
 * framework: it knows headers as texts alone.
 */
export class SessionVisit<T extends object> {
  readonly #sessions: Sessions<T>
  readonly #cookie: SessionCookie
  #id: string | undefined
  #session: Promise<Session<T> | undefined> | undefined
  /** The Set-Cookie header to send. */
  #answer: string | undefined

  /** `header`: the request's Cookie header. */
  constructor(sessions: Sessions<T>, cookie: SessionCookie, header: string | null | undefined) {
    this.#sessions = sessions
    this.#cookie = cookie
    const read = cookie.read(header)
    this.#id = read?.id
    if (read?.resign) this.#answer = cookie.write(read.id)
    // Whoever is used to sessions that are saved as they are assigned to would lose what he assigns, and never know.
    Object.preventExtensions(this)
  }

  /** The id that the cookie carries, or that this request gave it; whether there is a session of it only `load` tells. */
  get id(): string | undefined {
    return this.#id
  }

  /** The session, asked for once. A cookie of a session that is gone is left as it is: its answer may come after that of a login. */
  load(): Promise<Session<T> | undefined> {
    this.#session ??= this.#keep(this.#sessions.load(this.#id))
    return this.#session
  }

  /** Merge fields, at once. undefined where there is no session (any more). */
  update(patch: SessionPatch<T>): Promise<Session<T> | undefined> {
    return this.#keep(this.#sessions.update(this.#id, patch))
  }

  /** Begin a session, in place of the one that the cookie named. */
  async create(data: T, options?: CreateSessionOptions): Promise<Session<T>> {
    const session = await this.#sessions.create(data, options)
    this.#give(session.id)
    this.#session = Promise.resolve(session)
    return session
  }

  /**
   * Make the session this user's, under another id, with what it holds already; or begin one where there is none.
   */
  async login(userId: string, data: T, options: { readonly label?: string } = {}): Promise<Session<T>> {
    return (await this.regenerate({ ...options, userId, data })) ?? this.create(data, { ...options, userId })
  }

  /** Give the session another id, as every change of rights should. undefined where there is none (any more). */
  async regenerate(options?: RegenerateSessionOptions<T>): Promise<Session<T> | undefined> {
    const regenerating = this.#sessions.regenerate(this.#id, options)
    const session = await this.#keep(regenerating)
    // The same id: another request has given the session a new one, and the browser has it from there.
    if (session !== undefined && session.id !== this.#id) this.#give(session.id)
    return session
  }

  /** End the session, and take the cookie away. */
  async destroy(): Promise<boolean> {
    const ended = await this.#sessions.destroy(this.#id)
    this.#id = undefined
    this.#session = Promise.resolve(undefined)
    this.#answer = this.#cookie.clear()
    return ended
  }

  /** What to send: a Set-Cookie header or none. Such a response must not be cached. */
  get setCookies(): readonly string[] {
    return this.#answer === undefined ? [] : [this.#answer]
  }

  #give(id: string): void {
    this.#id = id
    this.#answer = this.#cookie.write(id)
  }

  /** What came last is what `load` answers; what failed is asked for again. */
  #keep(asking: Promise<Session<T> | undefined>): Promise<Session<T> | undefined> {
    this.#session = asking
    asking.catch(() => {
      if (this.#session === asking) this.#session = undefined
    })
    return asking
  }
}
