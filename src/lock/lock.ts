import { FairLock } from './fair-lock.ts'
import { inspectLock, type LockView } from './inspect.ts'
import { checkLockName, checkLockOptions, type LockOptions } from './options.ts'
import type { Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/**
 * One holder at a time, in the whole fleet, first come first served.
 *
 * promise  one holder while the primary keeps its memory and clocks run evenly; a holder learns of a loss by its own clocks. What a
 *          failover forgets may be held twice: then the fence, which every later holder has higher, keeps a resource that checks it safe.
 * costs    one script, one round trip to take it and one to release it; a waiter costs two calls a second for each process and lock
 */
export class Lock extends FairLock {
  readonly #room: LockRoom
  readonly #resource: Resource

  /** @internal */
  constructor(room: LockRoom, name: string, options?: LockOptions) {
    const resource = room.lockResource('lock', checkLockName(name))
    super(room, resource, checkLockOptions(options))
    this.#room = room
    this.#resource = resource
  }

  /** Who has it and who waits, at one moment. */
  inspect(): Promise<LockView> {
    this.#room.enter(this.#resource.key)
    return inspectLock(this.#room.redis, 'lock', this.name)
  }

  /**
   * Take it away from whoever has it; the next in line has it when this resolves. The old holder's signal fires: at once where its
   * process listens (it has ever waited), else at its next extension. Until he stops only a resource that checks the fence is safe.
   *
   * returns  false when nobody held it
   */
  async forceRelease(): Promise<boolean> {
    return this.#room.releaseForced(this.#resource)
  }
}
