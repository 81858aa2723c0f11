import { checkKnown } from '../base/check.ts'
import { ConfigError, ServerError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import { removeMatching } from '../redis/sweep.ts'
import { SessionTooLargeError } from './errors.ts'
import { decodeSet, type EncodedFields, encodeFields, readFields, writeOwner } from './fields.ts'
import { isRef, issueId, type KnownId, readId, refIn, reissueId } from './id.ts'
import { countSessions } from './inspect.ts'
import { SessionKeys } from './keys.ts'
import { fromLine, toLine } from './line.ts'
import * as scripts from './lua.generated.ts'
import {
  type CreateSessionOptions,
  checkCreate,
  checkRegenerate,
  checkUserId,
  type RegenerateSessionOptions,
  type ResolvedSessionsOptions,
  type RevokeAllSessionsOptions,
  resolveSessionsOptions,
  type SessionPatch,
  type SessionsOptions,
} from './options.ts'
import { sessionRights } from './rights.ts'
import { type SessionInfo, UserIndex } from './users.ts'

/** Of one moment: what others change later is seen by the next load. */
export interface Session<T> {
  /** Opens the session: a secret, for the cookie alone. */
  readonly id: string
  readonly data: T
  /** undefined for nobody's. */
  readonly userId: string | undefined
  /** The begin of its absolute life. */
  readonly createdAtMs: number
  /** When it ends unless it is used before. */
  readonly expiresAtMs: number
}

const OBSERVED = {
  create: new Observed('session.create'),
  load: new Observed('session.load'),
  update: new Observed('session.update'),
  regenerate: new Observed('session.regenerate'),
  destroy: new Observed('session.destroy'),
  listFor: new Observed('session.listFor'),
  revoke: new Observed('session.revoke'),
  revokeAll: new Observed('session.revokeAll'),
} as const

// Each is safe to repeat: what is written carries the hash of an id of ours, and a repeat of it meets that hash.
const LOAD = { operation: 'session.load', repeat: true } as const
const CREATE = { operation: 'session.create', repeat: true } as const
const UPDATE = { operation: 'session.update', repeat: true } as const
const REGENERATE = { operation: 'session.regenerate', repeat: true } as const
const DESTROY = { operation: 'session.destroy', repeat: true } as const

/** Ids tried for one new session. That a first one is taken means that two servers share their entropy. */
const TRIES = 3

/**
 * Sessions of users: each is fields of data behind an id that cannot be guessed. Made by `hf.sessions(options)`.
 *
 * promise  a session that was ended stays ended: no late write brings it back. Parallel changes of different fields all stand; of one field,
 *          the last. Ids are stored hashed; one that was not issued here opens and creates nothing. While the primary keeps its memory: a
 *          failover may forget the last writes, a logout among them.
 * costs    one script, one round trip a call; with a user: `create` two, `listFor` and `revokeAll` two whatever their number
 */
export class Sessions<T extends object = Record<string, unknown>> {
  readonly name: string
  readonly #redis: Redis
  readonly #options: ResolvedSessionsOptions
  readonly #keys: SessionKeys
  readonly #users: UserIndex
  #vetted = false

  /** @internal */
  constructor(redis: Redis, options?: SessionsOptions) {
    this.#options = resolveSessionsOptions(options)
    this.name = this.#options.name
    this.#redis = redis
    this.#keys = new SessionKeys(redis.keyspace, this.name)
    this.#users = new UserIndex(redis, this.#keys, this.#options)
  }

  /** The options in force, in ms and bytes. */
  get options(): ResolvedSessionsOptions {
    return this.#options
  }

  /**
   * Begin a session. Fields that are `undefined` are left out.
   *
   * throws  SESSION_TOO_LARGE; VALUE_UNWRITABLE; SERVER_FULL
   */
  async create(data: T, options: CreateSessionOptions = {}): Promise<Session<T>> {
    for (let left = TRIES; left > 0; left--) {
      const session = await this.createAs(issueId(), data, options)
      if (session !== undefined) return session
    }
    throw new ServerError('REPLY_UNKNOWN', CREATE.operation, `${TRIES} new ids in a row are taken`, { reply: 'taken' })
  }

  /**
   * Begin a session under this id, for doors whose framework makes the ids: it must be 43 letters of base64url that nobody can guess. A repeat
   * answers as the first did, and changes nothing; undefined where another session has its place.
   *
   * @internal
   */
  createAs(id: string, data: T, options: CreateSessionOptions = {}): Promise<Session<T> | undefined> {
    return this.#tell('create', async (operation) => {
      const { userId, label } = checkCreate(options)
      const { set } = this.#encode('create', 'data', data)
      const known = readId(id)
      if (known === undefined) throw new ConfigError('id', '43 letters of base64url', `one of ${String(id).length}`)
      const { ref, hash } = known
      const { idleMs, absoluteMs } = this.#options
      const epoch = userId === '' ? '' : await this.#users.join(userId, ref, CREATE.operation)
      const user = userId === '' ? '' : writeOwner(epoch, label, userId)
      const args = { id: hash, idleMs, absoluteMs, user, fields: set }
      const reply = await scripts.createScript.run(this.#redis, { session: this.#keys.session(ref) }, args, CREATE)
      operation.outcome = reply[0]
      if (reply[0] === 'taken') return undefined
      const [, createdAtMs, expiresAtMs] = reply
      return { id, data: decodeSet(set) as T, userId: userId === '' ? undefined : userId, createdAtMs, expiresAtMs }
    })
  }

  /** The session that an id opens, its idle life begun anew; undefined where there is none, or none any more. */
  load(id: string | undefined): Promise<Session<T> | undefined> {
    const known = this.#know(id)
    if (known === undefined) return Promise.resolve(undefined)
    return this.#tell('load', async (operation) => {
      const { idleMs, dueMs } = this.#options
      const keys = { session: this.#keys.session(known.ref) }
      const reply = await scripts.loadScript.run(this.#redis, keys, { id: known.hash, idleMs, dueMs }, LOAD)
      operation.outcome = reply[0]
      return reply[0] === 'gone' ? undefined : this.#read(id as string, known, reply[1], reply[2], reply[3])
    })
  }

  /**
   * Merge fields into the session's data, and remove those set to `undefined`; other fields stay as they are, whoever changes them.
   *
   * returns  the session as it is then; undefined where it is gone, and then nothing is written
   * throws   SESSION_TOO_LARGE; VALUE_UNWRITABLE; SERVER_FULL, but not for a change that only removes
   */
  update(id: string | undefined, patch: SessionPatch<T>): Promise<Session<T> | undefined> {
    const known = this.#know(id)
    return this.#tell('update', async (operation) => {
      const { set, removed } = this.#encode('update', 'patch', patch)
      if (known === undefined) return undefined
      const { idleMs, dueMs, maxBytes } = this.#options
      const script = set.length === 0 ? scripts.removeFieldsScript : scripts.saveScript
      const change = { most: maxBytes, count: set.length / 2, patch: [...set, ...removed] }
      const args = { id: known.hash, idleMs, dueMs, ...change }
      const reply = await script.run(this.#redis, { session: this.#keys.session(known.ref) }, args, UPDATE)
      operation.outcome = reply[0]
      if (reply[0] === 'too-large') throw new SessionTooLargeError(UPDATE.operation, reply[1], maxBytes)
      return reply[0] === 'gone' ? undefined : this.#read(id as string, known, reply[1], reply[2], reply[3])
    })
  }

  /**
   * Give the session another id, as every change of rights should. The earlier one opens it for `overlap` more, so that requests under way go
   * on; but who comes with an earlier one gets no new id: he is answered the session with the id that he has. With a `userId` it is a
   * login: the session becomes that user's, its life begins anew, and no earlier id opens it any more.
   *
   * returns  the session with its new id; undefined where it is gone
   */
  regenerate(id: string | undefined, options: RegenerateSessionOptions<T> = {}): Promise<Session<T> | undefined> {
    const known = this.#know(id)
    return this.#regenerate(id, known, known === undefined ? '' : reissueId(known.ref), options)
  }

  /** Make the session a user's without another id, for doors whose framework makes the ids. @internal */
  assign(id: string, userId: string, options: { data?: SessionPatch<T>; label?: string } = {}) {
    return this.#regenerate(id, this.#know(id), id, { ...options, userId })
  }

  #regenerate(
    id: string | undefined,
    known: KnownId | undefined,
    next: string,
    options: RegenerateSessionOptions<T>,
  ): Promise<Session<T> | undefined> {
    return this.#tell('regenerate', async (operation) => {
      const { userId, label, overlapMs } = checkRegenerate(options, this.#options)
      const { set, removed } = this.#encode('regenerate', 'data', options.data ?? {})
      if (known === undefined) return undefined
      const { ref, hash } = known
      const { idleMs, dueMs, absoluteMs, maxBytes } = this.#options
      const epoch = userId === '' ? '' : await this.#users.join(userId, ref, REGENERATE.operation)
      const reply = await scripts.regenerateScript.run(
        this.#redis,
        { session: this.#keys.session(ref) },
        {
          ...{ id: hash, idleMs, dueMs, next: readId(next)?.hash as string, overlapMs },
          ...{ absoluteMs, epoch, label: toLine(label), user: toLine(userId) },
          ...{ most: maxBytes, count: set.length / 2, patch: [...set, ...removed] },
        },
        REGENERATE,
      )
      operation.outcome = reply[0]
      if (reply[0] === 'too-large') throw new SessionTooLargeError(REGENERATE.operation, reply[1], maxBytes)
      if (reply[0] === 'gone') return undefined
      if (reply[0] === 'superseded') return this.#read(id as string, known, reply[1], reply[2], reply[3])
      const [, expiresAtMs, touched, previous, lines] = reply
      if (userId !== '' && previous !== '' && previous !== toLine(userId)) this.#leave(fromLine(previous), ref)
      return this.#read(next, known, expiresAtMs, touched, lines)
    })
  }

  /**
   * End the session, for good.
   *
   * returns  false where there was none; also when the answer of a first attempt was lost, and the second found it ended
   * throws   TIMEOUT, CONNECTION_LOST: it may stand
   */
  destroy(id: string | undefined): Promise<boolean> {
    const known = this.#know(id)
    return this.#tell('destroy', async (operation) => {
      if (known === undefined) return false
      const args = { id: known.hash, idleMs: this.#options.idleMs }
      const keys = { session: this.#keys.session(known.ref) }
      const reply = await scripts.destroyScript.run(this.#redis, keys, args, DESTROY)
      operation.outcome = reply[0]
      if (reply[0] === 'gone') return false
      if (reply[1] !== '') this.#leave(fromLine(reply[1]), known.ref)
      return true
    })
  }

  /** The reference in an id, under which `listFor` shows the session; undefined for what is no id. */
  refOf(id: string | undefined): string | undefined {
    return isRef(id) ? undefined : refIn(id)
  }

  /** A user's sessions, the last used first. */
  listFor(userId: string): Promise<readonly SessionInfo[]> {
    return this.#tell('listFor', async () => this.#users.list(checkUserId(userId)))
  }

  /** End one of a user's sessions by its reference. False where he has no such session. */
  revoke(userId: string, ref: string): Promise<boolean> {
    return this.#tell('revoke', async (operation) => {
      checkUserId(userId)
      if (!isRef(ref)) return false
      const word = await this.#users.end(userId, ref, '', 'session.revoke')
      operation.outcome = word
      if (word === 'revoked') this.#leave(userId, ref)
      return word === 'revoked'
    })
  }

  /**
   * End all of a user's sessions, or all but one. Also over, at their next touch, are those whose entry a failover lost, and those
   * that began meanwhile.
   *
   * returns  how many were ended now
   * throws   TIMEOUT, CONNECTION_LOST: some may stand until their next touch; call it again
   */
  revokeAll(userId: string, options: RevokeAllSessionsOptions = {}): Promise<number> {
    return this.#tell('revokeAll', async () => this.#users.endAll(checkUserId(userId), checkExcept(options)))
  }

  /** How many sessions there are. Looks at every key of every server, beside other callers' commands. */
  count(): Promise<number> {
    this.#enter()
    return countSessions(this.#redis, this.#keys)
  }

  /** End every session of this set. Looks at every key of every server, beside other callers' commands. */
  clear(): Promise<void> {
    this.#enter()
    // Users' lists empty themselves.
    return removeMatching(this.#redis, `${this.#keys.sessionPrefix}*`, 'session.clear')
  }

  #read(id: string, known: KnownId, expiresAtMs: number, touched: number, lines: string): Session<T> {
    const { data, userId, createdAtMs, epoch } = readFields(lines)
    if (touched === 1 && userId !== undefined) {
      const leftMs = createdAtMs + this.#options.absoluteMs - expiresAtMs + this.#options.idleMs
      void this.#users.affirm(userId, known.ref, epoch, leftMs).catch(() => {})
    }
    return { id, data: data as T, userId, createdAtMs, expiresAtMs }
  }

  /** What a user's list says of a session that is over matters to nobody: it goes in the background, and else when it is met. */
  #leave(userId: string, ref: string): void {
    void this.#users.leave(userId, [ref]).catch(() => {})
  }

  #encode(verb: 'create' | 'update' | 'regenerate', option: string, data: unknown): EncodedFields {
    const fields = encodeFields(option, data)
    if (fields.bytes > this.#options.maxBytes)
      throw new SessionTooLargeError(`session.${verb}`, fields.bytes, this.#options.maxBytes)
    return fields
  }

  #know(id: unknown): KnownId | undefined {
    this.#enter()
    return readId(id)
  }

  /** Who listens is told of the call and its outcome, and not of what is answered: that holds the id. */
  #tell<R>(verb: keyof typeof OBSERVED, work: (operation: Operation) => Promise<R>): Promise<R> {
    this.#enter()
    const observed = OBSERVED[verb]
    const operation: Operation = { sessions: this.name }
    if (!observed.heard) return work(operation)
    let answer: R
    const told = observed.run(operation, async () => {
      answer = await work(operation)
    })
    return told.then(() => answer)
  }

  /** The first use has the server looked at. */
  #enter(): void {
    if (this.#vetted) return
    this.#vetted = true
    this.#redis.vet('session', 'state', sessionRights(this.#keys), this.#keys.session(''), '').catch(() => {})
  }
}

function checkExcept(options: RevokeAllSessionsOptions): string | undefined {
  checkKnown('', options, ['except'])
  const { except } = options
  if (except === undefined) return undefined
  const ref = refIn(except)
  if (ref === undefined) throw new ConfigError('except', 'the id or the reference of a session', typeof except)
  return ref
}
