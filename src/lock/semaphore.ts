import type { Hold } from './hold.ts'
import { inspectGate, type LockView } from './inspect.ts'
import { inboxPrefix } from './keys.ts'
import { Lockable } from './lockable.ts'
import { releaseGateForcedScript } from './lua.generated.ts'
import {
  type CheckedLock,
  checkAcquire,
  checkLockName,
  checkPermits,
  checkSemaphoreOptions,
  type PermitOptions,
  type SemaphoreOptions,
} from './options.ts'
import type { Request, Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/**
 * So many holders at a time in the whole fleet, first come first served: who wants many permits is waited for by those behind him, or
 * he would wait for ever. The server's clock alone decides when a lease ends. Every process must name the same number of permits; each
 * call goes by the caller's.
 */
export class Semaphore extends Lockable<PermitOptions> {
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #options: CheckedLock & { readonly permits: number }

  /** @internal */
  constructor(room: LockRoom, name: string, options: SemaphoreOptions) {
    super(checkLockName(name))
    this.#options = checkSemaphoreOptions(options)
    this.#room = room
    this.#resource = room.gateResource('semaphore', name, this.#options.permits)
  }

  protected take(options: PermitOptions | undefined): Promise<Hold> {
    const { waitMs, signal } = checkAcquire(options, this.#options.waitMs, ['permits'])
    const { renewed } = this.#options
    return this.#room.acquire(this.#resource, this.#request(options), { waitMs, signal, renewed })
  }

  protected takeNow(options: PermitOptions | undefined): Promise<Hold | undefined> {
    checkAcquire(options, 0, ['permits'])
    return this.#room.tryAcquire(this.#resource, this.#request(options), this.#options.renewed)
  }

  #request(options: PermitOptions | undefined): Request {
    return this.#room.request(this.#options, checkPermits(options, this.#options.permits))
  }

  /** Who has permits and who waits, at one moment. */
  inspect(): Promise<LockView> {
    this.#room.enter(this.#resource.key)
    return inspectGate(this.#room.redis, 'semaphore', this.name)
  }

  /** Take all permits away from those who hold some, and let the next in; see `Lock.forceRelease`. False when nobody held one. */
  async forceRelease(): Promise<boolean> {
    this.#room.enter(this.#resource.key)
    const { redis } = this.#room
    const args = { channel: inboxPrefix(redis.keyspace), capacity: this.#options.permits }
    const options = { operation: 'lock.forceRelease', repeat: false }
    const [word] = await releaseGateForcedScript.run(redis, { gate: this.#resource.key }, args, options)
    return word === 'released'
  }
}
