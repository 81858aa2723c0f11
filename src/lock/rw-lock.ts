import { FairLock } from './fair-lock.ts'
import { inspectGate, type LockView } from './inspect.ts'
import type { Lockable } from './lockable.ts'
import { checkLockName, checkLockOptions, type LockOptions, MOST_PERMITS } from './options.ts'
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
  readonly #read: Lockable
  readonly #write: Lockable

  /** @internal */
  constructor(room: LockRoom, name: string, options?: LockOptions) {
    this.name = checkLockName(name)
    const checked = checkLockOptions(options)
    const resource = room.gateResource('rwlock', name, MOST_PERMITS)
    this.#room = room
    this.#resource = resource
    this.#read = new FairLock(room, resource, checked)
    // A writer needs all there is, so nobody else is in beside him.
    this.#write = new FairLock(room, resource, checked, MOST_PERMITS)
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
    return this.#room.releaseForced(this.#resource)
  }
}
