import { monotonicMs } from '../base/clock.ts'
import type { Key } from '../redis/keyspace.ts'
import type { Inbox } from './inbox.ts'
import { type Moment, momentNow } from './moment.ts'
import type { Request, Resource } from './resource.ts'

/** Each waiter says that it is alive this often, give or take a tenth; with that, what a lost message told is found out. */
const BEAT_MS = 500
/** So long a waiter counts as alive without a word: four beats. */
export const PATIENCE_MS = 2_000
/** A lease that is about to end is looked at when it has; not more often than this, however short leases are. */
const SHORTEST_BEAT_MS = 25
const MOST_PER_CALL = 100

/** Who stands in line, as the line sees it. */
export interface InLine {
  readonly request: Request
  readonly resource: Resource
  /** The server gave it the lock at `atMs` of its clock. */
  onGrant(fence: bigint, atMs: number, leaseMs: number): void
  /** It is in line, and alive for the server, whose clock showed `serverMs` no earlier than at `asked`. */
  onSeen(asked: Moment, serverMs: number): void
  /** It is not in line: it was given the lock and has not heard, or was passed over. */
  onMissing(): void
  /** The server could not be asked. */
  onTrouble(error: unknown): void
  fail(error: unknown): void
}

interface Watched {
  readonly resource: Resource
  readonly waiters: Set<InLine>
  dueMs: number
  beating: boolean
}

/** All that this process waits for: one channel on which it is told, one timer for what was not heard, one call a resource. */
export class Line {
  readonly #inbox: Inbox
  readonly #waiters = new Map<string, InLine>()
  readonly #watched = new Map<Key, Watched>()
  #timer: NodeJS.Timeout | undefined
  #wakeMs = Number.POSITIVE_INFINITY

  constructor(inbox: Inbox) {
    this.#inbox = inbox
    inbox.onUp(() => this.#lookNow())
    inbox.on('granted', ([, token, fence, atMs, leaseMs]) =>
      this.#waiters.get(token as string)?.onGrant(BigInt(fence as string), Number(atMs), Number(leaseMs)),
    )
  }

  /** From here on its grant is heard, also one that comes before the answer that it must wait. */
  enter(waiter: InLine): void {
    this.#waiters.set(waiter.request.token, waiter)
  }

  /** It stands in line, and the lease before it ends in `leftMs` if nobody renews it. */
  watch(waiter: InLine, leftMs: number): void {
    const { resource } = waiter
    let watched = this.#watched.get(resource.key)
    if (watched === undefined) {
      watched = { resource, waiters: new Set(), dueMs: Number.POSITIVE_INFINITY, beating: false }
      this.#watched.set(resource.key, watched)
    }
    watched.waiters.add(waiter)
    this.#schedule(watched, leftMs)
    this.#inbox.listen()
  }

  leave(waiter: InLine): void {
    this.#waiters.delete(waiter.request.token)
    const watched = this.#watched.get(waiter.resource.key)
    if (watched?.waiters.delete(waiter) && watched.waiters.size === 0) this.#watched.delete(waiter.resource.key)
  }

  get waiting(): number {
    return this.#waiters.size
  }

  #schedule(watched: Watched, leftMs: number): void {
    const inMs = Math.min(BEAT_MS * (0.9 + Math.random() * 0.2), Math.max(SHORTEST_BEAT_MS, leftMs + 2))
    watched.dueMs = Math.min(watched.dueMs, monotonicMs() + inMs)
    if (watched.dueMs >= this.#wakeMs) return
    this.#wakeMs = watched.dueMs
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#turn(), Math.max(1, watched.dueMs - monotonicMs()))
  }

  /** What happened before the channel was up made no sound. */
  #lookNow(): void {
    for (const watched of this.#watched.values()) void this.#beat(watched)
  }

  #turn(): void {
    this.#wakeMs = Number.POSITIVE_INFINITY
    const nowMs = monotonicMs()
    for (const watched of this.#watched.values())
      if (watched.dueMs <= nowMs) void this.#beat(watched)
      else this.#schedule(watched, watched.dueMs - nowMs)
  }

  async #beat(watched: Watched): Promise<void> {
    if (watched.beating) return
    watched.beating = true
    watched.dueMs = Number.POSITIVE_INFINITY
    const waiters = [...watched.waiters]
    let leftMs = BEAT_MS
    for (let i = 0; i < waiters.length; i += MOST_PER_CALL)
      leftMs = Math.min(leftMs, await beatOnce(watched.resource, waiters.slice(i, i + MOST_PER_CALL)))
    watched.beating = false
    if (watched.waiters.size > 0) this.#schedule(watched, leftMs)
  }

  close(error: Error): void {
    clearTimeout(this.#timer)
    for (const waiter of [...this.#waiters.values()]) waiter.fail(error)
  }
}

/** Answers how long until it pays to look again. */
async function beatOnce(resource: Resource, waiters: readonly InLine[]): Promise<number> {
  const asked = momentNow()
  try {
    const tokens = waiters.map(({ request }) => request.token)
    const { leftMs, nowMs, missing } = await resource.beat(tokens, PATIENCE_MS)
    const gone = new Set(missing)
    for (const waiter of waiters)
      if (gone.has(waiter.request.token)) waiter.onMissing()
      else waiter.onSeen(asked, nowMs)
    return leftMs
  } catch (error) {
    for (const waiter of waiters) waiter.onTrouble(error as Error)
    return BEAT_MS
  }
}
