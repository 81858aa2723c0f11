import type { Hold } from './hold.ts'
import { inspectLock, type LockView } from './inspect.ts'
import { inboxPrefix } from './keys.ts'
import { Lockable } from './lockable.ts'
import { releaseForcedScript } from './lua.generated.ts'
import {
  type AcquireOptions,
  type CheckedLock,
  checkAcquire,
  checkLockName,
  checkLockOptions,
  type LockOptions,
} from './options.ts'
import type { Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/**
 * One holder at a time, in the whole fleet, first come first served.
 *
 * promise  one holder while the primary keeps its memory and clocks run evenly; a holder learns of a loss by its own clocks. What a
 *          failover forgets may be held twice: then the fence, which every later holder has higher, keeps a resource that checks it safe.
 * costs    one script, one round trip to take it and one to release it; a waiter costs two calls a second for each process and lock
 */
export class Lock extends Lockable {
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #options: CheckedLock

  /** @internal */
  constructor(room: LockRoom, name: string, options?: LockOptions) {
    super(checkLockName(name))
    this.#options = checkLockOptions(options)
    this.#room = room
    this.#resource = room.lockResource('lock', name)
  }

  protected take(options: AcquireOptions | undefined): Promise<Hold> {
    const { waitMs, signal } = checkAcquire(options, this.#options.waitMs)
    const { renewed } = this.#options
    return this.#room.acquire(this.#resource, this.#room.request(this.#options), { waitMs, signal, renewed })
  }

  protected takeNow(options: AcquireOptions | undefined): Promise<Hold | undefined> {
    checkAcquire(options, 0)
    return this.#room.tryAcquire(this.#resource, this.#room.request(this.#options), this.#options.renewed)
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
    this.#room.enter(this.#resource.key)
    const { redis } = this.#room
    const args = { channel: inboxPrefix(redis.keyspace) }
    const options = { operation: 'lock.forceRelease', repeat: false }
    const [word] = await releaseForcedScript.run(redis, { lock: this.#resource.key }, args, options)
    return word === 'released'
  }
}
