import { monotonicMs } from '../base/clock.ts'
import { ConnectionError, TimeoutError } from '../base/errors.ts'
import { Connection, type ConnectionSettings } from './connection.ts'
import { linkError, replyError } from './faults.ts'
import { type LinkFault, type OpenWire, ReplyFault, type Wire } from './wire.ts'

/** The channel on which the server tells of keys that changed, to a RESP2 connection that asked for it. */
const INVALIDATIONS = '__redis__:invalidate'

const BEAT_MS = 500
/**
 * How far behind the server a listener can be without noticing: a beat that has not come back for this long ends the trust.
 * `BEAT_MS` for the beat to be sent, the rest for its way there and back.
 */
export const STREAM_BOUND_MS = 2_000

/** Somebody who wants to know which keys under some prefixes change. */
export interface KeyWatcher {
  readonly prefixes: readonly string[]
  /** A key changed, expired or was evicted. */
  onKey(key: string): void
  /** Changes may have been missed: forget all that depends on having seen each one. */
  onGap(): void
}

/** Those who hear one channel, and how far the wire of now is with it. */
interface Channel {
  readonly handlers: Set<(message: string) => void>
  readonly waiting: Set<(error?: Error) => void>
  /** The wire that was asked for this channel. */
  wire: Wire | undefined
  confirmed: boolean
}

/**
 * The one connection of a process that listens: to channels, and to the server's own invalidation stream
 * (CLIENT TRACKING in broadcast mode, redirected to this very connection, so that stream and socket end together).
 *
 * A beat (PING) runs through the same socket. Its answer comes after every message that was sent before it, so an answered beat
 * proves that nothing older than the beat is missing; an unanswered one, that a half-open socket is silently losing messages.
 */
export class Subscriber {
  readonly #connection: Connection
  readonly #address: string
  readonly #watchers = new Set<KeyWatcher>()
  readonly #channels = new Map<string, Channel>()
  readonly #boundMs: number
  readonly #timeoutMs: number
  #beat: NodeJS.Timeout | undefined
  #provenMs = Number.NEGATIVE_INFINITY
  /** When the stream of the wire of now was asked for; undefined where there is none. */
  #streamSinceMs: number | undefined
  #tracked: readonly string[] = []
  #reopening = false
  #closed = false

  constructor(
    settings: ConnectionSettings,
    openWire: OpenWire,
    boundMs = STREAM_BOUND_MS,
    timeoutMs = settings.openTimeoutMs,
  ) {
    this.#boundMs = boundMs
    this.#timeoutMs = timeoutMs
    this.#address = settings.path ?? `${settings.host}:${settings.port}`
    this.#connection = new Connection({ ...settings, name: `${settings.name}:listen` }, openWire, {
      prepare: (wire) => this.#prepare(wire),
      up: () => this.#onUp(),
      down: () => this.#onGap(),
      refused: (fault) => {
        // Being refused is final until somebody grants the right; being away is not.
        if (fault instanceof ReplyFault) this.#endWaiting(() => linkError('listen', this.#address, fault, false))
      },
    })
  }

  /** True when nothing that happened up to `boundMs` before `nowMs` can be missing here. */
  trusted(nowMs: number): boolean {
    return nowMs - this.#provenMs <= this.#boundMs
  }

  /** Watch keys from now on; the watcher is told of a gap first, and may trust what it keeps only while `trusted`. */
  watch(watcher: KeyWatcher): () => void {
    this.#watchers.add(watcher)
    if (!this.#isTracked(watcher)) {
      // Whoever asks before the reopening must not take silence about this watcher's keys for news of them.
      this.#provenMs = Number.NEGATIVE_INFINITY
      this.#reopen()
    }
    return () => this.#watchers.delete(watcher)
  }

  #isTracked(watcher: KeyWatcher): boolean {
    return watcher.prefixes.every((prefix) => this.#tracked.some((tracked) => prefix.startsWith(tracked)))
  }

  /**
   * Hear a channel; resolves when the server has confirmed it, or rejects within the timeout. Messages are best effort: a
   * doorbell, never a letter. The answer stops it.
   */
  listen(channel: string, handler: (message: string) => void): Promise<() => void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(closedError())
      const heard = this.#channels.get(channel) ?? {
        handlers: new Set(),
        waiting: new Set(),
        wire: undefined,
        confirmed: false,
      }
      this.#channels.set(channel, heard)
      // One function may listen twice, and stops once for each.
      const own = (message: string) => handler(message)
      heard.handlers.add(own)
      const stop = () => this.#forget(channel, heard, own)
      if (heard.confirmed) return resolve(stop)
      const settle = (error?: Error) => {
        clearTimeout(timer)
        heard.waiting.delete(settle)
        if (error === undefined) return resolve(stop)
        stop()
        reject(error)
      }
      const timer = setTimeout(
        () => settle(new TimeoutError('listen', this.#timeoutMs, heard.wire !== undefined, this.#connection.lastError)),
        this.#timeoutMs,
      )
      heard.waiting.add(settle)
      this.#ask(channel, heard)
    })
  }

  #ask(channel: string, heard: Channel): void {
    const { wire } = this.#connection
    // Once up, every channel that is wanted is asked for.
    if (wire === undefined) return this.#connection.open()
    if (heard.wire === wire) return
    heard.wire = wire
    wire.subscribe([channel]).then(
      () => {
        if (heard.wire !== wire) return
        heard.confirmed = true
        for (const settle of heard.waiting) settle()
      },
      (error) => {
        if (heard.wire !== wire) return
        heard.wire = undefined
        const fault = wire.fault(error)
        if (!(fault instanceof ReplyFault)) return this.#connection.drop(wire)
        for (const settle of heard.waiting) settle(replyError('listen', fault, `+subscribe &${channel}`))
      },
    )
  }

  #forget(channel: string, heard: Channel, own: (message: string) => void): void {
    if (!heard.handlers.delete(own) || heard.handlers.size > 0) return
    if (this.#channels.get(channel) === heard) this.#channels.delete(channel)
    const { wire } = heard
    heard.wire = undefined
    heard.confirmed = false
    if (wire !== undefined && wire === this.#connection.wire) wire.unsubscribe([channel]).catch(() => {})
  }

  #endWaiting(errorOf: () => Error): void {
    for (const heard of this.#channels.values()) for (const settle of heard.waiting) settle(errorOf())
  }

  // A connection that listens can be given no new prefixes. Many watchers of one tick cost one reopening.
  #reopen(): void {
    if (this.#reopening || this.#closed) return
    this.#reopening = true
    setImmediate(() => {
      this.#reopening = false
      if (this.#closed) return
      if (this.#connection.wire === undefined) this.#connection.open()
      else this.#connection.renew(0)
    })
  }

  async #prepare(wire: Wire): Promise<void> {
    wire.onMessage((channel, message) => this.#onMessage(channel, message))
    this.#streamSinceMs = undefined
    this.#tracked = widest([...this.#watchers].flatMap((watcher) => watcher.prefixes))
    if (this.#tracked.length === 0) return
    const sentMs = monotonicMs()
    const list = this.#tracked.flatMap((prefix) => ['PREFIX', prefix])
    try {
      const id = await wire.send('CLIENT', ['ID'], false)
      await wire.send('CLIENT', ['TRACKING', 'ON', 'REDIRECT', Number(id), 'BCAST', ...list], false)
      await wire.subscribe([INVALIDATIONS])
      this.#streamSinceMs = sentMs
    } catch (error) {
      const fault: ReplyFault | LinkFault = wire.fault(error)
      // A user that may not have the stream may still have channels: nothing is ever trusted then.
      if (!(fault instanceof ReplyFault)) throw fault
    }
  }

  #onUp(): void {
    this.#onGap()
    this.#beat ??= setInterval(() => this.#sendBeat(), BEAT_MS).unref()
    for (const [channel, heard] of this.#channels) this.#ask(channel, heard)
    // Watchers may have come while the wire was being prepared.
    for (const watcher of this.#watchers) if (!this.#isTracked(watcher)) return this.#reopen()
    this.#provenMs = this.#streamSinceMs ?? Number.NEGATIVE_INFINITY
  }

  #sendBeat(): void {
    const { wire } = this.#connection
    if (wire === undefined) return
    const sentMs = monotonicMs()
    wire.send('PING', [''], false).then(
      () => {
        if (this.#connection.wire === wire && this.#streamSinceMs !== undefined && !this.#reopening)
          this.#provenMs = sentMs
      },
      () => {},
    )
    const silentMs = sentMs - wire.lastByteMs
    if (silentMs > this.#boundMs) this.#connection.renew(silentMs)
  }

  #onGap(): void {
    this.#provenMs = Number.NEGATIVE_INFINITY
    for (const heard of this.#channels.values()) {
      if (heard.wire === this.#connection.wire) continue
      heard.wire = undefined
      heard.confirmed = false
    }
    for (const watcher of this.#watchers) watcher.onGap()
  }

  #onMessage(channel: string, message: Buffer | readonly Buffer[] | null): void {
    if (channel !== INVALIDATIONS) {
      const text = String(message)
      for (const handler of this.#channels.get(channel)?.handlers ?? []) handler(text)
      return
    }
    // FLUSHALL and FLUSHDB come as null: everything changed.
    if (message === null) for (const watcher of this.#watchers) watcher.onGap()
    else for (const bytes of message as readonly Buffer[]) this.#onKey(bytes.toString())
  }

  #onKey(key: string): void {
    for (const watcher of this.#watchers)
      if (watcher.prefixes.some((prefix) => key.startsWith(prefix))) watcher.onKey(key)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#beat)
    this.#connection.close()
    this.#onGap()
    this.#endWaiting(closedError)
  }
}

const closedError = () => new ConnectionError('CONNECTION_CLOSED', 'listen', 'close() was called')

/** Those prefixes that no other one covers: the server refuses prefixes that overlap. */
function widest(prefixes: readonly string[]): readonly string[] {
  const kept: string[] = []
  for (const prefix of [...new Set(prefixes)].sort())
    if (!kept.some((wider) => prefix.startsWith(wider))) kept.push(prefix)
  return kept
}
