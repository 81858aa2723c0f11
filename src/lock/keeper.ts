import { LONGEST_TIMER_MS, monotonicMs } from '../base/clock.ts'
import { type Moment, momentNow } from './moment.ts'
import type { Renewer } from './renewer.ts'
import type { Holdable, Request } from './resource.ts'

/** A renewal that failed is tried again after this share of the lease. */
const AGAIN_SHARE = 1 / 12
/** Turns are no nearer to each other than this. */
const SHORTEST_TURN_MS = 5

/** A hold, as its keeper sees it. */
export interface Kept {
  readonly request: Request
  readonly resource: Holdable
  /** When to renew, by the steady clock. */
  renewAtMs: number
  renewing: boolean
  /** False: it is renewed by `extend` alone. */
  readonly renewed: boolean
  /** By which it counts as lost if nothing renews it, in ms from now. */
  readonly leftMs: number
  readonly leaseMs: number
  valid(): boolean
  /** The server counts so long from later than `from`. */
  onRenewed(from: Moment, leaseMs: number): void
  lose(why: string, cause?: unknown): void
}

/**
 * Looks after all that this process holds: renews each hold at a third of its lease, those of one place in one call, and ends by its
 * own clock each that could not be renewed. One timer for all, and none while nothing is held.
 */
export class Keeper {
  readonly #holds = new Map<string, Kept>()
  readonly #timeoutMs: number
  #timer: NodeJS.Timeout | undefined
  #wakeMs = Number.POSITIVE_INFINITY
  #closed = false

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  keep(hold: Kept): void {
    this.#holds.set(hold.request.token, hold)
    this.wakeFor(hold)
  }

  letGo(hold: Kept): void {
    this.#holds.delete(hold.request.token)
  }

  get(token: string): Kept | undefined {
    return this.#holds.get(token)
  }

  wakeFor(hold: Kept): void {
    if (hold.renewed && !this.#closed) this.#wakeAt(hold.renewAtMs)
    else this.#wakeAt(monotonicMs() + hold.leftMs)
  }

  #wakeAt(atMs: number): void {
    if (atMs >= this.#wakeMs) return
    this.#wakeMs = atMs
    clearTimeout(this.#timer)
    const inMs = Math.min(Math.max(SHORTEST_TURN_MS, atMs - monotonicMs()), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => this.#turn(), inMs).unref()
  }

  #turn(): void {
    clearTimeout(this.#timer)
    this.#wakeMs = Number.POSITIVE_INFINITY
    const nowMs = monotonicMs()
    const due = new Map<Renewer, Kept[]>()
    let nextMs = Number.POSITIVE_INFINITY
    for (const hold of this.#holds.values()) {
      if (!hold.valid()) continue
      if (hold.renewed && !hold.renewing && !this.#closed) {
        // Those that are nearly due come along.
        if (hold.renewAtMs <= nowMs + hold.leaseMs * AGAIN_SHARE) {
          const lot = due.get(hold.resource.renewer) ?? []
          due.set(hold.resource.renewer, lot)
          lot.push(hold)
        } else nextMs = Math.min(nextMs, hold.renewAtMs)
      }
      nextMs = Math.min(nextMs, nowMs + hold.leftMs)
    }
    for (const [renewer, holds] of due) this.#renew(renewer, holds)
    if (nextMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMs)
  }

  #renew(renewer: Renewer, holds: readonly Kept[]): void {
    const from = momentNow()
    for (const hold of holds) hold.renewing = true
    const renewals = holds.map(({ request, resource }) => ({
      key: resource.key,
      token: request.token,
      ttlMs: request.ttlMs,
    }))
    const shortestMs = Math.min(...holds.map(({ leaseMs }) => leaseMs))
    renewer.renew(renewals, this.#budgetMs(shortestMs), (at, still, error) => {
      const hold = holds[at] as Kept
      hold.renewing = false
      if (still === true) return hold.onRenewed(from, hold.request.ttlMs)
      if (still === false) return hold.lose('the server says that another may have it', error)
      hold.renewAtMs = monotonicMs() + hold.leaseMs * AGAIN_SHARE
      if (hold.valid()) this.wakeFor(hold)
    })
  }

  #budgetMs(leaseMs: number): number {
    return Math.ceil(Math.min(this.#timeoutMs, Math.max(50, leaseMs / 3)))
  }

  /** True when the hold still stands, and now for `ttlMs`. */
  renewNow({ resource, request }: Kept, ttlMs: number): Promise<boolean> {
    const renewal = { key: resource.key, token: request.token, ttlMs }
    return new Promise((resolve, reject) => {
      resource.renewer.renew([renewal], this.#timeoutMs, (_, still, error) =>
        still === undefined ? reject(error) : resolve(still),
      )
    })
  }

  /** Renews all, now: somebody may have taken one away. */
  renewAll(): void {
    for (const hold of this.#holds.values()) if (hold.renewed) hold.renewAtMs = 0
    this.#turn()
  }

  /** A waiter was given its lock for a moment only: says that it is here, for its full time. */
  claim(hold: Kept): void {
    this.#renew(hold.resource.renewer, [hold])
  }

  /** Renews nothing from now on; what is still held is told of its end in time. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#wakeMs = Number.POSITIVE_INFINITY
    for (const hold of this.#holds.values()) this.wakeFor(hold)
  }
}
