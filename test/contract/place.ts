import { type ConnectOptions, connect, type Holdfast } from 'holdfast'
import { testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeEach, expect, inject } from 'vitest'
import { AnalyticsKeys } from '../../src/analytics/keys.ts'
import { analyticsRights } from '../../src/analytics/rights.ts'
import { breakerRights } from '../../src/breaker/rights.ts'
import { CacheKeys } from '../../src/cache/keys.ts'
import { behindRights, cacheRights } from '../../src/cache/rights.ts'
import { GeoKeys } from '../../src/geo/keys.ts'
import { geoRights } from '../../src/geo/rights.ts'
import { KeyvKeys } from '../../src/keyv/keys.ts'
import { LimitKeys } from '../../src/limit/keys.ts'
import { limitRights } from '../../src/limit/rights.ts'
import type { Algorithm } from '../../src/limit/rules.ts'
import { lockRights } from '../../src/lock/rights.ts'
import { logRights } from '../../src/log/rights.ts'
import { MonitorKeys } from '../../src/monitor/keys.ts'
import { monitorRights } from '../../src/monitor/rights.ts'
import { queueRights } from '../../src/queue/rights.ts'
import { Keyspace } from '../../src/redis/keyspace.ts'
import { Rendezvous } from '../../src/redis/rendezvous.ts'
import { aclRule, connectionRights, joinRights, type Rights, SENTINEL_RIGHTS } from '../../src/redis/rights.ts'
import { slotOf } from '../../src/redis/slots.ts'
import { seatsRights } from '../../src/seats/rights.ts'
import { SessionKeys } from '../../src/session/keys.ts'
import { sessionRights } from '../../src/session/rights.ts'
import type { CommandArg, Reply } from '../../src/testing/resp.ts'
import { valueRights } from '../../src/value/rights.ts'
import { verifyRights } from '../../src/verify/rights.ts'
import { placeOf } from './setup.ts'
import { type Running, SHARDS } from './topologies.ts'
import type { Variant } from './variants.ts'
import { Witness } from './witness.ts'

/** What the tests of a file use, which is what its limited user may use. */
export interface PlaceUse {
  /** The names of its caches. Default `it` alone. */
  readonly caches?: readonly string[]
  /** The names of those of its caches with write-behind. Default none. */
  readonly behind?: readonly string[]
  /** Default false. */
  readonly seats?: boolean
  /** The names of its sets of sessions. Default none. */
  readonly sessions?: readonly string[]
  /** Default false. */
  readonly values?: boolean
  /** Its limiters by name, with the algorithms of each. Default none. */
  readonly limiters?: Readonly<Record<string, readonly Algorithm[]>>
  /** The names of its stores for Keyv. Default none. */
  readonly keyv?: readonly string[]
  /** Default false. */
  readonly locks?: boolean
  /** The names of its queues. Default none. */
  readonly queues?: readonly string[]
  /** Default false. */
  readonly logs?: boolean
  /** Default false. */
  readonly breakers?: boolean
  /** Default false. */
  readonly monitor?: boolean
  /** The names of its analytics. Default none. */
  readonly analytics?: readonly string[]
  /** The names of its sets of places. Default none. */
  readonly geo?: readonly string[]
  /** Default false. */
  readonly verify?: boolean
}

const PASSWORD = 'p@ss/wörd'

/**
 * Where the tests of one file run: a topology that all files share, with a namespace and, on its limited variant, a user of its own for
 * each test. Closes and removes what a test leaves behind, and fails the test that warned of missing rights or was denied anything.
 */
export class Place {
  readonly variant: Variant = inject('variant')
  /** Of this very test. */
  namespace = ''
  readonly all: readonly Witness[]
  readonly #running: Running
  readonly #replicas: readonly Witness[]
  readonly #sentinels: readonly Witness[]
  readonly #use: PlaceUse
  readonly #shards = new Rendezvous(SHARDS)
  readonly #open: Holdfast[] = []
  /** By namespace. */
  readonly #users = new Map<string, Promise<string>>()
  readonly #granted = new Set<string>()
  readonly #warnings: string[] = []
  #denied = false

  constructor(use: PlaceUse = {}) {
    this.#use = use
    this.#running = inject('running')[placeOf(this.variant)] as Running
    this.all = this.#running.primaries.map((port) => new Witness(port))
    this.#replicas = this.#running.replicas.map((port) => new Witness(port))
    this.#sentinels = this.#running.sentinels.map((port) => new Witness(port))
    const hear = (warning: Error & { code?: string }) => {
      if (warning.code?.startsWith('HOLDFAST_')) this.#warnings.push(`${warning.code}: ${warning.message}`)
    }
    process.on('warning', hear)
    beforeEach(() => {
      this.namespace = testNamespace('contract')
    })
    afterEach(() => this.#tidy())
    afterAll(() => {
      process.off('warning', hear)
      for (const witness of [...this.all, ...this.#replicas, ...this.#sentinels]) witness.close()
    })
  }

  get kind(): Variant['kind'] {
    return this.variant.kind
  }

  /** True for the one variant on which what takes long is done in full. */
  get isMain(): boolean {
    const { kind, product, user } = this.variant
    return kind === 'standalone' && product === 'redis' && user === 'full'
  }

  get sharesKeys(): boolean {
    return this.all.length > 1
  }

  /** An instance in the namespace of the test, closed when the test ends. Its connections are named after the namespace. */
  async connect(options: ConnectOptions = {}): Promise<Holdfast> {
    const [url, all] = await this.address(options)
    const hf = await connect(url, all)
    this.#open.push(hf)
    return hf
  }

  /** What to connect to, with a user who has been granted what the file uses. Plain values, which another process may be sent. */
  async address(options: ConnectOptions = {}): Promise<[url: string, options: ConnectOptions]> {
    const { namespace = this.namespace } = options
    const user = this.variant.user === 'limited' ? await this.#userOf(namespace) : undefined
    const { addressMap } = this.#running
    // The machine may have much to do: what is tested here is not how long it takes.
    return [this.urlFor(user), { namespace, name: `${this.namespace}`, timeout: '10s', addressMap, ...options }]
  }

  urlFor(user: string | undefined): string {
    const { url } = this.#running
    if (user === undefined) return url
    const [name, password] = [encodeURIComponent(user), encodeURIComponent(PASSWORD)]
    const query = this.kind === 'sentinel' ? `?sentinelUsername=${name}&sentinelPassword=${password}` : ''
    return `${url.replace('://', `://${name}:${password}@`)}${query}`
  }

  /** All that the file needs in a namespace, on the servers that hold data. */
  rightsIn(namespace: string): Rights {
    const {
      caches = ['it'],
      behind = [],
      seats = false,
      sessions = [],
      values = false,
      limiters = {},
      keyv = [],
      locks = false,
      queues = [],
      logs = false,
      breakers = false,
      monitor = false,
      analytics = [],
      geo = [],
      verify = false,
    } = this.#use
    const space = new Keyspace(namespace)
    return joinRights(
      connectionRights(this.kind === 'standalone' ? 'single' : this.kind, space),
      ...caches.map((name) => cacheRights(new CacheKeys(space, name), true)),
      ...behind.map((name) => behindRights(new CacheKeys(space, name, true), true)),
      ...(seats ? [seatsRights(space)] : []),
      ...sessions.map((name) => sessionRights(new SessionKeys(space, name), true)),
      ...(values ? [valueRights(space)] : []),
      ...Object.entries(limiters).map(([name, algorithms]) =>
        limitRights(
          new LimitKeys(space, name),
          algorithms.map((algorithm) => ({ algorithm })),
          true,
        ),
      ),
      ...keyv.map((name) => new KeyvKeys(space, name).rights),
      ...(locks ? [lockRights(space)] : []),
      ...queues.map((name) => queueRights(space, name)),
      ...(logs ? [logRights(space)] : []),
      ...(breakers ? [breakerRights(space)] : []),
      ...(monitor ? [monitorRights(new MonitorKeys(space))] : []),
      ...(verify ? [verifyRights(space)] : []),
      ...geo.map((name) => geoRights(new GeoKeys(space, name, 1))),
      ...analytics.map((name) => analyticsRights(new AnalyticsKeys(space, name, 1))),
    )
  }

  /** The user who may do all that the file needs in a namespace; a name of a user may hold less than that of a namespace. */
  #userOf(namespace: string): Promise<string> {
    const known = this.#users.get(namespace)
    if (known !== undefined) return known
    const name = `${this.namespace}-user-${this.#users.size}`
    const granted = this.grant(name, aclRule(this.rightsIn(namespace))).then(() => name)
    this.#users.set(namespace, granted)
    return granted
  }

  /** Makes a user of these rules on every server, and of those of `sentinelRule` on every Sentinel. */
  async grant(user: string, rule: string, sentinelRule = aclRule(SENTINEL_RIGHTS)): Promise<void> {
    const login = ['ACL', 'SETUSER', user, 'reset', 'on', `>${PASSWORD}`]
    const tell = (rules: string) => (witness: Witness) => witness.command(...login, ...rules.split(' '))
    await Promise.all([...[...this.all, ...this.#replicas].map(tell(rule)), ...this.#sentinels.map(tell(sentinelRule))])
    this.#granted.add(user)
  }

  /** The server that holds a key, whether it exists or not. */
  at(key: string): Witness {
    const { slots, primaries } = this.#running
    if (this.kind === 'shards') return this.all[this.#shards.placeOf(key)] as Witness
    if (this.kind !== 'cluster') return this.all[0] as Witness
    const slot = slotOf(key)
    const [, , port] = slots.find(([first, last]) => first <= slot && slot <= last) as readonly [number, number, number]
    return this.all[primaries.indexOf(port)] as Witness
  }

  /** A command whose first argument is a key, to the server that holds it, past the library. */
  command<T extends Reply = Reply>(command: string, key: string, ...args: readonly CommandArg[]): Promise<T> {
    return this.at(key).command<T>(command, key, ...args)
  }

  /** Every key on every server that matches, sorted. */
  async keys(pattern: string): Promise<readonly string[]> {
    return (await Promise.all(this.all.map((witness) => witness.keys(pattern)))).flat().sort()
  }

  /** Ends the connections with which the instances of this test listen. */
  async killListeners(): Promise<void> {
    await Promise.all(
      this.all.map(async (witness) => {
        const ids = await clientIds(witness, `${this.namespace}:listen`)
        await Promise.all(ids.map((id) => witness.command('CLIENT', 'KILL', 'ID', id)))
      }),
    )
  }

  /** How many connections of this name there are, on all servers and Sentinels. */
  async countConnections(name: string): Promise<number> {
    const servers = [...this.all, ...this.#replicas, ...this.#sentinels]
    return (await Promise.all(servers.map((witness) => clientIds(witness, name)))).flat().length
  }

  /** The test expects to be denied something and to be warned; answers the warnings so far. */
  expectDenial(): readonly string[] {
    this.#denied = true
    return this.#warnings
  }

  async #tidy(): Promise<void> {
    await Promise.all(this.#open.splice(0).map((hf) => hf.close()))
    const users = [...this.#granted]
    this.#granted.clear()
    this.#users.clear()
    const denials = this.#denied ? [] : await this.#denials(users)
    await Promise.all(
      users.length === 0
        ? []
        : [...this.all, ...this.#replicas, ...this.#sentinels].map((one) => one.command('ACL', 'DELUSER', ...users)),
    )
    const left = await this.keys(`*${this.namespace}*`)
    await Promise.all(left.map((key) => this.command('UNLINK', key)))
    const warnings = this.#warnings.splice(0)
    if (!this.#denied) expect({ denials, warnings }).toEqual({ denials: [], warnings: [] })
    this.#denied = false
  }

  /** What the servers' own log says that these users were refused. */
  async #denials(users: readonly string[]): Promise<readonly string[]> {
    if (users.length === 0) return []
    const logs = await Promise.all(
      [...this.all, ...this.#replicas, ...this.#sentinels].map((witness) =>
        witness.command<string[][]>('ACL', 'LOG', 100),
      ),
    )
    return logs.flat().flatMap((row) => {
      const field = (name: string) => row[row.indexOf(name) + 1]
      return users.includes(field('username') as string) ? [`${field('reason')} ${field('object')}`] : []
    })
  }
}

async function clientIds(witness: Witness, name: string): Promise<readonly string[]> {
  const list = await witness.command<string>('CLIENT', 'LIST')
  return list
    .split('\n')
    .filter((line) => line.includes(` name=${name} `))
    .map((line) => /^id=(\d+)/.exec(line)?.[1] as string)
}
