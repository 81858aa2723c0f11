import { backoffMs } from '../base/backoff.ts'
import { monotonicMs } from '../base/clock.ts'
import { ConnectionError, type HoldfastError, TimeoutError } from '../base/errors.ts'
import { Connection, type ConnectionSettings, REOPEN_MS } from './connection.ts'
import { Deadlines, type Due } from './deadline.ts'
import { isNotNow, linkError, replyError } from './faults.ts'
import { type Arg, type LinkFault, type OpenWire, type Reply, ReplyFault, type Wire } from './wire.ts'

export interface CallOptions {
  /** What the caller is doing, for errors: `cache.get`. */
  readonly operation: string
  /**
   * Safe to carry out twice: a read, or a write that carries an id of ours. Such a call is sent again, until its deadline,
   * when the connection broke with it under way; any other rejects then, with `sent: true`.
   */
  readonly repeat: boolean
  /** Replies as bytes rather than text. Default false. */
  readonly bytes?: boolean
  /** Deadline in ms. Default: the instance's `timeout`. */
  readonly timeoutMs?: number
  /** What the server's user must be allowed to do, for SERVER_DENIED. */
  readonly needs?: string
  /** The text of the script whose hash an EVALSHA names, for a server that does not know it. It has done nothing then. */
  readonly script?: string
}

export interface NodeStats {
  /** Calls that have no answer yet. */
  readonly pending: number
  /** Calls sent again after a broken connection or a "not now". */
  readonly repeats: number
  /** Connections opened so far. */
  readonly connections: number
  readonly ready: boolean
}

/**
 * One server, through one connection. Every call ends by its deadline, which is kept here, by our own clock: with an answer,
 * or with a typed error. While the server has been away for longer than a call's whole timeout, calls fail at once
 * instead of each waiting its own timeout again, so an outage holds no more calls than `timeout` brings in.
 */
export class Node {
  readonly address: string
  /** By room, what it needs of the server's user: for SERVER_DENIED. */
  readonly needs = new Map<string, string>()
  readonly #timeoutMs: number
  readonly #connection: Connection
  readonly #deadlines = new Deadlines()
  readonly #parked = new Set<Call>()
  readonly #refusedListeners: ((fault: ReplyFault | LinkFault) => void)[] = []
  #pending = 0
  #repeats = 0
  #connections = 0
  #closed = false
  #closing: Promise<void> | undefined
  #idle: (() => void) | undefined
  #reopening: NodeJS.Timeout | undefined

  constructor(
    address: string,
    settings: ConnectionSettings,
    timeoutMs: number,
    openWire: OpenWire,
    prepare?: (wire: Wire) => Promise<void>,
  ) {
    this.address = address
    this.#timeoutMs = timeoutMs
    this.#connection = new Connection(settings, openWire, {
      ...(prepare === undefined ? {} : { prepare }),
      up: () => this.#onUp(),
      down: () => {},
      refused: (fault) => {
        this.#stopHoping()
        for (const listener of this.#refusedListeners) listener(fault)
      },
    })
  }

  open(): void {
    this.#connection.open()
  }

  /** Told of every attempt to connect that failed. */
  onRefused(listener: (fault: ReplyFault | LinkFault) => void): void {
    this.#refusedListeners.push(listener)
  }

  get ready(): boolean {
    return this.#connection.wire !== undefined
  }

  get lastError(): ReplyFault | LinkFault | undefined {
    return this.#connection.lastError
  }

  get stats(): NodeStats {
    return { pending: this.#pending, repeats: this.#repeats, connections: this.#connections, ready: this.ready }
  }

  call(command: string, args: readonly Arg[], options: CallOptions): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const call = new Call(this, command, args, options, options.timeoutMs ?? this.#timeoutMs, resolve, reject)
      if (this.#closed) return call.reject(this.#closedError(call))
      this.#pending++
      const nowMs = monotonicMs()
      call.startedMs = nowMs
      this.#deadlines.add(call, call.timeoutMs, nowMs)
      this.#attempt(call, nowMs)
    })
  }

  #attempt(call: Call, nowMs: number): void {
    const { wire } = this.#connection
    if (wire === undefined) {
      if (this.#closed) return this.#fail(call, this.#closedError(call))
      this.#connection.open()
      if (this.#isHopeless(call, nowMs)) this.#fail(call, this.#linkError(call, this.lastError))
      else this.#parked.add(call)
      return
    }
    call.wire = wire
    call.sentMs = nowMs
    wire.send(call.command, call.args, call.options.bytes ?? false).then(call.answer, call.refuse)
  }

  /** Away for longer than this call may wait in all: what the last one waited for in vain need not be waited for again. */
  #isHopeless(call: Call, nowMs: number): boolean {
    return this.#connection.awayMs(nowMs) > call.timeoutMs && !this.#connection.reopening(nowMs)
  }

  /** @internal */
  onAnswer(call: Call, reply: Reply): void {
    if (this.#settle(call)) call.resolve(reply)
  }

  /** @internal */
  onFault(call: Call, error: unknown): void {
    if (call.settled) return
    const { wire } = call
    if (wire === undefined) return
    const fault = wire.fault(error)
    call.wire = undefined
    if (fault instanceof ReplyFault) {
      if (fault.prefix === 'NOSCRIPT' && call.options.script !== undefined && call.command === 'EVALSHA') {
        call.command = 'EVAL'
        call.args = [call.options.script, ...call.args.slice(1)]
        return this.#attempt(call, monotonicMs())
      }
      if (!isNotNow(fault))
        return this.#fail(call, replyError(call.options.operation, fault, this.#needs(call.options)))
      call.lastFault = fault
      const waitMs = backoffMs(call.repeats++, 2, 100)
      this.#repeats++
      setTimeout(() => call.settled || this.#attempt(call, monotonicMs()), waitMs).unref()
      return
    }
    this.#connection.drop(wire)
    if (fault.sent && !call.options.repeat)
      return this.#fail(call, linkError(call.options.operation, this.address, fault, true))
    call.lastFault = fault
    call.everSent ||= fault.sent
    if (fault.sent) this.#repeats++
    this.#attempt(call, monotonicMs())
  }

  /** What the call itself said, or its room declared. */
  #needs({ operation, needs }: CallOptions): string | undefined {
    return needs ?? this.needs.get(operation.slice(0, operation.indexOf('.')))
  }

  /** @internal The deadline passed. */
  onExpired(call: Call): void {
    const { wire } = call
    const nowMs = monotonicMs()
    const silentMs = wire === undefined ? 0 : nowMs - wire.lastByteMs
    const underWay = wire !== undefined
    if (!this.#settle(call)) return
    const sent = underWay || call.everSent
    call.reject(
      new TimeoutError(
        call.options.operation,
        call.timeoutMs,
        sent,
        call.lastFault ?? (sent ? undefined : this.lastError),
      ),
    )
    // Not one byte since this call was sent, a whole deadline long: the socket is dead or the server frozen. A new socket
    // frees what waits on the old one, and notices the server's return; on the old one nobody would ever know.
    if (!underWay || wire !== this.#connection.wire || wire.lastByteMs >= call.sentMs) return
    // Unless this process itself stood still: then the silence is ours, and proves nothing.
    if ((nowMs - call.dueMs) * 2 > call.timeoutMs) return
    this.#connection.renew(Math.max(silentMs, call.timeoutMs + 1))
    clearTimeout(this.#reopening)
    this.#reopening = setTimeout(() => this.#stopHoping(), REOPEN_MS + 5).unref()
  }

  /** The server did not take a new socket in time: it has been away for as long as the old one was silent. */
  #stopHoping(): void {
    if (this.#reopening === undefined) return
    clearTimeout(this.#reopening)
    this.#reopening = undefined
    const nowMs = monotonicMs()
    for (const call of this.#parked)
      if (this.#isHopeless(call, nowMs)) this.#fail(call, this.#linkError(call, this.lastError))
  }

  #onUp(): void {
    this.#connections++
    const parked = [...this.#parked]
    this.#parked.clear()
    const nowMs = monotonicMs()
    for (const call of parked) if (!call.settled) this.#attempt(call, nowMs)
  }

  #settle(call: Call): boolean {
    if (call.settled) return false
    call.settled = true
    call.wire = undefined
    this.#deadlines.remove(call, call.timeoutMs)
    if (this.#parked.size > 0) this.#parked.delete(call)
    if (--this.#pending === 0) this.#idle?.()
    return true
  }

  #fail(call: Call, error: HoldfastError): void {
    if (this.#settle(call)) call.reject(error)
  }

  #linkError(call: Call, fault: ReplyFault | LinkFault | undefined): HoldfastError {
    return linkError(call.options.operation, this.address, fault, call.everSent)
  }

  #closedError(call: Call): HoldfastError {
    return new ConnectionError('CONNECTION_CLOSED', call.options.operation, 'close() was called')
  }

  /** Takes no new calls, lets those under way end (each by its own deadline), and closes the socket. */
  close(): Promise<void> {
    this.#closed = true
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    for (const call of this.#parked) this.#fail(call, this.#closedError(call))
    if (this.#pending > 0) await new Promise<void>((resolve) => (this.#idle = resolve))
    clearTimeout(this.#reopening)
    this.#connection.close()
    this.#deadlines.stop()
  }
}

class Call implements Due {
  readonly node: Node
  command: string
  args: readonly Arg[]
  readonly options: CallOptions
  readonly timeoutMs: number
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
  readonly answer: (reply: Reply) => void
  readonly refuse: (error: unknown) => void
  dueMs = 0
  previous: Due | undefined = undefined
  next: Due | undefined = undefined
  startedMs = 0
  sentMs = 0
  settled = false
  everSent = false
  repeats = 0
  wire: Wire | undefined = undefined
  lastFault: ReplyFault | LinkFault | undefined = undefined

  constructor(
    node: Node,
    command: string,
    args: readonly Arg[],
    options: CallOptions,
    timeoutMs: number,
    resolve: (reply: Reply) => void,
    reject: (error: Error) => void,
  ) {
    this.node = node
    this.command = command
    this.args = args
    this.options = options
    this.timeoutMs = timeoutMs
    this.resolve = resolve
    this.reject = reject
    this.answer = (reply) => node.onAnswer(this, reply)
    this.refuse = (error) => node.onFault(this, error)
  }

  expire(): void {
    this.node.onExpired(this)
  }
}
