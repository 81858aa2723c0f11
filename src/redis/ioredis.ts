// The only file that names ioredis. Everything it can do by itself beyond one socket (reconnecting, its offline queue, resending,
// auto-pipelining, key prefixes) is off: those are decided in connection.ts and node.ts, where deadlines and repeats are known.
import { Command, Redis } from 'ioredis'
import { monotonicMs } from '../base/clock.ts'
import { type Arg, LinkFault, type OpenWire, type Reply, ReplyFault, type Wire, type WireSettings } from './wire.ts'

const BYTES = { replyEncoding: null } as const
const TEXT = { replyEncoding: 'utf8' } as const

export const openIoredisWire: OpenWire = (settings, signal) =>
  openWire(settings, signal, (client) => new IoredisWire(client))

/** The client as it is by itself, with a write for each command: what a benchmark compares with. */
export const openPlainWire: OpenWire = (settings, signal) =>
  openWire(settings, signal, (client) => new PlainWire(client))

function openWire(settings: WireSettings, signal: AbortSignal, make: (client: Redis) => Wire): Promise<Wire> {
  return new Promise((resolve, reject) => {
    const client = new Redis(clientOptions(settings))
    let firstError: Error | undefined
    let settled = false
    const fail = (error: unknown) => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      discard(client)
      reject(toFault(error, false))
    }
    // A frozen server accepts the socket and then says nothing: the client's own timeout ends at the accept.
    const timer = setTimeout(
      () => fail(new Error(`no handshake within ${settings.openTimeoutMs} ms`)),
      settings.openTimeoutMs,
    )
    const giveUp = () => fail(new Error('given up'))
    signal.addEventListener('abort', giveUp, { once: true })
    // Kept for the socket's whole life: an 'error' event without a listener would end the process.
    client.on('error', (error: Error) => {
      firstError ??= error
    })
    client.once('end', () => fail(firstError ?? new Error('the socket was closed during the handshake')))
    client.once('ready', () => {
      logIn(client, settings).then(() => {
        if (settled) return
        settled = true
        clearTimeout(timer)
        signal.removeEventListener('abort', giveUp)
        resolve(make(client))
      }, fail)
    })
    client.connect().catch(() => {})
  })
}

/**
 * The handshake, by our own hand: the client's prints warnings to the console, takes a refused SELECT for done and
 * leaves us in database 0.
 */
async function logIn(client: Redis, { username, password, db, name }: WireSettings): Promise<void> {
  const ask = (command: string, ...args: Arg[]) => {
    const asked = new Command(command, args, TEXT)
    client.sendCommand(asked)
    return asked.promise
  }
  const steps: Promise<unknown>[] = []
  if (username !== undefined) steps.push(ask('AUTH', username, password ?? ''))
  else if (password) steps.push(ask('AUTH', password).catch(unlessNoneIsNeeded))
  if (db !== 0) steps.push(ask('SELECT', db))
  // Nothing depends on the name, and a user may lack the right to it.
  if (name !== '') steps.push(ask('CLIENT', 'SETNAME', name).catch(unlessRefused))
  await Promise.all(steps)
}

function unlessNoneIsNeeded(error: Error): void {
  if (!error.message.includes('without any password configured')) throw error
}

function unlessRefused(error: Error): void {
  if (error.name !== 'ReplyError') throw error
}

/**
 * Commands of one write, at most. One write for a whole tick would put client and server in step, each idle while the other works:
 * with 64 callers of a 14 µs script a third of the throughput was lost to it, with writes of 32 none.
 */
const MOST_IN_WRITE = 32

class IoredisWire implements Wire {
  readonly #client: Redis
  lastByteMs = monotonicMs()
  #corked = false
  #inWrite = 0

  constructor(client: Redis) {
    this.#client = client
    client.stream.on('data', () => {
      this.lastByteMs = monotonicMs()
    })
  }

  send(name: string, args: readonly Arg[], bytes: boolean): Promise<Reply> {
    // The commands of a tick leave in a few writes: measured 2.1 × the throughput of a write each for GET and for EVALSHA
    // with 100 callers, and, unlike a pipeline, the first command does not wait for the last one's reply.
    if (!this.#corked) this.#cork()
    const command = new Command(name, args as Arg[], bytes ? BYTES : TEXT)
    this.#client.sendCommand(command)
    if (this.#corked && ++this.#inWrite === MOST_IN_WRITE) this.#flush()
    return command.promise as Promise<Reply>
  }

  fault(error: unknown): ReplyFault | LinkFault {
    return toFault(error, true)
  }

  subscribe(channels: readonly string[]): Promise<unknown> {
    return this.#client.subscribe(...channels)
  }

  unsubscribe(channels: readonly string[]): Promise<unknown> {
    return this.#client.unsubscribe(...channels)
  }

  #flush(): void {
    this.#inWrite = 0
    this.#client.stream.uncork()
    this.#client.stream.cork()
  }

  #cork(): void {
    const { stream } = this.#client
    if (stream === undefined || stream.destroyed) return
    this.#corked = true
    this.#inWrite = 0
    stream.cork()
    process.nextTick(() => {
      this.#corked = false
      stream.uncork()
    })
  }

  onEnd(listener: () => void): void {
    if (this.#client.status === 'end') queueMicrotask(listener)
    else this.#client.once('end', listener)
  }

  onMessage(listener: (channel: string, message: Buffer | readonly Buffer[] | null) => void): void {
    this.#client.on('messageBuffer', (channel: Buffer, message: Buffer | readonly Buffer[] | null) =>
      listener(channel.toString(), message),
    )
  }

  destroy(): void {
    discard(this.#client)
  }
}

class PlainWire extends IoredisWire {
  readonly #plain: Redis

  constructor(client: Redis) {
    super(client)
    this.#plain = client
  }

  override send(name: string, args: readonly Arg[], bytes: boolean): Promise<Reply> {
    const command = new Command(name, args as Arg[], bytes ? BYTES : TEXT)
    this.#plain.sendCommand(command)
    return command.promise as Promise<Reply>
  }
}

function discard(client: Redis): void {
  // On a client that has ended it would only start a timer that keeps the process alive for two seconds.
  if (client.status !== 'end') client.disconnect()
  // `disconnect` ends politely and waits for the other side, which a frozen one never answers.
  client.stream?.destroy()
}

/** What a rejection of the client means in the port's terms. */
function toFault(error: unknown, sent: boolean): ReplyFault | LinkFault {
  const { name, message = String(error), cause } = error as Error
  // An unknown command is told with its arguments, which for a renamed AUTH is the password.
  if (name === 'ReplyError') return new ReplyFault(message.replace(/, with args beginning with:.*$/s, ''))
  // Said before a byte was written; any other end of the socket may have come after.
  const unsent = !sent || message.startsWith("Stream isn't writeable")
  return new LinkFault(message, !unsent, cause ?? error)
}

function clientOptions(settings: WireSettings) {
  const { host, port, path, tls, openTimeoutMs } = settings
  return {
    ...(path === undefined ? { host, port } : { path }),
    ...(tls === undefined ? {} : { tls }),
    connectTimeout: openTimeoutMs,
    // RESP2: under RESP3 the client swallows invalidation messages.
    protocol: 2 as const,
    keepAlive: 10_000,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true,
  }
}
