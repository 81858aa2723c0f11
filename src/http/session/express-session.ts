import { hash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { checkFunction, checkKnown } from '../../base/check.ts'
import { monotonicMs } from '../../base/clock.ts'
import { ConfigError } from '../../base/errors.ts'
import type { Sessions } from '../../session/index.ts'

type Data = Record<string, unknown>
type Callback<R = void> = ((error?: unknown, result?: R) => void) | undefined
/** What express-session's own Store gives: `createSession` makes a session object of what was loaded. */
interface BaseStore {
  createSession(req: unknown, data: unknown): object
}
type StoreClass = abstract new () => BaseStore

export interface ExpressSessionOptions {
  /** Whose session it is, by its data, so that it can be listed and revoked by user. Default nobody's. */
  readonly userOf?: (data: Readonly<Data>) => string | undefined
  /** What the user sees in the list of his sessions. Default nothing. */
  readonly labelOf?: (data: Readonly<Data>) => string | undefined
}

/** The verbs of an express-session Store; callbacks get the error or the answer. */
export interface ExpressSessionStore {
  get(sid: string, callback: (error: unknown, data?: Data | null) => void): void
  set(sid: string, data: object, callback?: (error?: unknown) => void): void
  destroy(sid: string, callback?: (error?: unknown) => void): void
  touch(sid: string, data: object, callback?: (error?: unknown) => void): void
  length(callback: (error: unknown, count?: number) => void): void
  clear(callback?: (error?: unknown) => void): void
}

/** What a session object was loaded with: what differs from it was changed by this request. */
interface Loaded {
  readonly data: Data
  readonly userId: string | undefined
  readonly atMs: number
}

/**
 * A store for express-session: `session({ store: expressSessionStore(session, hf.sessions()), … })`. Takes the module itself, so that the
 * store extends the very Store that it is used with.
 *
 * promise  a request saves what it changed, field by field, and never a session that was ended meanwhile: a save is then dropped. Only a session
 *          object that was not loaded begins one
 * life     that of the sessions, `idle` and `absolute`; `cookie.maxAge` is the browser's alone
 */
export function expressSessionStore<Base extends StoreClass>(
  session: { readonly Store: Base },
  sessions: Sessions<Data>,
  options: ExpressSessionOptions = {},
): InstanceType<Base> & ExpressSessionStore {
  const Store = (session as { Store?: unknown } | undefined)?.Store
  if (typeof Store !== 'function') throw new ConfigError('session', 'the module express-session', session)
  checkKnown('', options, ['userOf', 'labelOf'])
  const store = new (storeClass(Store as StoreClass))(sessions, options)
  return store as unknown as InstanceType<Base> & ExpressSessionStore
}

function storeClass(Base: StoreClass) {
  return class HoldfastStore extends Base implements ExpressSessionStore {
    readonly #sessions: Sessions<Data>
    readonly #userOf: ExpressSessionOptions['userOf']
    readonly #labelOf: ExpressSessionOptions['labelOf']
    readonly #loaded = new WeakMap<object, Loaded>()

    constructor(sessions: Sessions<Data>, { userOf, labelOf }: ExpressSessionOptions) {
      super()
      this.#sessions = sessions
      this.#userOf = checkFunction('userOf', userOf)
      this.#labelOf = checkFunction('labelOf', labelOf)
    }

    get(sid: string, callback: (error: unknown, data?: Data | null) => void): void {
      const loading = this.#sessions.load(idOf(sid)).then((found) => {
        if (found === undefined) return null
        // The data is the request's to change, also deep inside.
        this.#loaded.set(found.data, { data: structuredClone(found.data), userId: found.userId, atMs: monotonicMs() })
        return found.data
      })
      tell(loading, callback as Callback<Data | null>)
    }

    /** Called by express-session with what `get` gave: what it makes of it is what will be saved. */
    override createSession(req: unknown, data: unknown): object {
      const made = super.createSession(req, data)
      const loaded = this.#loaded.get(data as object)
      if (loaded !== undefined) this.#loaded.set(made, loaded)
      return made
    }

    set(sid: string, data: object, callback?: Callback): void {
      tell(this.#save(idOf(sid), data), callback)
    }

    async #save(id: string, given: object): Promise<void> {
      const data = plain(given)
      const userId = this.#userOf?.(data)
      const loaded = this.#loaded.get(given)
      const saved =
        loaded === undefined ? await this.#saveNew(id, data, userId) : await this.#merge(id, data, userId, loaded)
      if (saved) this.#loaded.set(given, { data: structuredClone(data), userId, atMs: monotonicMs() })
    }

    async #saveNew(id: string, data: Data, userId: string | undefined): Promise<boolean> {
      // A store of this kind is also given objects of which nobody knows whether they are new.
      if ((await this.#sessions.update(id, data)) !== undefined) return true
      const label = this.#labelOf?.(data)
      const user = userId === undefined ? {} : { userId }
      await this.#sessions.createAs(id, data, { ...user, ...(label === undefined ? {} : { label }) })
      return true
    }

    async #merge(id: string, data: Data, userId: string | undefined, loaded: Loaded): Promise<boolean> {
      const patch: Data = {}
      for (const name of Object.keys(loaded.data)) if (!Object.hasOwn(data, name)) patch[name] = undefined
      for (const [name, value] of Object.entries(data))
        if (!isDeepStrictEqual(value, loaded.data[name])) patch[name] = value
      if (userId === undefined || userId === loaded.userId)
        return (await this.#sessions.update(id, patch)) !== undefined
      const label = this.#labelOf?.(data)
      const options = { data: patch, ...(label === undefined ? {} : { label }) }
      return (await this.#sessions.assign(id, userId, options)) !== undefined
    }

    destroy(sid: string, callback?: Callback): void {
      tell(
        this.#sessions.destroy(idOf(sid)).then(() => undefined),
        callback,
      )
    }

    /** Loading has begun the idle life anew; only a request that took long needs to do it again. */
    touch(sid: string, data: object, callback?: Callback): void {
      const sinceMs = monotonicMs() - (this.#loaded.get(data)?.atMs ?? Number.NEGATIVE_INFINITY)
      const work = sinceMs < this.#sessions.options.dueMs ? Promise.resolve() : this.#sessions.load(idOf(sid))
      tell(
        work.then(() => undefined),
        callback,
      )
    }

    length(callback: (error: unknown, count?: number) => void): void {
      tell(this.#sessions.count(), callback as Callback<number>)
    }

    clear(callback?: Callback): void {
      tell(this.#sessions.clear(), callback)
    }
  }
}

/** Their ids are of any form; ours are of one. What Redis holds is a hash of this hash. */
const idOf = (sid: string): string => hash('sha256', String(sid), 'base64url')

/** The fields of a session object; its cookie as JSON has it, which is how express-session reads it back. */
function plain(given: object): Data {
  const data: Data = { ...given }
  if (data.cookie !== undefined) data.cookie = JSON.parse(JSON.stringify(data.cookie))
  return data
}

/** A callback that throws is its caller's uncaught error, and no rejection of ours. */
function tell<R>(work: Promise<R>, callback: Callback<R>): void {
  work.then(
    (result) => process.nextTick(() => callback?.(null, result)),
    (error: unknown) => process.nextTick(() => callback?.(error)),
  )
}
