import type { Hold } from './hold.ts'
import { Lockable } from './lockable.ts'
import { type AcquireOptions, type CheckedLock, checkAcquire } from './options.ts'
import type { Request, Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/** Held in the order of asking: whoever finds it taken stands in its line, on the server. */
export class FairLock<Options extends AcquireOptions = AcquireOptions> extends Lockable<Options> {
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #options: CheckedLock
  readonly #permits: number

  /** @internal `permits`: what a call takes of the resource, unless it may say so itself. */
  constructor(room: LockRoom, resource: Resource, options: CheckedLock, permits = 1) {
    super(resource.name)
    this.#room = room
    this.#resource = resource
    this.#options = options
    this.#permits = permits
  }

  /** @internal What a call may say beside `wait` and `signal`. */
  protected get more(): readonly string[] {
    return []
  }

  /** @internal */
  protected permitsOf(_options: Options | undefined): number {
    return this.#permits
  }

  /** @internal */
  protected take(options: Options | undefined): Promise<Hold> {
    const { waitMs, signal } = checkAcquire(options, this.#options.waitMs, this.more)
    const { renewed } = this.#options
    return this.#room.acquire(this.#resource, this.#request(options), { waitMs, signal, renewed })
  }

  /** @internal */
  protected takeNow(options: Options | undefined): Promise<Hold | undefined> {
    checkAcquire(options, 0, this.more)
    return this.#room.tryAcquire(this.#resource, this.#request(options), this.#options.renewed)
  }

  #request(options: Options | undefined): Request {
    return this.#room.request(this.#options, this.permitsOf(options))
  }
}
