import { LONGEST_TIMER_MS } from '../base/clock.ts'
import { isOutage } from '../redis/redis.ts'
import { LockTimeoutError } from './errors.ts'
import { Hold } from './hold.ts'
import type { Keeper } from './keeper.ts'
import { type InLine, type Line, PATIENCE_MS } from './line.ts'
import { earlier, later, type Moment, marginMs, momentNow, sinceMs } from './moment.ts'
import type { Request, Resource } from './resource.ts'

export interface WaitOptions {
  readonly waitMs: number
  readonly signal: AbortSignal | undefined
  readonly renewed: boolean
}

/**
 * One request for a resource, from the first asking until it is held or given up. Whatever it is given after it gave up goes on to
 * the next at once: no grant is lost.
 */
export class Waiter implements InLine {
  readonly request: Request
  readonly resource: Resource
  readonly held: Promise<Hold>
  readonly #line: Line
  readonly #keeper: Keeper
  readonly #options: WaitOptions
  readonly #abort = () => this.fail(this.#options.signal?.reason)
  #timer: NodeJS.Timeout | undefined
  #resolve!: (hold: Hold) => void
  #reject!: (error: unknown) => void
  #settled = false
  #hold: Hold | undefined
  #asking = false
  /** Our time when the server's clock showed `#serverMs`, or before. */
  #seenAt: Moment | undefined
  #serverMs = 0
  /** A grant that came before the answer that there is a line. */
  #early: readonly [fence: bigint, atMs: number, leaseMs: number] | undefined
  #overdue = false
  #trouble: Error | undefined

  constructor(line: Line, keeper: Keeper, resource: Resource, request: Request, options: WaitOptions) {
    this.#line = line
    this.#keeper = keeper
    this.resource = resource
    this.request = request
    this.#options = options
    this.held = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    line.enter(this)
    options.signal?.addEventListener('abort', this.#abort, { once: true })
    void this.#ask()
  }

  async #ask(): Promise<void> {
    if (this.#asking) return
    this.#asking = true
    const asked = momentNow()
    try {
      const { waitMs } = this.#options
      const reply = await this.resource.acquire(this.request, waitMs > 0 ? PATIENCE_MS : 0)
      this.#asking = false
      if (this.#settled) return this.#giveBackUnlessHeld()
      if (reply.word === 'held') return this.#succeed(this.#holdFrom(reply.fence, asked, this.request.ttlMs))
      if (waitMs === 0 || this.#overdue) return this.#timeOut()
      // Ten thousand wait already: it asks again now and then, without a place.
      if (reply.word === 'queued') this.onSeen(asked, reply.nowMs)
      if (this.#timer === undefined) this.#startTimer(waitMs - sinceMs(asked))
      this.#line.watch(this, reply.word === 'queued' ? reply.leftMs : Number.POSITIVE_INFINITY)
      const early = this.#early
      this.#early = undefined
      if (early !== undefined) this.onGrant(...early)
    } catch (error) {
      this.#asking = false
      if (this.#settled) return this.#giveBackUnlessHeld()
      if (this.#seenAt === undefined || !isOutage(error)) return this.fail(error)
      this.onTrouble(error)
    }
  }

  #startTimer(leftMs: number): void {
    if (leftMs < LONGEST_TIMER_MS) this.#timer = setTimeout(() => this.#timeOut(), Math.max(0, leftMs))
  }

  #timeOut(): void {
    this.#overdue = true
    // What the answer under way says decides.
    if (this.#asking) return
    this.fail(this.#trouble ?? new LockTimeoutError(this.resource.name, this.#options.waitMs))
  }

  onSeen(asked: Moment, serverMs: number): void {
    this.#seenAt = asked
    this.#serverMs = serverMs
    this.#trouble = undefined
  }

  /** Asking tells whether it was given the lock, and else puts it back in line. */
  onMissing(): void {
    if (!this.#settled) void this.#ask()
  }

  onTrouble(error: unknown): void {
    this.#trouble = error as Error
  }

  onGrant(fence: bigint, atMs: number, leaseMs: number): void {
    if (this.#settled) return
    if (this.#seenAt === undefined) {
      this.#early = [fence, atMs, leaseMs]
      return
    }
    // No later than it was given: neither than now, nor than the server's clock says since it was last seen.
    const from = earlier(momentNow(), later(this.#seenAt, atMs - this.#serverMs))
    if (sinceMs(from) > leaseMs - marginMs(leaseMs)) return void this.#ask()
    const hold = this.#holdFrom(fence, from, leaseMs)
    this.#keeper.claim(hold)
    this.#succeed(hold, true)
  }

  #holdFrom(fence: bigint, from: Moment, leaseMs: number): Hold {
    return new Hold(this.#keeper, this.resource, this.request, fence, from, leaseMs, this.#options.renewed)
  }

  #succeed(hold: Hold, later = false): void {
    this.#hold = hold
    this.#settle()
    // The claim leaves at the end of this turn, and must have before the work begins: that may block for long.
    if (later) setImmediate(() => this.#resolve(hold))
    else this.#resolve(hold)
  }

  fail(error: unknown): void {
    if (this.#settled) return
    this.#settle()
    this.#reject(error)
    // An asking under way gives back by itself when it ends, for it could be carried out later than what is sent now.
    if (!this.#asking) this.#giveBack()
  }

  #settle(): void {
    this.#settled = true
    clearTimeout(this.#timer)
    this.#options.signal?.removeEventListener('abort', this.#abort)
    this.#line.leave(this)
  }

  #giveBackUnlessHeld(): void {
    if (this.#hold === undefined || !this.#hold.valid()) this.#giveBack()
  }

  #giveBack(): void {
    this.resource.release(this.request.token).catch(() => {})
  }
}
