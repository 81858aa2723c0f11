import { checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, HoldfastError } from '../base/errors.ts'
import type { Directive } from './config.ts'
import {
  expectLinked,
  GROUP_OPTIONS,
  type Ground,
  type GroupOptions,
  groundOf,
  healAll,
  isAwake,
  memberOptions,
  newPassword,
  replicationDirectives,
  startAll,
  stopAll,
} from './group.ts'
import type { Reply } from './resp.ts'
import { OWN_USER, TestServer } from './server.ts'
import { NotYet, settle } from './settle.ts'

export interface SentinelOptions extends GroupOptions {
  /** How many replicas the primary has. Default 2. */
  readonly replicas?: number
  /** How many Sentinels watch; more than half of them must agree. Default 3. */
  readonly sentinels?: number
  /** `down-after-milliseconds`: how long a server is silent until a Sentinel takes it for dead. Default 1 s. */
  readonly downAfter?: Duration
  /** `failover-timeout`. A failover that failed is tried again after twice that. Default 5 s. */
  readonly failoverTimeout?: Duration
  /** The name that clients ask the Sentinels for. Default `primary`. */
  readonly primaryName?: string
  /** Password of the Sentinels themselves. Default none. */
  readonly sentinelPassword?: string
}

/**
 * A Sentinel's own clocks, shortened, for what no setting says. By default it looks at replicas every 10 s, leaves a
 * server that comes back as a primary alone for 4 × 2 s, and judges nobody for 30 s when it stood still itself. It
 * also tries a lost link again after 1 s only: with `downAfter` 1 s that was measured to make a primary that was
 * promoted a moment ago look dead, now and then, and to fail over twice.
 */
const CLOCKS = ['INFO-PERIOD', 1_000, 'PUBLISH-PERIOD', 500, 'TILT-PERIOD', 2_000, 'PING-PERIOD', 500] as const

/**
 * Start a real, private primary with replicas, and Sentinels that watch them: each a process of its own on a free
 * loopback port, in a folder of its own. All of them die with this process, however that ends.
 *
 * returns a group that has settled
 * throws  ConfigError for a wrong option or setting; NoServerError; TimeoutError. Nothing is left running then
 */
export function startSentinel(options: SentinelOptions = {}): Promise<TestSentinel> {
  return TestSentinel.start(options)
}

/** A running Sentinel group of one's own, whose processes may be paused, killed and started again at will. */
export class TestSentinel {
  readonly primaryName: string
  /** The primary at the start, then the replicas. */
  readonly servers: readonly TestServer[]
  readonly sentinels: readonly TestServer[]

  readonly #ground: Ground
  readonly #options: SentinelOptions
  readonly #failoverTimeoutMs: number
  #stopped = false

  static async start(options: SentinelOptions): Promise<TestSentinel> {
    const group = new TestSentinel(options)
    try {
      const [primary, ...replicas] = group.servers
      // First: the config files of the others name its port.
      await startAll([primary as TestServer])
      await startAll([...replicas, ...group.sentinels])
      await settle('startSentinel', group.#ground.timeoutMs, () => group.#expectSettled())
      return group
    } catch (error) {
      await group.stop()
      throw error
    }
  }

  private constructor(options: SentinelOptions) {
    checkKnown('startSentinel', options, [
      ...['replicas', 'sentinels', 'downAfter', 'failoverTimeout', 'primaryName', 'sentinelPassword'],
      ...GROUP_OPTIONS,
    ])
    const replicas = checkInteger('replicas', options.replicas ?? 2, 0, 100)
    const sentinels = checkInteger('sentinels', options.sentinels ?? 3, 1, 100)
    const downAfterMs = toMs(options.downAfter ?? '1s', 'downAfter')
    this.#failoverTimeoutMs = toMs(options.failoverTimeout ?? '5s', 'failoverTimeout')
    this.primaryName = checkPrimaryName(options.primaryName ?? 'primary')
    this.#options = options
    this.#ground = groundOf(options)
    this.servers = Array.from({ length: 1 + replicas }, (_, i) => this.#server(i))
    this.sentinels = this.#watchers(sentinels, downAfterMs)
  }

  /** Its address in the library's form: the Sentinels, with all passwords. */
  get url(): string {
    const { password, sentinelPassword } = this.#options
    const login = password === undefined ? '' : `:${encodeURIComponent(password)}@`
    const query = sentinelPassword === undefined ? '' : `?sentinelPassword=${encodeURIComponent(sentinelPassword)}`
    const hosts = this.sentinels.map(({ host, port }) => `${host}:${port}`).join(',')
    return `redis+sentinel://${login}${hosts}/${this.primaryName}${query}`
  }

  /**
   * The server that more than half of the running Sentinels name now.
   *
   * throws  NotSettledError when they do not come to name one
   */
  async primary(): Promise<TestServer> {
    return settle('primary', this.#ground.timeoutMs, async () => {
      const named = await this.#named()
      const [most] = this.servers
        .map((server) => ({ server, votes: named.filter((one) => one === server).length }))
        .sort((a, b) => b.votes - a.votes)
      if (most === undefined || most.votes * 2 <= named.length) throw new NotYet('the Sentinels name different servers')
      return most.server
    })
  }

  /**
   * Make a replica the primary by SENTINEL FAILOVER, as for planned work, once the group has settled. The old primary
   * takes writes until the Sentinels turn it into a replica, two to three seconds later, and these are lost;
   * `settled()` waits for that.
   *
   * returns the new primary, when every running Sentinel names it and it is one
   * throws  ConfigError when there is no running replica; NotSettledError
   */
  async failover(): Promise<TestServer> {
    const before = await this.primary()
    if (!this.servers.some((server) => server !== before && isAwake(server)))
      throw new ConfigError('replicas', 'a running replica to fail over to', 'none')
    await this.settled()
    let askedAt = Number.NEGATIVE_INFINITY
    return settle('failover', this.#ground.timeoutMs, async () => {
      const [now, ...others] = await this.#named()
      if (now !== undefined && now !== before && others.every((other) => other === now)) {
        const [role] = await now.command<string[]>('ROLE')
        if (role === 'master') return now
        throw new NotYet(`${now.port} is named and says that its role is ${role}`)
      }
      if (performance.now() - askedAt > this.#failoverTimeoutMs + 1_000) {
        await this.#awake()[0]?.command('SENTINEL', 'FAILOVER', this.primaryName)
        askedAt = performance.now()
      }
      throw new NotYet(`the Sentinels do not all name another than ${before.port}`)
    })
  }

  /**
   * Wait until all is well: every running Sentinel knows all others and all servers, names the same primary, finds
   * nothing wrong with what runs and sees a quorum, and every running replica's link is up.
   *
   * throws  NotSettledError with what is missing
   */
  async settled(): Promise<void> {
    await settle('settled', this.#ground.timeoutMs, () => this.#expectSettled())
  }

  /** Bring back every server that was paused or killed, and wait until all is well. For `afterEach`. throws  NotSettledError */
  async heal(): Promise<void> {
    await healAll([...this.sentinels, ...this.servers])
    await this.settled()
  }

  /** Kill everything and remove its folders. Calling it again does nothing. */
  async stop(): Promise<void> {
    this.#stopped = true
    await stopAll([...this.sentinels, ...this.servers])
  }

  close(): Promise<void> {
    return this.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #server(number: number): TestServer {
    const ground = this.#ground
    return new TestServer(memberOptions(ground, number), {
      operation: 'startSentinel',
      // Sentinels have a server write down whom it replicates: else it would come back as what it once was.
      rewritesConfig: true,
      ownPassword: ground.ownPassword,
      directives: (): Directive[] => [
        ...replicationDirectives(ground),
        ...(number > 0 ? [['replicaof', '127.0.0.1', this.servers[0]?.port ?? 0]] : []),
      ],
    })
  }

  #watchers(count: number, downAfterMs: number): TestServer[] {
    const { binary, timeout, sentinelPassword } = this.#options
    const { ownPassword, firstPort } = this.#ground
    const among = sentinelPassword === undefined ? undefined : newPassword()
    const about = (setting: string, ...values: (string | number)[]): Directive => [
      ...['sentinel', setting, this.primaryName],
      ...values,
    ]
    const directives = (): Directive[] => [
      about('monitor', '127.0.0.1', this.servers[0]?.port ?? 0, Math.floor(count / 2) + 1),
      about('down-after-milliseconds', downAfterMs),
      about('failover-timeout', this.#failoverTimeoutMs),
      about('parallel-syncs', this.servers.length),
      ...(ownPassword === undefined ? [] : [about('auth-user', OWN_USER), about('auth-pass', ownPassword)]),
      ...(among === undefined ? [] : [['sentinel', 'sentinel-user', OWN_USER]]),
      ...(among === undefined ? [] : [['sentinel', 'sentinel-pass', among]]),
    ]
    const options = {
      ...(binary === undefined ? {} : { binary }),
      ...(timeout === undefined ? {} : { timeout }),
      ...(sentinelPassword === undefined ? {} : { password: sentinelPassword }),
    }
    return Array.from(
      { length: count },
      (_, i) =>
        new TestServer(firstPort === undefined ? options : { ...options, port: firstPort + this.servers.length + i }, {
          operation: 'startSentinel',
          args: ['--sentinel'],
          rewritesConfig: true,
          ownPassword: among,
          directives,
          greeting: ['SENTINEL', 'DEBUG', ...CLOCKS],
        }),
    )
  }

  #awake(): readonly TestServer[] {
    if (this.#stopped) throw new HoldfastError('CONNECTION_CLOSED', 'sentinel: the group was stopped')
    const awake = this.sentinels.filter(isAwake)
    if (awake.length === 0) throw new HoldfastError('CONNECTION_LOST', 'sentinel: no Sentinel is running')
    return awake
  }

  /** Whom each running Sentinel names. */
  #named(): Promise<(TestServer | undefined)[]> {
    return Promise.all(
      this.#awake().map(async (sentinel) => {
        const address = await sentinel.command<string[] | null>('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.primaryName)
        return this.servers.find(({ port }) => String(port) === address?.[1])
      }),
    )
  }

  async #expectSettled(): Promise<void> {
    const [primary, ...others] = await this.#named()
    if (primary === undefined || others.some((other) => other !== primary))
      throw new NotYet('the Sentinels name different servers')
    if (!isAwake(primary)) throw new NotYet(`the Sentinels name ${primary.port}, which does not run`)
    await Promise.all(this.#awake().map((sentinel) => this.#expectAllSeen(sentinel, primary)))
    await expectLinked(
      primary,
      this.servers.filter((server) => server !== primary && isAwake(server)),
    )
  }

  /** Throws NotYet unless this Sentinel knows everybody and finds nothing wrong with those that run. */
  async #expectAllSeen(sentinel: TestServer, primary: TestServer): Promise<void> {
    const ask = (verb: string) => sentinel.command<Reply[]>('SENTINEL', verb, this.primaryName)
    const [watched, replicas, sentinels] = await Promise.all([ask('MASTER'), ask('REPLICAS'), ask('SENTINELS')])
    const seen = [watched, ...(replicas as Reply[][]), ...(sentinels as Reply[][])].map(fieldsOf)
    for (const server of [...this.servers, ...this.sentinels].filter((other) => other !== sentinel)) {
      const found = seen.find((fields) => fields.get('port') === String(server.port))
      if (found === undefined) throw new NotYet(`Sentinel ${sentinel.port} does not know ${server.port}`)
      if (isAwake(server)) expectSeenWell(sentinel, found, primary)
    }
    const named = fieldsOf(watched).get('port')
    if (named !== String(primary.port)) throw new NotYet(`Sentinel ${sentinel.port} names ${named}`)
    await ask('CKQUORUM')
  }
}

/** Flags of a Sentinel's rows that are not as they should be. Others, such as `master_down`, may just be old. */
const TROUBLE = new Set(['s_down', 'o_down', 'disconnected', 'failover_in_progress'])

/**
 * Throws NotYet if a Sentinel finds something wrong with one that runs, or its news of it are old: it would soon tell
 * a server, which it still takes for a primary that came back, whom to replicate, even if that is the primary by then.
 */
function expectSeenWell(sentinel: TestServer, row: Map<string, string>, primary: TestServer): void {
  const seen = `Sentinel ${sentinel.port} sees ${row.get('port')}`
  const trouble = row
    .get('flags')
    ?.split(',')
    .find((flag) => TROUBLE.has(flag))
  if (trouble !== undefined) throw new NotYet(`${seen} ${trouble}`)
  const role = row.get('role-reported')
  if (role === undefined) return
  const expected = row.get('port') === String(primary.port) ? 'master' : 'slave'
  if (role !== expected) throw new NotYet(`${seen} in the role of a ${role}`)
  if (role === 'slave' && (row.get('master-port') !== String(primary.port) || row.get('master-link-status') !== 'ok'))
    throw new NotYet(`${seen} replicating ${row.get('master-port')} (link ${row.get('master-link-status')})`)
}

/** A row of SENTINEL MASTER, REPLICAS or SENTINELS: names and values in turn. */
function fieldsOf(row: readonly Reply[]): Map<string, string> {
  return new Map(Array.from({ length: row.length / 2 }, (_, i) => [String(row[2 * i]), String(row[2 * i + 1])]))
}

/** As the server's own sentinel.conf says: letters, digits, and `.-_`. */
function checkPrimaryName(name: unknown): string {
  if (typeof name !== 'string' || !/^[\w.-]+$/.test(name))
    throw new ConfigError('primaryName', 'letters, digits and .-_', name)
  return name
}
