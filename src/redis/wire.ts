/**
 * The port: all that Holdfast needs of a Redis client. One wire is one socket from its opening to its end;
 * keeping one up (`connection.ts`), deadlines and repeats (`node.ts`) are ours and the same for every client.
 */

export type Arg = string | Buffer | number
/** What a server answers: text or bytes as asked for, numbers, nothing, or a list of these. Errors are rejections. */
export type Reply = string | Buffer | number | null | readonly Reply[]

export interface WireSettings {
  readonly host: string
  readonly port: number
  /** A unix socket, instead of host and port. */
  readonly path?: string
  readonly db: number
  readonly username?: string
  readonly password?: string
  /** Options for `tls.connect`, or undefined for a plain socket. */
  readonly tls?: Record<string, unknown>
  /** The connection's name in CLIENT LIST. */
  readonly name: string
  /** Longest wait for the socket and the handshake, in ms. */
  readonly openTimeoutMs: number
}

export interface Wire {
  /** Sends at once, in order. A rejection is the client's own error: `fault` says what it means. */
  send(command: string, args: readonly Arg[], bytes: boolean): Promise<Reply>
  /** A rejection of `send` in the port's terms: the server said no, or the socket broke. */
  fault(error: unknown): ReplyFault | LinkFault
  /** `monotonicMs` of the last byte that came. */
  readonly lastByteMs: number
  /** Called once, when the socket has ended for whatever reason. */
  onEnd(listener: () => void): void
  /** Turns this wire into one that only listens: from then on only `subscribe`, `unsubscribe` and `ping` may be sent. */
  subscribe(channels: readonly string[]): Promise<unknown>
  unsubscribe(channels: readonly string[]): Promise<unknown>
  /** Pushed messages; an invalidation comes as a list of keys, or null for "everything". */
  onMessage(listener: (channel: string, message: Buffer | readonly Buffer[] | null) => void): void
  /** Ends the socket now; what is under way rejects with a LinkFault. */
  destroy(): void
}

/** Opens a wire and logs in. Rejects with a ReplyFault (refused) or a LinkFault (not reached in time, or given up by `signal`). */
export type OpenWire = (settings: WireSettings, signal: AbortSignal) => Promise<Wire>

/** The server's answer was an error. `prefix` is its first word: OOM, NOPERM, LOADING, … */
export class ReplyFault extends Error {
  readonly prefix: string

  constructor(message: string) {
    super(message)
    this.prefix = /^[A-Z][A-Z0-9_]*/.exec(message)?.[0] ?? 'ERR'
  }
}

/** The socket could not be opened, or broke. */
export class LinkFault extends Error {
  /** True when the command had been written: it may have been carried out. */
  readonly sent: boolean

  constructor(message: string, sent: boolean, cause?: unknown) {
    super(message, { cause })
    this.sent = sent
  }
}
