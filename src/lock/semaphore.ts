import { FairLock } from './fair-lock.ts'
import { inspectGate, type LockView } from './inspect.ts'
import {
  checkLockName,
  checkPermits,
  checkSemaphoreOptions,
  type PermitOptions,
  type SemaphoreOptions,
} from './options.ts'
import type { Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/**
 * So many holders at a time in the whole fleet, first come first served: who wants many permits is waited for by those behind him, or
 * he would wait for ever. The server's clock alone decides when a lease ends. Every process must name the same number of permits; each
 * call goes by the caller's.
 */
export class Semaphore extends FairLock<PermitOptions> {
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #capacity: number

  /** @internal */
  constructor(room: LockRoom, name: string, options: SemaphoreOptions) {
    checkLockName(name)
    const checked = checkSemaphoreOptions(options)
    const resource = room.gateResource('semaphore', name, checked.permits)
    super(room, resource, checked)
    this.#room = room
    this.#resource = resource
    this.#capacity = checked.permits
  }

  /** @internal */
  protected override get more(): readonly string[] {
    return ['permits']
  }

  /** @internal */
  protected override permitsOf(options: PermitOptions | undefined): number {
    return checkPermits(options, this.#capacity)
  }

  /** Who has permits and who waits, at one moment. */
  inspect(): Promise<LockView> {
    this.#room.enter(this.#resource.key)
    return inspectGate(this.#room.redis, 'semaphore', this.name)
  }

  /** Take all permits away from those who hold some, and let the next in; see `Lock.forceRelease`. False when nobody held one. */
  async forceRelease(): Promise<boolean> {
    return this.#room.releaseForced(this.#resource)
  }
}
