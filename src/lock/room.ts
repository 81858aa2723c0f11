import { ConnectionError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Redis } from '../redis/redis.ts'
import { GateResource, gateRenewer } from './gate-resource.ts'
import { Hold } from './hold.ts'
import { Inbox } from './inbox.ts'
import { Keeper } from './keeper.ts'
import { inboxPrefix, type LockKind, lockKey } from './keys.ts'
import { Line } from './line.ts'
import { LockResource, lockRenewer } from './lock-resource.ts'
import { momentNow } from './moment.ts'
import type { CheckedLock } from './options.ts'
import type { Renewer } from './renewer.ts'
import type { Request, Resource } from './resource.ts'
import { lockRights } from './rights.ts'
import { Waiter } from './waiter.ts'

/** All that the locks of one process share: one inbox, one timer that renews, one that looks after those who wait. */
export class LockRoom {
  readonly redis: Redis
  readonly keeper: Keeper
  readonly inbox: Inbox
  readonly #line: Line
  readonly #lockRenewer: Renewer
  readonly #gateRenewer: Renewer
  readonly #closers = new Set<() => Promise<void>>()
  #vetted = false
  #closed = false

  constructor(redis: Redis) {
    this.redis = redis
    this.inbox = new Inbox(redis)
    this.keeper = new Keeper(redis.timeoutMs)
    this.#line = new Line(this.inbox)
    this.#lockRenewer = lockRenewer(redis)
    this.#gateRenewer = gateRenewer(redis)
    this.inbox.onUp(() => this.keeper.renewAll())
    this.inbox.on('lost', ([, token]) => this.keeper.get(token as string)?.lose('it was released by force'))
  }

  lockResource(kind: LockKind, name: string): Resource {
    const key = lockKey(this.redis.keyspace, kind, name)
    return new LockResource(this.redis, key, name, this.inbox.id, this.#lockRenewer)
  }

  gateResource(kind: LockKind, name: string, capacity: number): Resource {
    const key = lockKey(this.redis.keyspace, kind, name)
    return new GateResource(this.redis, key, name, this.inbox.id, capacity, this.#gateRenewer)
  }

  request({ ttlMs, owner }: CheckedLock, permits = 1): Request {
    return { token: randomId(), ttlMs, owner, permits }
  }

  /** Waits for a resource in line. Rejects with LockTimeoutError, `signal.reason`, or why Redis could not be asked. */
  acquire(
    resource: Resource,
    request: Request,
    options: { readonly waitMs: number; readonly signal?: AbortSignal | undefined; readonly renewed: boolean },
  ): Promise<Hold> {
    this.enter(resource.key)
    const { waitMs, signal, renewed } = options
    return new Waiter(this.#line, this.keeper, resource, request, { waitMs, signal, renewed }).held
  }

  /** Takes a resource if it is free now. */
  async tryAcquire(resource: Resource, request: Request, renewed: boolean): Promise<Hold | undefined> {
    this.enter(resource.key)
    const asked = momentNow()
    try {
      const reply = await resource.acquire(request, 0)
      if (reply.word !== 'held') return undefined
      return new Hold(this.keeper, resource, request, reply.fence, asked, request.ttlMs, renewed)
    } catch (error) {
      // It may have been carried out all the same.
      resource.release(request.token).catch(() => {})
      throw error
    }
  }

  /** Takes a resource away from all who hold it; false when nobody did. */
  releaseForced(resource: Resource): Promise<boolean> {
    this.enter(resource.key)
    return resource.releaseForced()
  }

  /** Refuses when closed; looks once whether the server suits locks, behind the first call. */
  enter(key: Key): void {
    if (this.#closed) throw closedError()
    if (this.#vetted) return
    this.#vetted = true
    const { keyspace } = this.redis
    this.redis.vet('lock', 'state', lockRights(keyspace), key, inboxPrefix(keyspace) + this.inbox.id).catch(() => {})
  }

  /** Called when all is closed, until the answer is called. */
  onClose(close: () => Promise<void>): () => void {
    this.#closers.add(close)
    return () => this.#closers.delete(close)
  }

  get waiting(): number {
    return this.#line.waiting
  }

  /** Those who wait are told; what is held is renewed no more, and its signals fire before its leases can have ended. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await Promise.all([...this.#closers].map((close) => close()))
    this.#line.close(closedError())
    this.keeper.close()
    this.inbox.close()
  }
}

const closedError = () => new ConnectionError('CONNECTION_CLOSED', 'lock', 'close() was called')
