import type { Hold } from './hold.ts'
import { inspectGate, type LockView } from './inspect.ts'
import { inboxPrefix } from './keys.ts'
import { Lockable } from './lockable.ts'
import { releaseGateForcedScript } from './lua.generated.ts'
import {
  type AcquireOptions,
  type CheckedLock,
  checkAcquire,
  checkLockName,
  checkLockOptions,
  type LockOptions,
  MOST_PERMITS,
} from './options.ts'
import type { Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/**
 * Any number of readers, or one writer. First come, first served: readers who come after a waiting writer wait behind him, so that
 * he is not starved.
 */
export class RwLock {
  readonly name: string
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #read: Side
  readonly #write: Side

  /** @internal */
  constructor(room: LockRoom, name: string, options?: LockOptions) {
    this.name = checkLockName(name)
    const checked = checkLockOptions(options)
    const resource = room.gateResource('rwlock', name, MOST_PERMITS)
    this.#room = room
    this.#resource = resource
    this.#read = new Side(room, resource, checked, 1)
    // A writer needs all there is, so nobody else is in beside him.
    this.#write = new Side(room, resource, checked, MOST_PERMITS)
  }

  /** Beside other readers. */
  read(): Lockable {
    return this.#read
  }

  /** Alone. */
  write(): Lockable {
    return this.#write
  }

  /** Who has it and who waits, at one moment. A writer is shown with all permits. */
  inspect(): Promise<LockView> {
    return inspectGate(this.#room.redis, 'rwlock', this.name)
  }

  /** Take it away from the writer or all readers, and let the next in; see `Lock.forceRelease`. False when nobody had it. */
  async forceRelease(): Promise<boolean> {
    this.#room.enter(this.#resource.key)
    const { redis } = this.#room
    const args = { channel: inboxPrefix(redis.keyspace), capacity: MOST_PERMITS }
    const options = { operation: 'lock.forceRelease', repeat: false }
    const [word] = await releaseGateForcedScript.run(redis, { gate: this.#resource.key }, args, options)
    return word === 'released'
  }
}

class Side extends Lockable {
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #options: CheckedLock
  readonly #permits: number

  constructor(room: LockRoom, resource: Resource, options: CheckedLock, permits: number) {
    super(resource.name)
    this.#room = room
    this.#resource = resource
    this.#options = options
    this.#permits = permits
  }

  protected take(options: AcquireOptions | undefined): Promise<Hold> {
    const { waitMs, signal } = checkAcquire(options, this.#options.waitMs)
    const request = this.#room.request(this.#options, this.#permits)
    return this.#room.acquire(this.#resource, request, { waitMs, signal, renewed: this.#options.renewed })
  }

  protected takeNow(options: AcquireOptions | undefined): Promise<Hold | undefined> {
    checkAcquire(options, 0)
    const request = this.#room.request(this.#options, this.#permits)
    return this.#room.tryAcquire(this.#resource, request, this.#options.renewed)
  }
}
