import { monotonicMs } from '../base/clock.ts'
import { Connection, type ConnectionSettings } from './connection.ts'
import { type OpenWire, ReplyFault, type Wire } from './wire.ts'

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

/**
 * The one connection of a process that listens: to channels, and to the server's own invalidation stream
 * (CLIENT TRACKING in broadcast mode, redirected to this very connection, so that stream and socket end together).
 *
 * A beat (PING) runs through the same socket. Its answer comes after every message that was sent before it, so an answered beat
 * proves that nothing older than the beat is missing; an unanswered one, that a half-open socket is silently losing messages.
 */
export class Subscriber {
  readonly #connection: Connection
  readonly #watchers = new Set<KeyWatcher>()
  readonly #handlers = new Map<string, Set<(message: string) => void>>()
  readonly #waiting: { resolve: () => void; reject: (error: Error) => void }[] = []
  readonly #boundMs: number
  #beat: NodeJS.Timeout | undefined
  #provenMs = Number.NEGATIVE_INFINITY
  #tracked = new Set<string>()
  #reopening = false
  #closed = false

  constructor(settings: ConnectionSettings, openWire: OpenWire, boundMs = STREAM_BOUND_MS) {
    this.#boundMs = boundMs
    this.#connection = new Connection({ ...settings, name: `${settings.name}:listen` }, openWire, {
      prepare: (wire) => this.#prepare(wire),
      up: () => this.#onUp(),
      down: () => this.#onGap(),
      refused: (fault) => {
        // Being refused is final until somebody grants the right; being away is not.
        if (fault instanceof ReplyFault) for (const { reject } of this.#waiting.splice(0)) reject(fault)
      },
    })
  }

  /** True when nothing that happened up to `boundMs` before `nowMs` can be missing here. */
  trusted(nowMs: number): boolean {
    return nowMs - this.#provenMs <= this.#boundMs
  }

  /** The moment up to which every change is known, as `monotonicMs`. */
  get provenMs(): number {
    return this.#provenMs
  }

  /** Watch keys from now on; the watcher is told of a gap first, and may trust what it keeps only while `trusted`. */
  watch(watcher: KeyWatcher): () => void {
    this.#watchers.add(watcher)
    if (watcher.prefixes.some((prefix) => !this.#tracked.has(prefix))) this.#reopen()
    return () => this.#watchers.delete(watcher)
  }

  /** Hear a channel; resolves when the server has confirmed it. Messages are best effort: a doorbell, never a letter. */
  async listen(channel: string, handler: (message: string) => void): Promise<() => void> {
    const handlers = this.#handlers.get(channel) ?? new Set()
    const isNew = handlers.size === 0
    handlers.add(handler)
    this.#handlers.set(channel, handlers)
    const { wire } = this.#connection
    if (wire !== undefined && isNew) await wire.subscribe([channel])
    else if (wire === undefined) await this.#whenUp()
    return () => {
      handlers.delete(handler)
      if (handlers.size === 0) this.#handlers.delete(channel)
    }
  }

  #whenUp(): Promise<void> {
    this.#connection.open()
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
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
    const sentMs = monotonicMs()
    const prefixes = new Set([...this.#watchers].flatMap((watcher) => watcher.prefixes))
    try {
      if (prefixes.size > 0) {
        const id = await wire.send('CLIENT', ['ID'], false)
        const list = [...prefixes].flatMap((prefix) => ['PREFIX', prefix])
        await wire.send('CLIENT', ['TRACKING', 'ON', 'REDIRECT', Number(id), 'BCAST', ...list], false)
      }
      await wire.subscribe([INVALIDATIONS, ...this.#handlers.keys()])
    } catch (error) {
      throw wire.fault(error)
    }
    this.#tracked = prefixes
    this.#provenMs = prefixes.size > 0 ? sentMs : this.#provenMs
  }

  #onUp(): void {
    const provenMs = this.#provenMs
    this.#onGap()
    this.#provenMs = provenMs
    for (const { resolve } of this.#waiting.splice(0)) resolve()
    this.#beat ??= setInterval(() => this.#sendBeat(), BEAT_MS).unref()
    // Watchers may have come while the wire was being prepared.
    for (const watcher of this.#watchers)
      if (watcher.prefixes.some((prefix) => !this.#tracked.has(prefix))) return this.#reopen()
  }

  #sendBeat(): void {
    const { wire } = this.#connection
    if (wire === undefined) return
    const sentMs = monotonicMs()
    wire.send('PING', [''], false).then(
      () => {
        if (this.#connection.wire === wire) this.#provenMs = sentMs
      },
      () => {},
    )
    const silentMs = sentMs - wire.lastByteMs
    if (silentMs > this.#boundMs) this.#connection.renew(silentMs)
  }

  #onGap(): void {
    this.#provenMs = Number.NEGATIVE_INFINITY
    for (const watcher of this.#watchers) watcher.onGap()
  }

  #onMessage(channel: string, message: Buffer | readonly Buffer[] | null): void {
    if (channel !== INVALIDATIONS) {
      const text = String(message)
      for (const handler of this.#handlers.get(channel) ?? []) handler(text)
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
    for (const { resolve } of this.#waiting.splice(0)) resolve()
  }
}
