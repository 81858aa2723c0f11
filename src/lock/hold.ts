import { type Duration, toMs } from '../base/duration.ts'
import { LockLostError } from './errors.ts'
import type { Keeper, Kept } from './keeper.ts'
import { lossSignal } from './loss-signal.ts'
import { type Moment, marginMs, momentNow, sinceMs } from './moment.ts'
import type { Holdable, Request } from './resource.ts'

/** Something that is held for a while: what its work needs to know, and to end it. */
export interface Holding extends AsyncDisposable {
  /** Fires when the lock is lost, or may be: before the lease can have ended, by this process' own clocks, whatever Redis does. */
  readonly signal: AbortSignal
  /** False once the lock is lost or was released. Looks at the clocks: true is right also right after a pause of the process. */
  valid(): boolean
  /** Hold it for so long from now at least. Throws LockLostError when it is not held any more. */
  extend(duration: Duration): Promise<void>
  /**
   * Let go; the next in line has it when this resolves. Calling it again answers the same.
   *
   * returns  `'gone'` when it was not held any more
   * throws   TIMEOUT, CONNECTION_LOST: it ends by itself with its lease
   */
  release(): Promise<'released' | 'gone'>
}

/** A lock that is held. */
export interface HeldLock extends Holding {
  /** Higher than that of every holder before. A resource that remembers the highest it has seen can refuse whoever lost the lock. */
  readonly fence: bigint
}

/** A grant, from the moment it was given until it is released or lost. */
export class Hold implements HeldLock, Kept {
  readonly fence: bigint
  readonly request: Request
  readonly resource: Holdable
  renewAtMs: number
  renewing = false
  readonly renewed: boolean
  readonly #keeper: Keeper
  #from: Moment
  #leaseMs: number
  #state: 'held' | 'released' | 'lost' = 'held'
  #loss: LockLostError | undefined
  #controller: AbortController | undefined
  #signal: AbortSignal | undefined
  #onLoss: ((loss: LockLostError) => void) | undefined
  #releasing: Promise<'released' | 'gone'> | undefined

  /** `from`: no later than the server began to count `leaseMs`. */
  constructor(
    keeper: Keeper,
    resource: Holdable,
    request: Request,
    fence: bigint,
    from: Moment,
    leaseMs: number,
    renewed: boolean,
  ) {
    this.#keeper = keeper
    this.resource = resource
    this.request = request
    this.fence = fence
    this.renewed = renewed
    this.#from = from
    this.#leaseMs = leaseMs
    this.renewAtMs = from.steadyMs + leaseMs / 3
    keeper.keep(this)
  }

  get signal(): AbortSignal {
    if (this.#signal === undefined) {
      this.#controller = new AbortController()
      this.#signal = lossSignal(this.#controller, () => this.#look())
      if (this.#loss !== undefined) this.#controller.abort(this.#loss)
    }
    this.#look()
    return this.#signal
  }

  valid(): boolean {
    this.#look()
    return this.#state === 'held'
  }

  /** Why it was lost; undefined while it is not. */
  get loss(): LockLostError | undefined {
    this.#look()
    return this.#loss
  }

  /** Told once, when it is lost. One listener. */
  onLoss(listener: (loss: LockLostError) => void): void {
    this.#onLoss = listener
    if (this.#loss !== undefined) listener(this.#loss)
  }

  get leftMs(): number {
    return this.#leaseMs - marginMs(this.#leaseMs) - sinceMs(this.#from)
  }

  get leaseMs(): number {
    return this.#leaseMs
  }

  #look(): void {
    if (this.#state === 'held' && this.leftMs <= 0)
      this.lose('its lease has ended, and could not be renewed or was not in time')
  }

  onRenewed(from: Moment, leaseMs: number): void {
    if (this.#state !== 'held') return
    if (from.steadyMs + leaseMs > this.#from.steadyMs + this.#leaseMs) {
      this.#from = from
      this.#leaseMs = leaseMs
    }
    this.renewAtMs = from.steadyMs + this.#leaseMs / 3
    this.#keeper.wakeFor(this)
  }

  lose(why: string, cause?: unknown): void {
    if (this.#state !== 'held') return
    this.#state = 'lost'
    this.#loss = new LockLostError(this.resource.name, this.fence, why, cause)
    this.#keeper.letGo(this)
    this.#controller?.abort(this.#loss)
    this.#onLoss?.(this.#loss)
  }

  async extend(duration: Duration): Promise<void> {
    const ttlMs = toMs(duration, 'duration', { min: 10 })
    if (!this.valid()) throw this.#loss ?? new LockLostError(this.resource.name, this.fence, 'it was released')
    const from = momentNow()
    const still = await this.#keeper.renewNow(this, ttlMs)
    if (still) this.onRenewed(from, ttlMs)
    else this.lose('the server says that another may have it')
    if (!this.valid()) throw this.#loss ?? new LockLostError(this.resource.name, this.fence, 'it was released')
  }

  release(): Promise<'released' | 'gone'> {
    if (this.#releasing === undefined) {
      this.#look()
      if (this.#state === 'held') this.#state = 'released'
      this.#keeper.letGo(this)
      const releasing = this.resource.release(this.request.token).then((word) => (word === 'left' ? 'gone' : word))
      // One that failed may be tried again.
      releasing.catch(() => {
        this.#releasing = undefined
      })
      this.#releasing = releasing
    }
    return this.#releasing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What cannot be released now ends with its lease; a block that has ended must not fail for it.
    await this.release().catch(() => {})
  }
}
