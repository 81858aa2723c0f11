import { connect, type Socket } from 'node:net'
import { ConnectionError, describe, ServerError, TimeoutError } from '../base/errors.ts'

/** One argument of a command: text, a number, or raw bytes. */
export type CommandArg = string | number | Buffer

/** A reply with its bulk strings as text. An error inside an array (EXEC) is a value, not thrown. */
export type Reply = string | number | null | ServerError | Reply[]

/** A reply with its bulk strings as the bytes that came. */
export type RawReply = Buffer | string | number | null | ServerError | RawReply[]

export interface RespOptions {
  readonly address: { readonly host: string; readonly port: number } | { readonly path: string }
  readonly login?: { readonly user?: string | undefined; readonly password: string } | undefined
  /** How long one command may take, in ms. Default 5,000. */
  readonly timeoutMs?: number
}

interface Waiting {
  readonly command: string
  readonly settle: (reply: RawReply | Error) => void
}

/**
 * The smallest client that can ask a server and believe the answer: RESP2, replies in order, no retry,
 * no queue. It shares no line with the library's own way to Redis, so that a test may use it as a witness.
 * An idle connection does not keep the process alive.
 */
export class RespConnection {
  readonly #socket: Socket
  readonly #timeoutMs: number
  readonly #waiting: Waiting[] = []
  readonly #parser = new ReplyParser()
  #broken: Error | undefined

  constructor(options: RespOptions) {
    this.#timeoutMs = options.timeoutMs ?? 5_000
    this.#socket = connect({ ...options.address, noDelay: true })
    this.#socket.on('data', (chunk) => this.#receive(chunk))
    this.#socket.on('error', (cause) => this.#break(cause))
    this.#socket.on('close', () => this.#break(undefined))
    this.#socket.unref()
    const { login } = options
    if (login) this.send(['AUTH', ...(login.user === undefined ? [] : [login.user]), login.password]).catch(() => {})
  }

  get usable(): boolean {
    return this.#broken === undefined
  }

  /** The reply as it came. An error reply rejects with a ServerError; a silent server with TimeoutError. */
  send(args: readonly CommandArg[]): Promise<RawReply> {
    const command = String(args[0] ?? '').toUpperCase()
    if (this.#broken) return Promise.reject(lost(command, this.#broken, false))
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        const late = new TimeoutError(command, this.#timeoutMs, true)
        reject(late)
        // A reply that comes after its deadline would be taken for the next command's.
        this.#break(late)
      }, this.#timeoutMs)
      const settle = (reply: RawReply | Error) => {
        clearTimeout(timer)
        if (reply instanceof Error) reject(reply instanceof ServerError ? named(reply, command) : reply)
        else resolve(reply)
      }
      this.#waiting.push({ command, settle })
      this.#socket.ref()
      this.#socket.write(encodeCommand(args))
    })
  }

  close(): void {
    this.#break(undefined)
  }

  #receive(chunk: Buffer): void {
    try {
      for (const reply of this.#parser.push(chunk)) this.#waiting.shift()?.settle(reply)
    } catch (error) {
      this.#break(error as Error)
    }
    if (this.#waiting.length === 0) this.#socket.unref()
  }

  #break(cause: Error | undefined): void {
    this.#broken ??= cause ?? new Error('the connection is closed')
    this.#socket.destroy()
    for (const { command, settle } of this.#waiting.splice(0)) settle(lost(command, this.#broken, true))
  }
}

/** A command as an array of bulk strings. */
export function encodeCommand(args: readonly CommandArg[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${args.length}\r\n`)]
  for (const arg of args) {
    const bytes = Buffer.isBuffer(arg) ? arg : Buffer.from(String(arg))
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'))
  }
  return Buffer.concat(parts)
}

/** A reply's bytes as text, at any depth. */
export function toText(reply: RawReply): Reply {
  if (Buffer.isBuffer(reply)) return reply.toString()
  return Array.isArray(reply) ? reply.map(toText) : reply
}

/** Bytes in, whole replies out. It suspends where the bytes end and goes on from there with the next ones. */
export class ReplyParser {
  #bytes = Buffer.alloc(0)
  #at = 0
  readonly #replies: Generator<RawReply | undefined, never>

  constructor() {
    this.#replies = this.#run()
  }

  *push(chunk: Buffer): Generator<RawReply> {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk])
    this.#at = 0
    for (;;) {
      const step = this.#replies.next()
      if (step.value === undefined) return
      yield step.value
    }
  }

  *#run(): Generator<RawReply | undefined, never> {
    for (;;) yield yield* this.#reply()
  }

  *#reply(): Generator<undefined, RawReply> {
    const line = (yield* this.#line()).toString()
    const rest = line.slice(1)
    const size = Number(rest)
    switch (line[0]) {
      case '+':
        return rest
      case '-':
        return new ServerError('SERVER_ERROR', 'command', rest, { reply: rest.split(' ', 1)[0] ?? '' })
      case ':':
        return size
      case '$':
        return size < 0 ? null : yield* this.#bulk(size)
      case '*': {
        if (size < 0) return null
        const items: RawReply[] = []
        while (items.length < size) items.push(yield* this.#reply())
        return items
      }
      default:
        throw new ServerError('SERVER_ERROR', 'command', `not RESP2: ${describe(line)}`, { reply: line.slice(0, 1) })
    }
  }

  *#line(): Generator<undefined, Buffer> {
    for (;;) {
      const end = this.#bytes.indexOf('\r\n', this.#at)
      if (end >= 0) return this.#take(end)
      yield
    }
  }

  *#bulk(size: number): Generator<undefined, Buffer> {
    while (this.#bytes.length < this.#at + size + 2) yield
    return this.#take(this.#at + size)
  }

  #take(end: number): Buffer {
    const taken = this.#bytes.subarray(this.#at, end)
    this.#at = end + 2
    return taken
  }
}

function named(error: ServerError, command: string): ServerError {
  return new ServerError('SERVER_ERROR', command, error.message.replace(/^command: /, ''), { reply: error.reply })
}

function lost(command: string, cause: Error, sent: boolean): Error {
  if (cause instanceof TimeoutError) return cause
  return new ConnectionError('CONNECTION_LOST', command, cause.message, { sent, cause })
}
