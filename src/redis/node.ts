import { monotonicMs } from '../base/clock.ts'
import type { Call, CallOptions, Place, Router } from './call.ts'
import type { Calls } from './calls.ts'
import { Connection, type ConnectionSettings, REOPEN_MS } from './connection.ts'
import { Following } from './following.ts'
import type { Arg, LinkFault, OpenWire, Reply, ReplyFault, Wire } from './wire.ts'

export interface NodeEvents {
  /** A new wire is open: what must happen before anybody may use it. */
  prepare?(wire: Wire): Promise<void>
  up?(): void
  /** An attempt to connect failed. */
  refused?(fault: ReplyFault | LinkFault): void
}

/** Silent for so long with calls under way: the socket may be dead. A second one tells. */
const DOUBT_MS = 700
const WATCH_MS = 250

const ASK_ROLE = { operation: 'connect', repeat: true, needs: '+role', timeoutMs: 500 } as const

/**
 * One server, through one connection. While it is away its calls wait here, and once it has been away for longer than a call's
 * whole timeout they fail at once instead of each waiting its own timeout again: an outage holds no more calls than one `timeout` brings in.
 */
export class Node implements Place, Router {
  readonly address: string
  readonly settings: ConnectionSettings
  readonly #calls: Calls
  readonly #connection: Connection
  readonly #following = new Following()
  readonly #parked = new Set<Call>()
  readonly #refusedListeners: ((fault: ReplyFault | LinkFault) => void)[] = []
  readonly #handOverListeners: ((gone: boolean) => void)[] = []
  #connections = 0
  #underWay = 0
  #busySinceMs = 0
  #closed = false
  #gone = false
  #reopening: NodeJS.Timeout | undefined
  #watching: NodeJS.Timeout | undefined

  constructor(
    address: string,
    settings: ConnectionSettings,
    calls: Calls,
    openWire: OpenWire,
    events: NodeEvents = {},
  ) {
    this.address = address
    this.settings = settings
    this.#calls = calls
    const { prepare } = events
    this.#connection = new Connection(settings, openWire, {
      ...(prepare === undefined ? {} : { prepare: (wire: Wire) => prepare(wire) }),
      up: () => {
        this.#connections++
        events.up?.()
        this.#calls.release(this.#parked)
      },
      down: () => {},
      refused: (fault) => {
        this.#stopHoping()
        events.refused?.(fault)
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

  /** One more connection to this server, with the same login and checks, that is the caller's to use and to destroy. */
  openOwn(suffix: string, signal: AbortSignal): Promise<Wire> {
    return this.#connection.openOwn(suffix, signal)
  }

  /** Told when calls that wait for this server must look for it anew; `gone` when it is believed no more, or closed. */
  onHandOver(listener: (gone: boolean) => void): void {
    this.#handOverListeners.push(listener)
  }

  get ready(): boolean {
    return this.#connection.wire !== undefined
  }

  get lastError(): ReplyFault | LinkFault | undefined {
    return this.#connection.lastError
  }

  /** Connections opened so far. */
  get connections(): number {
    return this.#connections
  }

  /** For how long it has said nothing although it was asked, in ms; how long it has been away when there is no connection. */
  silentMs(nowMs: number): number {
    const { wire } = this.#connection
    if (wire === undefined) return this.#connection.awayMs(nowMs)
    return this.#underWay === 0 ? 0 : nowMs - Math.max(wire.lastByteMs, this.#busySinceMs)
  }

  /** A command on this very server, whatever its keys. */
  call(command: string, args: readonly Arg[], options: CallOptions): Promise<Reply> {
    return this.#calls.start(this, undefined, command, args, options)
  }

  placeOf(): Place {
    return this
  }

  blindness(nowMs: number) {
    return { forMs: this.#awayMs(nowMs), fault: this.lastError }
  }

  redirect(): boolean {
    return false
  }

  troubled(_from: Place, fault: ReplyFault | LinkFault): void {
    this.#following.onTrouble(fault, () => this.call('ROLE', [], ASK_ROLE))
  }

  excuse(): string | undefined {
    return this.#following.excuse
  }

  take(call: Call, nowMs: number): void {
    const { wire } = this.#connection
    if (wire === undefined) {
      if (!this.#closed) this.#connection.open()
      return this.#calls.wait(call, this.#parked, this.address, { forMs: this.#awayMs(nowMs), fault: this.lastError })
    }
    call.place = this
    call.wire = wire
    call.sentMs = nowMs
    if (this.#underWay++ === 0) this.#busySinceMs = nowMs
    this.#watching ??= setInterval(() => this.#watch(), WATCH_MS).unref()
    if (call.asked !== undefined) {
      call.asked = undefined
      // It says so before each such command, and what it answers is of no interest: the command's own answer tells all.
      wire.send('ASKING', [], false).catch(() => {})
    }
    wire.send(call.command, call.args, call.options.bytes ?? false).then(call.answer, call.refuse)
  }

  /** While anything is under way: a socket that says nothing is doubted. */
  #watch(): void {
    if (this.#underWay > 0) {
      if (this.ready && this.silentMs(monotonicMs()) >= DOUBT_MS) void this.#connection.doubt()
      return
    }
    clearInterval(this.#watching)
    this.#watching = undefined
  }

  left(): void {
    this.#underWay--
  }

  drop(wire: Wire): void {
    this.#connection.drop(wire)
  }

  /** For how long there has been no hope of an answer, in ms. */
  #awayMs(nowMs: number): number {
    if (this.#closed) return Number.POSITIVE_INFINITY
    return this.#connection.reopening(nowMs) ? 0 : this.#connection.awayMs(nowMs)
  }

  overdue(call: Call, nowMs: number): void {
    const { wire } = call
    // Not one byte since this call was sent, a whole deadline long: the socket is dead or the server frozen. A new socket
    // frees what waits on the old one, and notices the server's return; on the old one nobody would ever know.
    if (wire === undefined || wire !== this.#connection.wire || wire.lastByteMs >= call.sentMs) return
    // Unless this process itself stood still: then the silence is ours, and proves nothing.
    if ((nowMs - call.dueMs) * 2 > call.timeoutMs) return
    this.#connection.renew(Math.max(nowMs - wire.lastByteMs, call.timeoutMs + 1))
    clearTimeout(this.#reopening)
    this.#reopening = setTimeout(() => this.#stopHoping(), REOPEN_MS + 5).unref()
  }

  /** The server did not take a new socket in time: it has been away for as long as the old one was silent. */
  #stopHoping(): void {
    if (this.#reopening === undefined) return
    clearTimeout(this.#reopening)
    this.#reopening = undefined
    const forMs = this.#awayMs(monotonicMs())
    for (const call of this.#parked)
      if (forMs > call.timeoutMs) this.#calls.failLink(call, this.address, this.lastError)
  }

  /** Gives the calls that wait here to whoever has their keys now. */
  handOver(): void {
    for (const listener of this.#handOverListeners) listener(this.#gone)
    this.#calls.release(this.#parked)
  }

  /**
   * Believes this server no more: its socket is closed, so that no answer of it arrives, and what was under way goes elsewhere if it
   * may be repeated.
   */
  disown(): void {
    this.#gone = true
    const { wire } = this.#connection
    if (wire !== undefined) this.#connection.drop(wire)
    this.handOver()
  }

  /** Closes the socket; what waits here is placed anew, and fails where its server is still this one. */
  close(): void {
    this.#closed = true
    this.#gone = true
    clearTimeout(this.#reopening)
    clearInterval(this.#watching)
    this.#connection.close()
    this.handOver()
  }
}
