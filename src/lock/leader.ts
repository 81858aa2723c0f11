import { backoffMs } from '../base/backoff.ts'
import { sleep } from '../base/clock.ts'
import { LockLostError } from './errors.ts'
import type { Hold } from './hold.ts'
import { inspectLock, type LockView } from './inspect.ts'
import { lossSignal } from './loss-signal.ts'
import { type CheckedLock, checkLeaderOptions, checkLockName, type LeaderOptions } from './options.ts'
import type { Resource } from './resource.ts'
import type { LockRoom } from './room.ts'

/** After an error in `onElected`, and while Redis is away, the next try comes so much later. */
const AGAIN_BASE_MS = 100
const AGAIN_MAX_MS = 5_000

/**
 * One leader in the fleet: of all who stand for it one is elected, and when his term ends, by resigning, by death or because he was
 * cut off, the next in line is. It stands from its construction until `close()`.
 */
export class Leader implements AsyncDisposable {
  readonly name: string
  readonly #room: LockRoom
  readonly #resource: Resource
  readonly #options: LeaderOptions
  readonly #lock: CheckedLock
  readonly #closing = new AbortController()
  readonly #forget: () => void
  readonly #ended: Promise<void>
  #term: { readonly hold: Hold; readonly controller: AbortController; readonly over: Promise<void> } | undefined

  /** @internal */
  constructor(room: LockRoom, name: string, options: LeaderOptions) {
    this.name = checkLockName(name)
    this.#lock = checkLeaderOptions(options)
    this.#options = options
    this.#room = room
    this.#resource = room.lockResource('leader', name)
    room.enter(this.#resource.key)
    this.#forget = room.onClose(() => this.close())
    this.#ended = this.#stand()
  }

  /** True while this process is the leader: by its clocks, also right after a pause. */
  get isLeader(): boolean {
    const term = this.#term
    return term?.hold.valid() === true && !term.controller.signal.aborted
  }

  /** The fence of this term; undefined when this process is not the leader. */
  get fence(): bigint | undefined {
    return this.isLeader ? this.#term?.hold.fence : undefined
  }

  /** Step down: the signal fires, `onElected` is let end, and the next in line is elected. This process stands again behind the others. */
  async resign(): Promise<void> {
    const term = this.#term
    if (term === undefined) return
    term.controller.abort(new LockLostError(this.name, term.hold.fence, 'the leader has resigned'))
    await term.over
  }

  /** Step down and stand no more. */
  async close(): Promise<void> {
    this.#forget()
    const reason = new LockLostError(this.name, this.#term?.hold.fence, 'close() was called')
    this.#closing.abort(reason)
    this.#term?.controller.abort(reason)
    await this.#ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  /** Who leads and who stands in line, at one moment. */
  inspect(): Promise<LockView> {
    return inspectLock(this.#room.redis, 'leader', this.name)
  }

  async #stand(): Promise<void> {
    const { signal } = this.#closing
    for (let failures = 0; !signal.aborted; ) {
      try {
        const request = this.#room.request(this.#lock)
        const options = { waitMs: Number.POSITIVE_INFINITY, signal, renewed: true }
        const hold = await this.#room.acquire(this.#resource, request, options)
        failures = (await this.#lead(hold)) ? 0 : failures + 1
      } catch (error) {
        if (signal.aborted) break
        this.#options.onError?.(error)
        failures++
      }
      if (failures > 0) await sleep(backoffMs(failures - 1, AGAIN_BASE_MS, AGAIN_MAX_MS), signal).catch(() => {})
    }
  }

  /** One term, to its end. False when the work of the leader failed. */
  async #lead(hold: Hold): Promise<boolean> {
    const controller = new AbortController()
    const signal = lossSignal(controller, () => void hold.valid())
    const ended = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
    hold.onLoss((loss) => controller.abort(loss))
    let over = () => {}
    this.#term = { hold, controller, over: new Promise((resolve) => (over = resolve)) }
    if (this.#closing.signal.aborted) controller.abort(this.#closing.signal.reason)
    let good = true
    const working = (async () => this.#options.onElected({ fence: hold.fence, signal }))().catch((error) => {
      if (signal.aborted && error === signal.reason) return
      good = false
      this.#report(error)
      controller.abort(error)
    })
    await ended
    // Work that does not heed its signal holds up the next leader no longer than a dead one would.
    const patience = new AbortController()
    await Promise.race([working, sleep(this.#lock.ttlMs, patience.signal).catch(() => {})])
    patience.abort()
    await hold.release().catch(() => {})
    this.#term = undefined
    over()
    try {
      this.#options.onLost?.(signal.reason)
    } catch (error) {
      this.#report(error)
    }
    return good
  }

  #report(error: unknown): void {
    if (this.#options.onError !== undefined) this.#options.onError(error)
    else
      process.emitWarning(
        `holdfast: leader '${this.name}': ${error instanceof Error ? error.message : String(error)}`,
        {
          code: 'HOLDFAST_LEADER',
        },
      )
  }
}
