import { backoffMs } from '../base/backoff.ts'
import { sleep } from '../base/clock.ts'
import type { Duration } from '../base/duration.ts'
import { randomId } from '../base/id.ts'
import { type LockLostError, LockTimeoutError } from './errors.ts'
import { Hold, type Holding } from './hold.ts'
import type { Keeper } from './keeper.ts'
import { Lockable } from './lockable.ts'
import { momentNow, sinceMs } from './moment.ts'
import { type AcquireOptions, type CheckedLock, checkAcquire } from './options.ts'
import type { QuorumResource } from './quorum-resource.ts'

/** Between two tries, with chance in it: those who split the votes must not split them again. */
const AGAIN_BASE_MS = 20
const AGAIN_MAX_MS = 250

/** A lock of a quorum that is held. It has no fence. */
export interface HeldQuorum extends Holding {
  /** Why it was lost; undefined while it is not. */
  readonly loss: LockLostError | undefined
}

/** Whether the servers are as many as their addresses. */
export interface ServerCheck {
  /** Before a vote: asks those who have not said yet who they are. */
  identify(): void
  /** After it: throws a ConfigError when two of them are one. */
  checkApart(): void
}

export class QuorumLock extends Lockable<AcquireOptions, HeldQuorum> {
  readonly #resource: QuorumResource
  readonly #keeper: Keeper
  readonly #options: CheckedLock
  readonly #servers: ServerCheck

  /** @internal */
  constructor(resource: QuorumResource, keeper: Keeper, options: CheckedLock, servers: ServerCheck) {
    super(resource.name)
    this.#resource = resource
    this.#keeper = keeper
    this.#options = options
    this.#servers = servers
  }

  protected async take(options: AcquireOptions | undefined): Promise<HeldQuorum> {
    const { waitMs, signal } = checkAcquire(options, this.#options.waitMs)
    const start = momentNow()
    for (let attempt = 0; ; attempt++) {
      const { held, trouble } = await this.#try()
      if (signal?.aborted) {
        await held?.release().catch(() => {})
        throw signal.reason
      }
      if (held !== undefined) return held
      const leftMs = waitMs - sinceMs(start)
      if (leftMs <= 0) throw trouble ?? new LockTimeoutError(this.name, waitMs, 'no majority of the servers gave it')
      await sleep(Math.min(leftMs, backoffMs(attempt, AGAIN_BASE_MS, AGAIN_MAX_MS)), signal)
    }
  }

  protected async takeNow(options: AcquireOptions | undefined): Promise<HeldQuorum | undefined> {
    checkAcquire(options, 0)
    const { held, trouble } = await this.#try()
    if (held === undefined && trouble !== undefined) throw trouble
    return held
  }

  /** One round of votes; one that is not won, or won too late, is taken back before the next. */
  async #try(): Promise<{ readonly held?: HeldQuorum; readonly trouble?: unknown }> {
    this.#servers.identify()
    const { ttlMs, owner, renewed } = this.#options
    const request = { token: randomId(), ttlMs, owner, permits: 1 }
    const asked = momentNow()
    const { won, trouble } = await this.#resource.acquire(request)
    if (won) {
      try {
        this.#servers.checkApart()
      } catch (error) {
        await this.#resource.release(request.token).catch(() => {})
        throw error
      }
      const hold = new Hold(this.#keeper, this.#resource, request, 0n, asked, ttlMs, renewed)
      if (hold.valid()) return { held: new QuorumHold(hold) }
    }
    await this.#resource.release(request.token).catch(() => {})
    return { trouble }
  }
}

/** A hold without its fence, which nothing orders here. */
class QuorumHold implements HeldQuorum {
  readonly #hold: Hold

  constructor(hold: Hold) {
    this.#hold = hold
  }

  get signal(): AbortSignal {
    return this.#hold.signal
  }

  get loss(): LockLostError | undefined {
    return this.#hold.loss
  }

  valid(): boolean {
    return this.#hold.valid()
  }

  extend(duration: Duration): Promise<void> {
    return this.#hold.extend(duration)
  }

  release(): Promise<'released' | 'gone'> {
    return this.#hold.release()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#hold[Symbol.asyncDispose]()
  }
}
