import type { Redis } from '../redis/redis.ts'
import type { Reply } from '../redis/wire.ts'
import { readMeta, readOwner } from './fields.ts'
import { META, type SessionKeys, USER } from './keys.ts'
import { toLine } from './line.ts'
import * as scripts from './lua.generated.ts'
import type { ResolvedSessionsOptions } from './options.ts'

/** One session of a user, as he may see it: never its id. */
export interface SessionInfo {
  /** Names the session for `revoke`, and opens nothing. */
  readonly ref: string
  readonly label: string | undefined
  readonly createdAtMs: number
  /** As exact as a tenth of the idle life. */
  readonly lastSeenMs: number
  readonly expiresAtMs: number
}

/** Servers of one Cluster may differ so much in time, and an entry outlives its session all the same. */
const CLOCKS_APART_MS = 60_000
/** A session whose entry is younger may be about to begin. */
const SETTLED_MS = 60_000

const again = (operation: string) => ({ operation, repeat: true }) as const
const AFFIRM = again('session.affirm')
const HEAL = again('session.heal')

/**
 * Which sessions a user has. A user lies on another server than his sessions, so the two cannot change in one step; what makes that safe:
 *
 * - A session is entered before it begins: none stands that is not listed. Who dies in between leaves an entry that leads nowhere.
 * - Such entries, and those of sessions that ended, go when they are met: a few at each login, all when the list is read.
 * - `revokeAll` goes by the list, and begins a new epoch for the user. A session of an earlier one ends when it is next touched: also one whose
 *   entry a failover lost, and one that began beside the revocation.
 */
export class UserIndex {
  readonly #redis: Redis
  readonly #keys: SessionKeys
  readonly #options: ResolvedSessionsOptions

  constructor(redis: Redis, keys: SessionKeys, options: ResolvedSessionsOptions) {
    this.#redis = redis
    this.#keys = keys
    this.#options = options
  }

  get #lifeMs(): number {
    return this.#options.absoluteMs + CLOCKS_APART_MS
  }

  /** Enters a session that is about to begin. Answers the user's epoch, which it is to carry. */
  async join(userId: string, ref: string, operation: string): Promise<string> {
    const keys = { user: this.#keys.user(userId) }
    const [, epoch, ...suspects] = await scripts.joinScript.run(
      this.#redis,
      keys,
      { ref, lifeMs: this.#lifeMs },
      again(operation),
    )
    if (suspects.length > 0) void this.#heal(userId, suspects).catch(() => {})
    return epoch
  }

  /** Drops the entries of those that are no session of this user. */
  async #heal(userId: string, refs: readonly string[]): Promise<void> {
    const owners = await Promise.all(
      refs.map((ref) => {
        const key = this.#keys.session(ref)
        return this.#redis.call(key, 'HGET', [key, USER], HEAL)
      }),
    )
    const isHis = (owner: Reply | undefined) => owner !== null && readOwner(String(owner)).userId === userId
    await this.leave(
      userId,
      refs.filter((_, i) => !isHis(owners[i])),
    )
  }

  /** Drops entries. What is left of them by a failure here goes when it is met. */
  async leave(userId: string, refs: readonly string[]): Promise<void> {
    if (refs.length === 0) return
    const key = this.#keys.user(userId)
    await this.#redis.call(key, 'HDEL', [key, ...refs], HEAL)
  }

  /** Sees to a session that was touched: entered again if its entry was lost, ended if it should have been. */
  async affirm(userId: string, ref: string, epoch: string, leftMs: number): Promise<void> {
    const keys = { user: this.#keys.user(userId) }
    const lifeMs = Math.max(0, leftMs) + CLOCKS_APART_MS
    const reply = await scripts.affirmScript.run(this.#redis, keys, { ref, epoch, lifeMs }, AFFIRM)
    if (reply[0] === 'revoked') await this.end(userId, ref, reply[1], AFFIRM.operation)
  }

  /** Ends a session of this user; with an epoch only one of an earlier epoch, and a `'newer'` one stands. */
  async end(userId: string, ref: string, epoch: string, operation: string): Promise<'revoked' | 'newer' | 'gone'> {
    const session = this.#keys.session(ref)
    const args = { user: toLine(userId), epoch }
    const [word] = await scripts.revokeScript.run(this.#redis, { session }, args, again(operation))
    return word
  }

  async list(userId: string): Promise<readonly SessionInfo[]> {
    const options = again('session.listFor')
    const keys = { user: this.#keys.user(userId) }
    const [, nowMs, epoch, entries] = await scripts.listScript.run(this.#redis, keys, {}, options)
    const refs: string[] = []
    const settled = new Set<string>()
    for (let i = 0; i < entries.length; i += 2) {
      const ref = entries[i] as string
      if (ref === 'epoch') continue
      refs.push(ref)
      if (Number.parseInt(entries[i + 1] as string, 10) + SETTLED_MS < nowMs) settled.add(ref)
    }
    const found = await Promise.all(refs.map((ref) => this.#look(userId, ref, epoch, nowMs)))
    const gone = refs.filter((ref, i) => found[i] === undefined && settled.has(ref))
    void this.leave(userId, gone).catch(() => {})
    return found.filter((info) => info !== undefined).sort((a, b) => b.lastSeenMs - a.lastSeenMs)
  }

  async #look(userId: string, ref: string, userEpoch: string, nowMs: number): Promise<SessionInfo | undefined> {
    const key = this.#keys.session(ref)
    const reply = await this.#redis.call(key, 'HMGET', [key, META, USER], again('session.listFor'))
    const [meta, user] = reply as readonly Reply[]
    if (meta === null || user === null) return undefined
    const { epoch, label, userId: owner } = readOwner(String(user))
    if (owner !== userId || Number(epoch) < Number(userEpoch)) return undefined
    const { createdAtMs, seenMs, lastMs } = readMeta(String(meta))
    const expiresAtMs = Math.min(seenMs + this.#options.idleMs, lastMs)
    // By a shorter idle life than it was touched with.
    if (expiresAtMs <= nowMs) return undefined
    return { ref, label, createdAtMs, lastSeenMs: seenMs, expiresAtMs }
  }

  /** Ends all sessions of a user but one. Answers how many. */
  async endAll(userId: string, except: string | undefined): Promise<number> {
    const options = again('session.revokeAll')
    const keys = { user: this.#keys.user(userId) }
    const args = { lifeMs: this.#lifeMs }
    const [, epoch, ...refs] = await scripts.revokeUserScript.run(this.#redis, keys, args, options)
    // Spared first: it is over if this process dies before, and the user logs in again; the others are over in any case.
    if (except !== undefined) {
      const session = this.#keys.session(except)
      await scripts.spareScript.run(this.#redis, { session }, { user: toLine(userId), epoch }, options)
    }
    const doomed = refs.filter((ref) => ref !== except)
    const ended = await Promise.all(doomed.map((ref) => this.end(userId, ref, epoch, options.operation)))
    await this.leave(
      userId,
      doomed.filter((_, i) => ended[i] !== 'newer'),
    )
    return ended.filter((word) => word === 'revoked').length
  }
}
