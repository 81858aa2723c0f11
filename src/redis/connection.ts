import { backoffMs } from '../base/backoff.ts'
import { monotonicMs, unlessAborted } from '../base/clock.ts'
import { LinkFault, type OpenWire, ReplyFault, type Wire, type WireSettings } from './wire.ts'

/** How to reach one server; the password may be a function, asked anew for every connection. */
export interface ConnectionSettings extends Omit<WireSettings, 'password'> {
  readonly password?: string | (() => string | Promise<string>)
}

const RETRY_BASE_MS = 25
const RETRY_MAX_MS = 400
/** A wire that lived this long was a real one: after it, the first new attempt is made at once. */
const STEADY_MS = 1_000
/** What opening a socket to a healthy server takes at most, far away and with TLS. */
export const REOPEN_MS = 250

export interface ConnectionEvents {
  /** A wire is open and logged in. What this does first happens before anybody else may use the wire. */
  prepare?(wire: Wire): Promise<void>
  /** The wire may be used. */
  up(wire: Wire): void
  /** The wire has ended; a new one is being opened. */
  down(): void
  /** An attempt to open one failed. */
  refused(error: ReplyFault | LinkFault): void
}

/**
 * Keeps one wire to a server open, for ever, until closed: the first attempts follow each other closely, later ones
 * by at most 0.4 s, so that work goes on within half a second of the server's return.
 */
export class Connection {
  readonly #settings: ConnectionSettings
  readonly #openWire: OpenWire
  readonly #events: ConnectionEvents
  #wire: Wire | undefined
  readonly #opening = new Set<Wire>()
  #doubting = false
  #retry: NodeJS.Timeout | undefined
  readonly #closing = new AbortController()
  #trying = false
  #awaySinceMs = monotonicMs()
  #attempt = 0
  #upSinceMs = 0
  #lostMs = Number.NEGATIVE_INFINITY
  /** Why the last attempt failed, for the cause of errors. */
  lastError: ReplyFault | LinkFault | undefined

  constructor(settings: ConnectionSettings, openWire: OpenWire, events: ConnectionEvents) {
    this.#settings = settings
    this.#openWire = openWire
    this.#events = events
  }

  /** The wire to use now, if there is one. */
  get wire(): Wire | undefined {
    return this.#wire
  }

  /** How long there has been no wire, in ms; 0 with one. */
  awayMs(nowMs: number): number {
    return this.#wire === undefined ? nowMs - this.#awaySinceMs : 0
  }

  /** True while the first attempt since the wire was lost may still succeed: the socket may be dead and the server well. */
  reopening(nowMs: number): boolean {
    return this.#wire === undefined && this.lastError === undefined && nowMs - this.#lostMs < REOPEN_MS
  }

  open(): void {
    if (this.#closing.signal.aborted || this.#trying || this.#retry !== undefined || this.#wire !== undefined) return
    this.#awaySinceMs = monotonicMs()
    void this.#tryOpen()
  }

  async #tryOpen(): Promise<void> {
    this.#trying = true
    try {
      const wire = await this.#openOne()
      this.#trying = false
      this.#use(wire)
    } catch (error) {
      this.#trying = false
      if (this.#closing.signal.aborted) return
      const fault = toFault(error)
      this.lastError = fault
      this.#events.refused(fault)
      this.#retryLater()
    }
  }

  /**
   * One more wire to this server, with the same login and the same checks. It is the caller's, to use and to destroy, and not kept up.
   *
   * suffix  what is added to the connection's name
   * throws  LinkFault, ReplyFault
   */
  async openOwn(suffix: string, signal: AbortSignal): Promise<Wire> {
    const opening = this.#openOne(suffix)
    opening.then((wire) => signal.aborted && wire.destroy()).catch(() => {})
    try {
      return await unlessAborted(opening, signal)
    } catch (error) {
      throw toFault(error)
    }
  }

  /** A wire that is open, logged in and prepared; none that is left behind when it cannot be had. */
  async #openOne(suffix = ''): Promise<Wire> {
    const { password, name, ...settings } = this.#settings
    const secret = typeof password === 'function' ? await this.#ask(password) : password
    const login = secret === undefined ? {} : { password: secret }
    const wire = await this.#openWire(
      { ...settings, ...login, name: name === '' ? '' : name + suffix },
      this.#closing.signal,
    )
    this.#opening.add(wire)
    try {
      let ended = this.#closing.signal.aborted
      wire.onEnd(() => {
        ended = true
        if (this.#wire === wire) this.#lose(0)
      })
      await this.#prepare(wire)
      if (ended || this.#closing.signal.aborted)
        throw new LinkFault('the socket was closed during the handshake', false)
      return wire
    } catch (error) {
      wire.destroy()
      throw error
    } finally {
      this.#opening.delete(wire)
    }
  }

  #use(wire: Wire): void {
    this.#wire = wire
    this.#upSinceMs = monotonicMs()
    this.lastError = undefined
    this.#events.up(wire)
  }

  /**
   * Opens a second wire beside one that is silent, and takes it in its place if that has said nothing until then: the server is well
   * and the old socket dead. A server that answers neither is left alone: it is frozen, and may wake.
   */
  async doubt(): Promise<void> {
    const old = this.#wire
    if (old === undefined || this.#doubting) return
    const { lastByteMs } = old
    this.#doubting = true
    try {
      const wire = await this.#openOne()
      if (this.#wire !== old || old.lastByteMs !== lastByteMs) return wire.destroy()
      this.#wire = undefined
      this.#events.down()
      old.destroy()
      this.#use(wire)
    } catch {
      // The old one is all there is.
    } finally {
      this.#doubting = false
    }
  }

  async #ask(password: () => string | Promise<string>): Promise<string> {
    const { openTimeoutMs } = this.#settings
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      const fault = new LinkFault(`the password function gave no answer within ${openTimeoutMs} ms`, false)
      timer = setTimeout(() => reject(fault), openTimeoutMs)
    })
    try {
      const secret = await unlessAborted(Promise.race([password(), late]), this.#closing.signal)
      if (typeof secret !== 'string') throw new LinkFault('the password function gave no text', false)
      return secret
    } finally {
      clearTimeout(timer)
    }
  }

  /** A server that freezes between the handshake and the first command must not hold the place for ever. */
  async #prepare(wire: Wire): Promise<void> {
    if (this.#events.prepare === undefined) return
    const timer = setTimeout(() => wire.destroy(), this.#settings.openTimeoutMs)
    try {
      await this.#events.prepare(wire)
    } finally {
      clearTimeout(timer)
    }
  }

  #lose(silentMs: number): void {
    const nowMs = monotonicMs()
    this.#wire = undefined
    this.#lostMs = nowMs
    this.#awaySinceMs = nowMs - silentMs
    // A server that takes connections only to drop them must not be asked for one every millisecond.
    if (nowMs - this.#upSinceMs > STEADY_MS) this.#attempt = 0
    if (this.#closing.signal.aborted) return
    this.#events.down()
    this.#retryLater()
  }

  #retryLater(): void {
    if (this.#closing.signal.aborted || this.#retry !== undefined) return
    const waitMs = this.#attempt === 0 ? 1 : backoffMs(this.#attempt, RETRY_BASE_MS, RETRY_MAX_MS)
    this.#attempt++
    this.#retry = setTimeout(() => {
      this.#retry = undefined
      void this.#tryOpen()
    }, waitMs)
  }

  /** Drops a wire on which a command failed for the socket's sake: between its break and its end nothing can be sent on it. */
  drop(wire: Wire): void {
    if (this.#wire !== wire) return
    this.#lose(0)
    wire.destroy()
  }

  /** Drops a wire that has been silent for `silentMs` with commands under way, and opens another. */
  renew(silentMs: number): void {
    const wire = this.#wire
    if (wire === undefined) return
    // Given up by choice, not by a fault: the next one is opened at once.
    if (silentMs === 0) this.#upSinceMs = Number.NEGATIVE_INFINITY
    this.#lose(silentMs)
    wire.destroy()
  }

  close(): void {
    this.#closing.abort()
    clearTimeout(this.#retry)
    this.#retry = undefined
    for (const wire of this.#opening) wire.destroy()
    this.#wire?.destroy()
    this.#wire = undefined
  }
}

const toFault = (error: unknown): ReplyFault | LinkFault =>
  error instanceof ReplyFault || error instanceof LinkFault ? error : new LinkFault(String(error), false, error)
