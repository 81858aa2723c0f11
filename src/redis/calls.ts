import { backoffMs } from '../base/backoff.ts'
import { monotonicMs } from '../base/clock.ts'
import { ConnectionError, type HoldfastError, TimeoutError } from '../base/errors.ts'
import { Call, type CallOptions, type Desk, type Router } from './call.ts'
import { Deadlines } from './deadline.ts'
import { isNotNow, linkError, replyError } from './faults.ts'
import type { Key } from './keyspace.ts'
import { type Arg, type LinkFault, type Reply, ReplyFault } from './wire.ts'

/** "Not now" is asked again after 2 to 100 ms: a slot's move takes a few, a failover seconds. */
const NOT_NOW_BASE_MS = 2
const NOT_NOW_MAX_MS = 100
/** Redirects in a row without a pause: more mean that two servers disagree, and need a moment. */
const REDIRECTS_AT_ONCE = 4

export interface CallStats {
  /** Calls that have no answer yet. */
  readonly pending: number
  /** Calls sent again after a broken connection or a "not now". */
  readonly repeats: number
  /** Calls sent on to another server, because it has the key now. */
  readonly redirects: number
}

/**
 * All calls of one instance, each from its start to its end, which is by its deadline, kept here by our own clock: with an answer,
 * or with a typed error. In between it is sent as often as needed, wherever its router says; what may not be repeated
 * only as long as it certainly was not carried out.
 */
export class Calls implements Desk {
  readonly timeoutMs: number
  /** By room, what it needs of the server's user: for SERVER_DENIED. */
  readonly needs = new Map<string, string>()
  readonly #deadlines = new Deadlines()
  /** Calls whose server nobody knows now. */
  readonly #unplaced = new Set<Call>()
  /** Those and all that wait for a connection. */
  readonly #waiting = new Set<Call>()
  #pending = 0
  #repeats = 0
  #redirects = 0
  #closed = false
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs
  }

  get stats(): CallStats {
    return { pending: this.#pending, repeats: this.#repeats, redirects: this.#redirects }
  }

  get closed(): boolean {
    return this.#closed
  }

  start(
    router: Router,
    key: Key | undefined,
    command: string,
    args: readonly Arg[],
    options: CallOptions,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const timeoutMs = options.timeoutMs ?? this.timeoutMs
      const call = new Call(this, router, key, command, args, options, timeoutMs, resolve, reject)
      if (this.#closed) return reject(this.#closedError(call))
      this.#pending++
      const nowMs = monotonicMs()
      this.#deadlines.add(call, timeoutMs, nowMs)
      this.attempt(call, nowMs)
    })
  }

  /** Sends a call that is not under way to the server that has its key now. */
  attempt(call: Call, nowMs: number): void {
    const place = call.router.placeOf(call)
    if (place !== undefined) return place.take(call, nowMs)
    this.wait(call, this.#unplaced, 'any server', call.router.blindness(nowMs))
  }

  /** Keeps a call in `lot` until somebody attempts it again, unless that has become hopeless. */
  wait(
    call: Call,
    lot: Set<Call>,
    where: string,
    { forMs, fault }: { readonly forMs: number; readonly fault: LinkFault | ReplyFault | undefined },
  ): void {
    if (this.#closed) return this.fail(call, this.#closedError(call))
    // What others waited for in vain, a whole timeout long, need not be waited for again.
    if (forMs > call.timeoutMs) return this.failLink(call, where, fault)
    call.lot = lot
    lot.add(call)
    this.#waiting.add(call)
  }

  /** Attempts all that waited: the topology has news. */
  release(lot: Set<Call> = this.#unplaced): void {
    if (lot.size === 0) return
    const waiting = [...lot]
    lot.clear()
    const nowMs = monotonicMs()
    for (const call of waiting) {
      call.lot = undefined
      this.#waiting.delete(call)
      if (!call.settled) this.attempt(call, nowMs)
    }
  }

  onAnswer(call: Call, reply: Reply): void {
    const { place } = call
    place?.left()
    if (place !== undefined && call.router.doubts?.(call, place, reply)) return
    this.accept(call, reply)
  }

  /** Ends a call with an answer. */
  accept(call: Call, reply: Reply): void {
    if (this.#settle(call)) call.resolve(reply)
  }

  onFault(call: Call, error: unknown): void {
    const { place, wire } = call
    if (place === undefined || wire === undefined) return
    place.left()
    call.place = undefined
    call.wire = undefined
    if (call.settled) return
    const fault = wire.fault(error)
    const byReplica = call.options.readFrom === 'replica' && !call.primaryOnly
    call.primaryOnly = true
    if (!(fault instanceof ReplyFault)) {
      place.drop(wire)
      call.router.troubled(place, fault)
      if (fault.sent && !call.options.repeat)
        return this.fail(call, linkError(call.options.operation, place.address, fault, true))
      call.lastFault = fault
      call.everSent ||= fault.sent
      if (fault.sent) this.#repeats++
      return this.attempt(call, monotonicMs())
    }
    if (fault.prefix === 'NOSCRIPT' && call.options.script !== undefined && call.command === 'EVALSHA') {
      call.command = 'EVAL'
      call.args = [call.options.script, ...call.args.slice(1)]
      return this.attempt(call, monotonicMs())
    }
    if ((fault.prefix === 'MOVED' || fault.prefix === 'ASK') && call.router.redirect(call, fault, place)) {
      call.lastFault = fault
      this.#redirects++
      return ++call.redirects % REDIRECTS_AT_ONCE === 0 ? this.#attemptLater(call) : this.attempt(call, monotonicMs())
    }
    if (byReplica && fault.prefix !== 'NOPERM') return this.attempt(call, monotonicMs())
    if (!isNotNow(fault))
      return this.fail(call, replyError(call.options.operation, fault, this.#needs(call.options), call.everSent))
    call.router.troubled(place, fault)
    call.lastFault = fault
    call.refuser = place
    this.#repeats++
    this.#attemptLater(call)
  }

  #attemptLater(call: Call): void {
    const waitMs = backoffMs(call.repeats++, NOT_NOW_BASE_MS, NOT_NOW_MAX_MS)
    setTimeout(() => call.settled || this.attempt(call, monotonicMs()), waitMs).unref()
  }

  /** What the call itself said, or its room declared. */
  #needs({ operation, needs }: CallOptions): string | undefined {
    return needs ?? this.needs.get(operation.slice(0, operation.indexOf('.')))
  }

  onExpired(call: Call): void {
    const { place } = call
    const nowMs = monotonicMs()
    if (!this.#settle(call)) return
    const sent = place !== undefined || call.everSent
    const why = call.lastFault ?? (sent ? undefined : call.router.blindness(nowMs, call).fault)
    if (call.fallback !== undefined) call.resolve(call.fallback)
    else call.reject(new TimeoutError(call.options.operation, call.timeoutMs, sent, why, refusalOf(call, sent)))
    place?.overdue(call, nowMs)
  }

  #settle(call: Call): boolean {
    if (call.settled) return false
    call.settled = true
    this.#deadlines.remove(call, call.timeoutMs)
    if (call.lot?.delete(call)) this.#waiting.delete(call)
    if (--this.#pending === 0) this.#idle?.()
    return true
  }

  fail(call: Call, error: HoldfastError): void {
    if (!this.#settle(call)) return
    if (call.fallback !== undefined) call.resolve(call.fallback)
    else call.reject(error)
  }

  failLink(call: Call, where: string, fault: ReplyFault | LinkFault | undefined): void {
    this.fail(call, linkError(call.options.operation, where, fault, call.everSent))
  }

  #closedError(call: Call): HoldfastError {
    return new ConnectionError('CONNECTION_CLOSED', call.options.operation, 'close() was called')
  }

  /** Takes no new calls, ends those that wait for a server or a connection, and resolves when those under way have ended. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#closed = true
    for (const call of this.#waiting) this.fail(call, this.#closedError(call))
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    this.#deadlines.stop()
  }
}

/** What a server that cannot do its part now said to a call last. */
function refusalOf({ router, refuser, lastFault }: Call, sent: boolean): string | undefined {
  if (refuser === undefined || !(lastFault instanceof ReplyFault)) return undefined
  const excuse = router.excuse?.(refuser)
  const why = excuse === undefined ? `answered ${lastFault.message}` : `${excuse} (${lastFault.message})`
  return `it was refused ${sent ? 'until then' : 'each time'}: ${refuser.address} ${why}`
}
