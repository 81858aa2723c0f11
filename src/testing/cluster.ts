import { randomBytes } from 'node:crypto'
import { checkBoolean, checkInteger, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, HoldfastError } from '../base/errors.ts'
import {
  type ClusterView,
  countSlots,
  mostTrusted,
  opinion,
  owns,
  readView,
  SLOTS,
  type ViewedNode,
} from './cluster-view.ts'
import type { Directive } from './config.ts'
import {
  checkMember,
  expectLinked,
  GROUP_OPTIONS,
  type Ground,
  type GroupOptions,
  groundOf,
  healAll,
  isAwake,
  memberOptions,
  replicationDirectives,
  startAll,
  stopAll,
} from './group.ts'
import type { Reply } from './resp.ts'
import { TestServer } from './server.ts'
import { NotYet, settle } from './settle.ts'

export interface ClusterOptions extends GroupOptions {
  /** How many primaries share the slots. Default 3, and at least 3: fewer cannot outvote one that is away. */
  readonly primaries?: number
  /** How many replicas each primary has. Default 1. */
  readonly replicas?: number
  /** Nodes that run and belong to no cluster yet. Default 0. */
  readonly spares?: number
  /**
   * Announce `node-<n>.<random>.invalid` instead of 127.0.0.1, so that clients reach nothing without an address map;
   * such names never resolve. The nodes themselves go on using 127.0.0.1. Default false.
   */
  readonly announceHostnames?: boolean
  /** `cluster-node-timeout`: a dead primary's replica takes over after about 1.6 times that and 0.6 s. Default 1 s. */
  readonly nodeTimeout?: Duration
}

/** One row of CLUSTER SLOTS: the first slot, the last, and the address of the owner and of each replica. */
type ShownRow = [number, number, ...[host: string, port: number, ...Reply[]][]]

/** A node's role in the life of one process, and when it was first seen promoted. */
interface Career {
  readonly pid: number | undefined
  readonly isPrimary: boolean
  readonly promotedAt: number
}

/** A manual failover that was not begun by then is given up by the server. */
const FAILOVER_TRY_MS = 5_500

/**
 * Start a real, private cluster: each node a process of its own on free loopback ports, in a folder of its own.
 * All of them die with this process, however that ends.
 *
 * returns a cluster that has settled; that takes two seconds, which a node waits by itself before it accepts writes
 * throws  ConfigError for a wrong option or setting; NoServerError; TimeoutError. Nothing is left running then
 */
export function startCluster(options: ClusterOptions = {}): Promise<TestCluster> {
  return TestCluster.start(options)
}

/** A running cluster of one's own, whose nodes may be paused, killed and started again at will. */
export class TestCluster {
  /** Its address in the library's form: every node at its real address, with the password if there is one. */
  get url(): string {
    const login = this.#password === undefined ? '' : `:${encodeURIComponent(this.#password)}@`
    return `redis+cluster://${login}${this.nodes.map(({ host, port }) => `${host}:${port}`).join(',')}`
  }

  /** The members at the start: primaries, in the order of their slots, then the replicas of each in turn. */
  readonly nodes: readonly TestServer[]
  /** Nodes that were started to be added by CLUSTER MEET. */
  readonly spares: readonly TestServer[]

  readonly #ground: Ground
  readonly #password: string | undefined
  readonly #primaries: number
  readonly #hostnames = new Map<TestServer, string>()
  readonly #votesLastMs: number
  readonly #careers = new Map<TestServer, Career>()
  #stopped = false

  static async start(options: ClusterOptions): Promise<TestCluster> {
    const cluster = new TestCluster(options)
    try {
      await startAll(cluster.#all)
      await cluster.#join()
      return cluster
    } catch (error) {
      await cluster.stop()
      throw error
    }
  }

  private constructor(options: ClusterOptions) {
    checkKnown('startCluster', options, [
      ...['primaries', 'replicas', 'spares', 'announceHostnames', 'nodeTimeout'],
      ...GROUP_OPTIONS,
    ])
    this.#primaries = checkInteger('primaries', options.primaries ?? 3, 3, 100)
    const replicas = checkInteger('replicas', options.replicas ?? 1, 0, 10)
    const spares = checkInteger('spares', options.spares ?? 0, 0, 100)
    const announces = checkBoolean('announceHostnames', options.announceHostnames ?? false)
    const nodeTimeoutMs = toMs(options.nodeTimeout ?? '1s', 'nodeTimeout', { min: 100 })
    // As in the server: an election lasts twice the node timeout, and the next one may begin after twice that.
    this.#votesLastMs = 2 * Math.max(2 * nodeTimeoutMs, 2_000)
    this.#ground = groundOf(options)
    this.#password = options.password
    const domain = `${randomBytes(6).toString('hex')}.invalid`
    const members = this.#primaries * (1 + replicas)
    const nodes = Array.from({ length: members + spares }, (_, i) => {
      const hostname = announces ? `node-${i + 1}.${domain}` : ''
      const server = this.#node(i, nodeTimeoutMs, hostname)
      if (announces) this.#hostnames.set(server, hostname)
      return server
    })
    this.nodes = nodes.slice(0, members)
    this.spares = nodes.slice(members)
  }

  /** What clients are told of, and where it is: `'node-1.….invalid:10300'` → `'127.0.0.1:10300'`, spares too. */
  get addressMap(): Readonly<Record<string, string>> {
    const rows = [...this.#hostnames].map(([{ host, port }, name]) => [`${name}:${port}`, `${host}:${port}`])
    return Object.fromEntries(rows)
  }

  /**
   * The primaries now, as the nodes see them. One that died and that nobody has replaced yet
   * still owns its slots and is among them.
   */
  async primaries(): Promise<readonly TestServer[]> {
    const view = await this.#view()
    return this.#servers(view.nodes.filter((node) => node.isPrimary && (node.isWell || node.slots.length > 0)))
  }

  /** The replicas of `primary` now that are up. */
  async replicasOf(primary: TestServer): Promise<readonly TestServer[]> {
    checkMember('primary', primary, this.#all)
    const view = await this.#view()
    const id = view.nodes.find(({ port }) => port === primary.port)?.id
    return this.#servers(view.nodes.filter((node) => node.isWell && id !== undefined && node.primaryId === id))
  }

  /** The node that owns the key's slot now. */
  async primaryOf(key: string): Promise<TestServer> {
    const slot = await this.#awake().command<number>('CLUSTER', 'KEYSLOT', key)
    const view = await this.#view()
    const [owner] = this.#servers(view.nodes.filter((node) => owns(node, slot)))
    if (owner === undefined) throw new HoldfastError('SERVER_ERROR', `primaryOf: no node owns slot ${slot}`)
    return owner
  }

  /** The id that the node has in the cluster: 40 hex digits. */
  async idOf(node: TestServer): Promise<string> {
    checkMember('node', node, this.#all)
    if (isAwake(node)) return node.command<string>('CLUSTER', 'MYID')
    const seen = (await this.#view()).nodes.find(({ port }) => port === node.port)
    if (seen === undefined) throw new HoldfastError('SERVER_ERROR', `idOf: no node knows 127.0.0.1:${node.port}`)
    return seen.id
  }

  /**
   * Hand a primary's slots over to one of its replicas, as for planned work: nothing is lost. A node that was promoted
   * less than 4 × `nodeTimeout` ago is waited for: until then a server takes the votes that it got for new ones, so
   * that it would promote itself a second time under an old epoch, and be refused by the others.
   *
   * returns the new primary, when all running nodes agree about it
   * throws  ConfigError when it is no primary or has no replica that is up; NotSettledError
   */
  async failover(primary: TestServer): Promise<TestServer> {
    if (!(await this.primaries()).includes(primary))
      throw new ConfigError('primary', 'a server that is a primary now', `127.0.0.1:${primary.port}`)
    const replica = (await this.replicasOf(primary)).find(isAwake)
    if (replica === undefined)
      throw new ConfigError('primary', 'one with a running replica', `127.0.0.1:${primary.port}`)
    let askedAt = Number.NEGATIVE_INFINITY
    return settle('failover', this.#ground.timeoutMs, async () => {
      const { view } = await this.#agreement()
      if (view.nodes.find(({ port }) => port === replica.port)?.isPrimary) return replica
      for (const node of [primary, replica])
        if (performance.now() - (this.#careers.get(node)?.promotedAt ?? Number.NEGATIVE_INFINITY) < this.#votesLastMs)
          throw new NotYet(`${node.port} still has the votes of its last election`)
      if (performance.now() - askedAt > FAILOVER_TRY_MS) {
        await replica.command('CLUSTER', 'FAILOVER')
        askedAt = performance.now()
      }
      throw new NotYet(`${replica.port} has not taken over from ${primary.port}`)
    })
  }

  /**
   * Wait until all is well: on every running member `cluster_state:ok`, every slot owned by one that runs, all of one
   * opinion, every replica's link up. Members that are paused or killed are not asked and not waited for.
   *
   * throws  NotSettledError with what is missing
   */
  async settled(): Promise<void> {
    await settle('settled', this.#ground.timeoutMs, () => this.#expectSettled())
  }

  /** Bring back every server that was paused or killed, and wait until all is well. For `afterEach`. throws  NotSettledError */
  async heal(): Promise<void> {
    await healAll(this.#all)
    await this.settled()
  }

  /** Kill all nodes and remove their folders. Calling it again does nothing. */
  async stop(): Promise<void> {
    this.#stopped = true
    await stopAll(this.#all)
  }

  close(): Promise<void> {
    return this.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get #all(): readonly TestServer[] {
    return [...this.nodes, ...this.spares]
  }

  #node(number: number, nodeTimeoutMs: number, hostname: string): TestServer {
    const ground = this.#ground
    return new TestServer(memberOptions(ground, number), {
      operation: 'startCluster',
      hasBus: true,
      ownPassword: ground.ownPassword,
      directives: ({ dir, busPort }): Directive[] => [
        ['cluster-enabled', 'yes'],
        ['cluster-port', busPort],
        // Beside the data, not among it: an empty restart takes the data and leaves the node its place.
        ['cluster-config-file', `${dir}/nodes.conf`],
        ['cluster-node-timeout', nodeTimeoutMs],
        // Else all slots stop while one primary is away.
        ['cluster-require-full-coverage', 'no'],
        ...(hostname === '' ? [] : [['cluster-announce-hostname', hostname]]),
        ...(hostname === '' ? [] : [['cluster-preferred-endpoint-type', 'hostname']]),
        ...replicationDirectives(ground),
      ],
    })
  }

  /** Make the nodes, which run, a cluster. */
  async #join(): Promise<void> {
    const primaries = this.nodes.slice(0, this.#primaries)
    const replicas = this.nodes.slice(this.#primaries)
    const ids = await Promise.all(this.nodes.map((node) => this.idOf(node)))
    // An epoch each from the beginning, else equal ones are told apart by votes, after the nodes have met.
    await Promise.all(this.nodes.map((node, i) => node.command('CLUSTER', 'SET-CONFIG-EPOCH', i + 1)))
    await Promise.all(primaries.map((node, i) => node.command('CLUSTER', 'ADDSLOTSRANGE', ...this.#slotsOf(i))))
    // Each pair at once: by gossip alone it would take the nodes seconds to hear of one another.
    await Promise.all(this.nodes.flatMap((node, i) => this.nodes.slice(i + 1).map((other) => meet(node, other))))
    await Promise.all(
      replicas.map((node, i) => {
        const id = ids[i % this.#primaries] as string
        // Refused until the replica has shaken hands with its primary.
        return settle('startCluster', this.#ground.timeoutMs, () => node.command('CLUSTER', 'REPLICATE', id))
      }),
    )
    await settle('startCluster', this.#ground.timeoutMs, () => this.#expectSettled())
  }

  /** The slots of the primary with this number: the first and the last. */
  #slotsOf(primary: number): [number, number] {
    const start = (n: number) => Math.round((n * SLOTS) / this.#primaries)
    return [start(primary), start(primary + 1) - 1]
  }

  #awake(): TestServer {
    if (this.#stopped) throw new HoldfastError('CONNECTION_CLOSED', 'cluster: it was stopped')
    const awake = this.nodes.find(isAwake) ?? this.spares.find(isAwake)
    if (awake === undefined) throw new HoldfastError('CONNECTION_LOST', 'cluster: no node is running')
    return awake
  }

  async #views(): Promise<Map<TestServer, ClusterView>> {
    this.#awake()
    const views = new Map<TestServer, ClusterView>()
    const ask = async (node: TestServer) => {
      try {
        const view = readView(await node.command<string>('CLUSTER', 'NODES'))
        views.set(node, view)
        this.#note(node, view)
      } catch (error) {
        // Killed while it was asked: then it has no view.
        if (isAwake(node)) throw error
      }
    }
    await Promise.all(this.#all.filter(isAwake).map(ask))
    return views
  }

  #note(node: TestServer, view: ClusterView): void {
    const isPrimary = view.nodes.find(({ port }) => port === node.port)?.isPrimary ?? false
    const { pid } = node
    const known = this.#careers.get(node)
    // Another process has forgotten the votes of the one before.
    const before =
      known !== undefined && known.pid === pid ? known : { isPrimary, promotedAt: Number.NEGATIVE_INFINITY }
    const isPromoted = isPrimary && !before.isPrimary
    this.#careers.set(node, { pid, isPrimary, promotedAt: isPromoted ? performance.now() : before.promotedAt })
  }

  async #view(): Promise<ClusterView> {
    const view = mostTrusted([...(await this.#views()).values()])
    if (view === undefined) throw new HoldfastError('CONNECTION_LOST', 'cluster: no node answers')
    return view
  }

  #servers(nodes: readonly ViewedNode[]): readonly TestServer[] {
    return this.#all.filter(({ port }) => nodes.some((node) => node.port === port))
  }

  /** The running members and what they agree about, or NotYet. */
  async #agreement(): Promise<{ view: ClusterView; members: readonly TestServer[] }> {
    const views = await this.#views()
    const view = mostTrusted([...views.values()])
    if (view === undefined) throw new NotYet('no node answers')
    const ports = new Set([...views.keys()].map(({ port }) => port))
    const common = opinion(view, ports)
    const members = this.#servers(view.nodes).filter((node) => views.has(node))
    for (const [node, own] of views) {
      const isMember = members.includes(node)
      if (own.isMeeting) throw new NotYet(`${node.port} is shaking hands`)
      if (isMember && opinion(own, ports) !== common) throw new NotYet(`${node.port} sees the cluster otherwise`)
      if (!isMember && own.nodes.length > 1) throw new NotYet(`${node.port} knows others that do not know it`)
    }
    return { view, members }
  }

  async #expectSettled(): Promise<void> {
    const { view, members } = await this.#agreement()
    const nodes = view.nodes.filter(({ port }) => members.some((member) => member.port === port))
    for (const { port, isWell, hostname } of nodes) {
      if (!isWell) throw new NotYet(`${port} is thought to be away`)
      if (this.#hostnames.size > 0 && hostname === '') throw new NotYet(`the name of ${port} is not known everywhere`)
    }
    const owned = countSlots(nodes)
    if (owned !== SLOTS) throw new NotYet(`${owned} of ${SLOTS} slots belong to nodes that run`)
    await Promise.all(members.map((member) => expectServing(member, nodes)))
    const byId = new Map(members.map((server) => [nodes.find(({ port }) => port === server.port)?.id, server]))
    const followers = (id: string) => nodes.filter((node) => !node.isPrimary && node.primaryId === id)
    for (const node of nodes.filter(({ isPrimary }) => !isPrimary))
      if (!byId.has(node.primaryId)) throw new NotYet(`${node.port} replicates one that is away`)
    const primaries = nodes.filter(({ isPrimary }) => isPrimary)
    await Promise.all(primaries.map(({ id }) => expectLinked(byId.get(id) as TestServer, this.#servers(followers(id)))))
  }
}

function meet(node: TestServer, other: TestServer): Promise<unknown> {
  return node.command('CLUSTER', 'MEET', other.host, other.port, other.busPort)
}

/** Throws NotYet unless the node serves its slots, and shows clients every node that they may ask. */
async function expectServing(member: TestServer, nodes: readonly ViewedNode[]): Promise<void> {
  const [info, rows] = await Promise.all([
    member.command<string>('CLUSTER', 'INFO'),
    member.command<ShownRow[]>('CLUSTER', 'SLOTS'),
  ])
  const state = /^cluster_state:(\w+)/m.exec(info)?.[1]
  if (state !== 'ok') throw new NotYet(`${member.port} says cluster_state:${state}`)
  const shown = new Set(rows.flatMap(([, , ...addresses]) => addresses.map(([, port]) => port)))
  const owners = new Set(nodes.filter(({ slots }) => slots.length > 0).map(({ id }) => id))
  for (const { id, port, primaryId } of nodes)
    if (owners.has(primaryId ?? id) && !shown.has(port))
      throw new NotYet(`${member.port} does not show clients ${port}`)
}
