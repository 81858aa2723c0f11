import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { Flow, type Weather } from './flow.ts'
import { freePort, returnPort } from './ports.ts'

/** Where the traffic goes: a server of `startServer()`, or any address. */
export type ProxyTarget =
  | { readonly host: string; readonly port: number; readonly socketPath?: string | undefined }
  | { readonly socketPath: string }

export interface ProxyOptions {
  readonly target: ProxyTarget
}

/** One client's connection and its other half. */
interface Pair {
  readonly client: Socket
  readonly server: Socket
  readonly requests: Flow
  readonly replies: Flow
}

/**
 * Put a network of one's own between a client and a server: on a free loopback port, without a fault at first.
 * Faults add up until `heal()`. It does not keep the process alive. Whether anybody listens at the target is seen by who connects.
 *
 * throws  ConfigError for a target that is neither a server, a host and port, nor a socket's path
 */
export async function startProxy(options: ProxyOptions): Promise<TestProxy> {
  checkTarget(options)
  const proxy = new TestProxy(options.target)
  await proxy.heal()
  return proxy
}

/** Else a client's connection would be the first to notice, in a callback where nobody can catch what is thrown. */
function checkTarget(options: ProxyOptions): void {
  checkKnown('startProxy', options ?? {}, ['target'])
  const { target } = options ?? {}
  if (typeof target !== 'object' || target === null)
    throw new ConfigError('target', 'a running server, { host, port } or { socketPath }', target)
  const { host, port, socketPath } = target as {
    readonly host?: unknown
    readonly port?: unknown
    socketPath?: unknown
  }
  if (socketPath !== undefined) {
    if (typeof socketPath !== 'string' || socketPath === '')
      throw new ConfigError('target.socketPath', 'the path of a unix socket', socketPath)
    return
  }
  if (typeof host !== 'string' || host === '') throw new ConfigError('target.host', 'a host name or an address', host)
  checkInteger('target.port', port, 1, 65_535)
}

/** A TCP proxy that does to its traffic what networks do. */
export class TestProxy {
  readonly host = '127.0.0.1'

  readonly #target: ProxyTarget
  readonly #pairs = new Set<Pair>()
  readonly #toServer: Weather = { lossy: false, delayMs: 0 }
  readonly #toClient: Weather = { lossy: false, delayMs: 0 }
  readonly #past = { toServer: 0, toClient: 0 }
  #listener: Server | undefined
  #port = 0

  constructor(target: ProxyTarget) {
    this.#target = target
  }

  get port(): number {
    return this.#port
  }

  /** The proxy's address, without a password. */
  get url(): string {
    return `redis://${this.host}:${this.#port}`
  }

  /** How many client connections are open. */
  get connections(): number {
    return this.#pairs.size
  }

  /** How many bytes were given on, in each direction, by all connections so far. */
  get bytes(): { readonly toServer: number; readonly toClient: number } {
    let { toServer, toClient } = this.#past
    for (const { requests, replies } of this.#pairs) {
      toServer += requests.bytes
      toClient += replies.bytes
    }
    return { toServer, toClient }
  }

  /**
   * Make every byte, in either direction, take so long. The order is kept. Infinity holds all bytes back, as a
   * network does that will deliver late, until `heal()` or another delay.
   */
  delay(time: Duration): void {
    const delayMs = time === Number.POSITIVE_INFINITY ? time : toMs(time, 'delay', { min: 0 })
    this.#toServer.delayMs = this.#toClient.delayMs = delayMs
    this.#settle()
  }

  /** Lose every byte from now on, in both directions, and the news of a closed end too. Connections stay open. */
  drop(): void {
    this.#toServer.lossy = this.#toClient.lossy = true
  }

  /** Lose the replies alone: what is asked is done, and the asker never hears of it. */
  dropReplies(): void {
    this.#toClient.lossy = true
  }

  /** Reset every open connection. New ones are welcome. */
  cut(): void {
    for (const pair of this.#pairs) this.#reset(pair)
  }

  /** Accept no new connection: the port is as if nobody listened. Open ones are left alone; `cut()` ends them. */
  async refuse(): Promise<void> {
    const listener = this.#listener
    this.#listener = undefined
    listener?.close()
  }

  /**
   * End all faults. Bytes held back are delivered; a connection that lost bytes is reset, since no network delivers a
   * stream with a hole in it.
   */
  async heal(): Promise<void> {
    Object.assign(this.#toServer, { lossy: false, delayMs: 0 })
    Object.assign(this.#toClient, { lossy: false, delayMs: 0 })
    for (const pair of this.#pairs) if (pair.requests.torn || pair.replies.torn) this.#reset(pair)
    this.#settle()
    if (!this.#listener) await this.#listen()
  }

  /** Close everything. Calling it again does nothing. */
  async close(): Promise<void> {
    await this.refuse()
    this.cut()
    returnPort(this.#port)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #listen(): Promise<void> {
    const listener = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#accept(client))
    listener.unref()
    listener.listen(this.#port || (await freePort()), this.host)
    await once(listener, 'listening')
    this.#listener = listener
    this.#port = (listener.address() as AddressInfo).port
  }

  #accept(client: Socket): void {
    const target = this.#target
    const server = connect({
      ...('port' in target && !target.socketPath
        ? { host: target.host, port: target.port }
        : { path: target.socketPath ?? '' }),
      noDelay: true,
    })
    const pair: Pair = {
      client,
      server,
      requests: new Flow(client, server, this.#toServer),
      replies: new Flow(server, client, this.#toClient),
    }
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      socket.unref()
      socket.on('error', () => {})
      socket.on('close', () => {
        if (client.destroyed && server.destroyed) this.#forget(pair)
      })
    }
  }

  #reset(pair: Pair): void {
    pair.requests.stop()
    pair.replies.stop()
    pair.client.resetAndDestroy()
    pair.server.destroy()
    this.#forget(pair)
  }

  #forget(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return
    this.#past.toServer += pair.requests.bytes
    this.#past.toClient += pair.replies.bytes
  }

  #settle(): void {
    for (const { requests, replies } of this.#pairs) {
      requests.settle()
      replies.settle()
    }
  }
}
