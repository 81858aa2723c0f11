import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, HoldfastError, TimeoutError } from '../base/errors.ts'
import { findServerBinary } from './binary.ts'
import { type Directive, writeConfig } from './config.ts'
import { freePort, returnPort } from './ports.ts'
import { ServerProcess } from './process.ts'
import { type CommandArg, type RawReply, type Reply, RespConnection, toText } from './resp.ts'

export interface ServerOptions {
  /** The program: a name on the PATH, or a path. Default `redis-server`, then `valkey-server`. */
  readonly binary?: string
  /** Listen on this port of 127.0.0.1. Default a free one. */
  readonly port?: number
  /** Listen on a unix socket in the private folder, and on no port. Default false. */
  readonly unixSocket?: boolean
  /** Keep an append-only file, so that data outlives `kill()` and `restart()`. Default false. */
  readonly appendOnly?: boolean
  /** Password of the default user. Default none. */
  readonly password?: string
  /** Further users by name, with their ACL rules: `{ app: 'on >secret ~app:* +@read' }`. */
  readonly users?: Readonly<Record<string, string>>
  /** Any setting of redis.conf, as it is written there: `{ maxmemory: '10mb', save: '900 1' }`. */
  readonly config?: Readonly<Record<string, string | number>>
  /** How long it may take to answer. Default 10 s; usually it takes 20 ms. */
  readonly timeout?: Duration
}

/** What a server that belongs to a group has beyond its options. */
export interface Membership {
  /** What the user called, for errors: `startCluster`. */
  readonly operation: string
  /** Arguments after the config file, such as `--sentinel`. */
  readonly args?: readonly string[]
  /** It listens on a second port, for other nodes of a cluster. */
  readonly hasBus?: boolean
  /** True when the server rewrites its config file as it learns: then a restart begins with the file as it was left. */
  readonly rewritesConfig?: boolean
  /** Password of `OWN_USER`, which the group's members use among themselves too. */
  readonly ownPassword?: string | undefined
  /** Lines for the config file, asked for when the ports are known. */
  readonly directives?: (self: { readonly dir: string; readonly busPort: number }) => readonly Directive[]
  /** Sent each time it was started, for what no config file can say. */
  readonly greeting?: readonly CommandArg[]
}

/** With `users`, the default user may be off: the server's own hand has a name of its own then. */
export const OWN_USER = 'holdfast-testing'
const ATTEMPTS = 10

/**
 * Start a real, private server: on a free loopback port or a unix socket, in a folder of its own, writing nothing to
 * disk unless asked. It dies with this process, however that ends, and does not keep the process alive.
 *
 * returns a server that has answered
 * throws  NoServerError; ConfigError for a setting that the server refuses and for a `port` that is taken; TimeoutError
 */
export async function startServer(options: ServerOptions = {}): Promise<TestServer> {
  checkKnown('startServer', options, [
    ...['binary', 'port', 'unixSocket', 'appendOnly', 'password', 'users', 'config', 'timeout'],
  ])
  const server = new TestServer(options)
  try {
    await server.restart()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}

/** A running server of one's own, to be paused, killed and started again at will. */
export class TestServer {
  /** Its address in the library's form, with the password of the default user if it has one. */
  url = ''
  readonly host = '127.0.0.1'
  /** 0 on a unix socket. */
  port = 0
  /** Where other nodes of a cluster reach it: the third argument of CLUSTER MEET. 0 outside a cluster. */
  busPort = 0
  readonly socketPath: string | undefined
  /** As the server gives it, such as `7.0.15`. */
  version = ''
  kind: 'redis' | 'valkey' = 'redis'

  readonly #options: ServerOptions
  readonly #membership: Membership
  readonly #timeoutMs: number
  readonly #process: ServerProcess
  readonly #ownPassword: string | undefined
  #connection: RespConnection | undefined
  #paused = false
  #stopped = false

  constructor(options: ServerOptions, membership: Membership = { operation: 'startServer' }) {
    if (options.port !== undefined) checkInteger('port', options.port, 1, 65_535)
    this.#options = options
    this.#membership = membership
    this.#timeoutMs = toMs(options.timeout ?? '10s', 'timeout')
    this.#ownPassword = membership.ownPassword ?? (options.users && randomBytes(16).toString('hex'))
    this.#process = new ServerProcess(findServerBinary(membership.operation, options.binary))
    this.socketPath = options.unixSocket ? join(this.#process.dir, 'socket') : undefined
  }

  /** The id of the running process; undefined after `kill()`. */
  get pid(): number | undefined {
    return this.#process.pid
  }

  /** True between `pause()` and `resume()` or `kill()`. */
  get paused(): boolean {
    return this.#paused
  }

  /**
   * Kill it if it runs and start it again, at the same address, with the same users and settings.
   * Data comes back from the append-only file if there is one; `empty` removes that too. What it learned as a member
   * of a group stays in either case: a cluster node's id and its picture of the cluster, a config that was rewritten.
   */
  async restart(options: { readonly empty?: boolean } = {}): Promise<void> {
    this.#refuseWhenStopped('restart')
    await this.kill()
    if (options.empty) this.#process.clearData()
    for (let attempt = 1; ; attempt++) {
      await this.#choosePort()
      const keepsConfig = this.#membership.rewritesConfig && this.version !== ''
      this.#process.start(keepsConfig ? undefined : this.#config(), ...(this.#membership.args ?? []))
      const said = await this.#firstAnswer()
      if (said === 'ready') break
      if (said === 'port taken' && !this.#portIsFixed && attempt < ATTEMPTS) this.#dropPorts()
      else throw this.#startError()
    }
    if (this.#membership.greeting) await this.command(...this.#membership.greeting)
  }

  /** Freeze it (SIGSTOP): connections stay open and nothing is answered. Resolves when it stands still. */
  async pause(): Promise<void> {
    this.#paused = this.pid !== undefined
    await this.#process.pause()
  }

  /** Let it go on (SIGCONT). Resolves when it answers again. */
  async resume(): Promise<void> {
    this.#process.resume()
    this.#paused = false
    await this.command('PING')
  }

  /** Kill it (SIGKILL), paused or not. Resolves when it is gone; `restart()` brings it back. */
  async kill(): Promise<void> {
    this.#connection?.close()
    this.#connection = undefined
    await this.#process.kill()
    this.#paused = false
  }

  /** Bring it back, whatever was done to it: from `pause()` or `kill()`. Does nothing to one that runs. For `afterEach`. */
  async heal(): Promise<void> {
    if (this.#paused) await this.resume()
    else if (this.pid === undefined) await this.restart()
  }

  /**
   * Ask the server with a client that shares nothing with the library, with full rights.
   *
   * returns the decoded reply, bulk strings as text
   * throws  ServerError with `reply`; ConnectionError; TimeoutError after 5 s
   */
  async command<T extends Reply = Reply>(...args: readonly CommandArg[]): Promise<T> {
    return toText(await this.commandRaw(...args)) as T
  }

  /** As `command`, with bulk strings as bytes. */
  async commandRaw(...args: readonly CommandArg[]): Promise<RawReply> {
    this.#refuseWhenStopped('command')
    return this.#connect().send(args)
  }

  /** What the server printed since it was last started. */
  log(): string {
    return this.#process.log()
  }

  /** Kill it and remove its folder. Calling it again does nothing. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await this.kill()
    await this.#process.close()
    returnPort(this.port)
    returnPort(this.busPort)
  }

  close(): Promise<void> {
    return this.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #config(): string {
    const { users = {}, config = {}, password, appendOnly = false } = this.#options
    const own = this.#ownPassword === undefined ? {} : { [OWN_USER]: `on >${this.#ownPassword} ~* &* +@all` }
    return writeConfig({
      port: this.port,
      socketPath: this.socketPath,
      dataDir: this.#process.dataDir,
      appendOnly,
      password,
      users: { ...own, ...users },
      directives: this.#membership.directives?.({ dir: this.#process.dir, busPort: this.busPort }) ?? [],
      config,
    })
  }

  get #portIsFixed(): boolean {
    return this.version !== '' || this.#options.port !== undefined || this.socketPath !== undefined
  }

  async #choosePort(): Promise<void> {
    if (this.socketPath === undefined && this.port === 0) this.port = this.#options.port ?? (await freePort())
    if (this.#membership.hasBus && this.busPort === 0) this.busPort = await freePort()
    this.url = this.#address()
  }

  #dropPorts(): void {
    // Not given back: somebody else has one of them, and will have it a while.
    this.port = this.busPort = 0
  }

  #address(): string {
    const { password } = this.#options
    const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`
    return this.socketPath === undefined
      ? `redis://${login}${this.host}:${this.port}`
      : `unix://${login}${this.socketPath}`
  }

  #connect(timeoutMs?: number): RespConnection {
    if (this.#connection?.usable) return this.#connection
    const { password } = this.#options
    const own = this.#ownPassword
    this.#connection = new RespConnection({
      address: this.socketPath === undefined ? { host: this.host, port: this.port } : { path: this.socketPath },
      login: own ? { user: OWN_USER, password: own } : password ? { password } : undefined,
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
    })
    return this.#connection
  }

  async #firstAnswer(): Promise<'ready' | 'port taken' | 'ended'> {
    const deadline = performance.now() + this.#timeoutMs
    // Else a silent stranger on the port would be waited for.
    this.#process.onceEnded(() => this.#connection?.close())
    while (this.#process.running) {
      const left = deadline - performance.now()
      if (left <= 0) throw new TimeoutError(this.#membership.operation, this.#timeoutMs, false)
      if (await this.#isOurs(left)) return 'ready'
      await wait(3)
    }
    return /address already in use/i.test(this.log()) ? 'port taken' : 'ended'
  }

  /** True when the process that answers at the address is the one that was started, and it has loaded its data. */
  async #isOurs(timeoutMs: number): Promise<boolean> {
    try {
      const connection = this.#connect(timeoutMs)
      const info = String(toText(await connection.send(['INFO'])))
      const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1]
      // A Sentinel loads nothing and does not speak of it.
      if (Number(field('process_id')) !== this.pid || field('loading') === '1') return false
      this.kind = field('valkey_version') === undefined ? 'redis' : 'valkey'
      this.version = field('valkey_version') ?? field('redis_version') ?? ''
      return true
    } catch {
      return false
    } finally {
      this.#connection?.close()
    }
  }

  #startError(): HoldfastError {
    const lines = this.log().trim().split('\n')
    // A port that was asked for, or that it had before: where any would do, another was taken.
    const [, taken] = /:(\d+): bind: address already in use/i.exec(this.log()) ?? []
    if (taken !== undefined)
      return new ConfigError('port', 'a port of 127.0.0.1 on which nobody listens', Number(taken))
    if (/FATAL CONFIG FILE ERROR/.test(lines.join('\n')))
      return new ConfigError('config', 'settings that the server accepts', lines.slice(-2).join(' '))
    const said = lines.slice(-3).join(' | ')
    return new HoldfastError(
      'SERVER_ERROR',
      `${this.#membership.operation}: the server ended before it answered: ${said}`,
    )
  }

  #refuseWhenStopped(operation: string): void {
    if (this.#stopped) throw new HoldfastError('CONNECTION_CLOSED', `${operation}: the server was stopped`)
  }
}
