import { monotonicMs, sleep } from '../../base/clock.ts'
import { ConfigError, ConnectionError, HoldfastError } from '../../base/errors.ts'
import { type Address, type MapAddress, showAddress } from '../../redis/address.ts'
import { Calls } from '../../redis/calls.ts'
import { isRefusal, linkError } from '../../redis/faults.ts'
import { openIoredisWire } from '../../redis/ioredis.ts'
import { Node } from '../../redis/node.ts'
import type { Settings } from '../../redis/settings.ts'
import type { Fault } from '../../redis/topology.ts'
import type { Arg, Reply } from '../../redis/wire.ts'
import { NotAgreedError } from './errors.ts'
import { mostTrusted, opinion, readView, type View, type ViewedNode } from './view.ts'

/** One node of the cluster. */
export interface Member {
  readonly id: string
  /** As the most trusted node sees it. */
  readonly seen: ViewedNode
  /** As it is announced to clients: `host:port`. */
  readonly address: string
  readonly node: Node
  /** What it says itself; undefined when it could not be asked. */
  readonly view: View | undefined
  /** Why not. */
  readonly fault: HoldfastError | undefined
}

/** The cluster at one moment, from all nodes that could be asked. */
export interface Picture {
  readonly trusted: View
  readonly members: readonly Member[]
}

/** How long between two looks: a node answers in well under a millisecond, and its own timers take 100 ms. */
const PAUSE_MS = 25

/** Connections to every node of one cluster, found from a few of them and reached through the address map. */
export class Crew {
  readonly settings: Settings
  readonly settleTimeoutMs: number
  readonly #calls: Calls
  readonly #mapAddress: MapAddress
  /** By the address at which we reach them. */
  readonly #nodes = new Map<string, Node>()
  readonly #idOf = new Map<Node, string>()
  #prefersHostnames: boolean | undefined

  constructor(settings: Settings, settleTimeoutMs: number) {
    if (settings.place.kind !== 'cluster')
      throw new ConfigError(
        'url',
        'the address of a Cluster, redis+cluster://host,host',
        `${settings.place.kind} server`,
      )
    this.settings = settings
    this.settleTimeoutMs = settleTimeoutMs
    this.#calls = new Calls(settings.timeoutMs)
    this.#mapAddress = settings.mapAddress
    for (const seed of settings.place.seeds) this.nodeAt(seed)
  }

  /** The node that is announced at this address. */
  nodeAt({ host, port }: Address): Node {
    const address = this.#mapAddress(host, port)
    const name = showAddress(address)
    let node = this.#nodes.get(name)
    if (node === undefined) {
      node = new Node(name, { ...this.settings.connection, ...address }, this.#calls, openIoredisWire)
      this.#nodes.set(name, node)
    }
    return node
  }

  /** Asks every node that can be found what it thinks of the cluster. */
  async look(): Promise<Picture> {
    const views = new Map<Node, View>()
    const faults = new Map<Node, HoldfastError>()
    const ask = async (node: Node) => {
      try {
        const view = await viewOf(node)
        views.set(node, view)
        this.#idOf.set(node, view.self.id)
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error
        faults.set(node, error)
      }
    }
    await Promise.all([...this.#nodes.values()].map(ask))
    for (;;) {
      const trusted = mostTrusted([...views.values()])
      if (trusted === undefined) throw this.#unreached([...faults.values()])
      this.#prefersHostnames ??= await this.#readPreference(trusted, [...views.keys()])
      const others = trusted.nodes
        .filter(({ id, ip, isMeeting }) => !isMeeting && ip !== '' && this.#nodeOf(id) === undefined)
        .map((seen) => this.nodeAt(this.#announced(seen)))
        .filter((node) => !views.has(node) && !faults.has(node))
      if (others.length === 0) return { trusted, members: this.#members(trusted, views, faults) }
      await Promise.all(others.map(ask))
    }
  }

  /** Looks until all nodes that can be asked are of one opinion and `look` finds nothing missing; it says what is. */
  async agree(operation: string, missing: (picture: Picture) => MissingNow | Promise<MissingNow>): Promise<Picture> {
    const deadlineMs = monotonicMs() + this.settleTimeoutMs
    for (;;) {
      const picture = await this.look()
      const lack = disagreement(picture) ?? (await missing(picture))
      if (lack === undefined) return picture
      if (monotonicMs() >= deadlineMs) throw new NotAgreedError(operation, this.settleTimeoutMs, lack)
      await sleep(PAUSE_MS)
    }
  }

  async close(): Promise<void> {
    for (const node of this.#nodes.values()) node.close()
    await this.#calls.close()
  }

  #nodeOf(id: string): Node | undefined {
    for (const [node, known] of this.#idOf) if (known === id) return node
    return undefined
  }

  #announced({ hostname, ip, port }: ViewedNode): Address {
    return { host: this.#prefersHostnames && hostname !== '' ? hostname : ip, port }
  }

  #members(trusted: View, views: ReadonlyMap<Node, View>, faults: ReadonlyMap<Node, HoldfastError>): Member[] {
    return trusted.nodes
      .filter(({ isMeeting }) => !isMeeting)
      .map((seen) => {
        // A node that was never told its own address is the one that we asked for it.
        const known = this.#nodeOf(seen.id)
        const own = known === undefined ? undefined : views.get(known)?.self
        // Its name travels with its own messages: for seconds after it joined, others know its IP address alone.
        const named = own?.id === seen.id ? { ...seen, hostname: own.hostname } : seen
        const announced = seen.ip === '' && known !== undefined ? known.settings : this.#announced(named)
        const node = known ?? this.nodeAt(announced)
        const view = views.get(node)
        const isSame = view?.self.id === seen.id
        return {
          id: seen.id,
          seen,
          address: showAddress(announced),
          node,
          view: isSame ? view : undefined,
          fault: faults.get(node),
        }
      })
  }

  /** Clients are told hostnames where the nodes are set so: what stands in CLUSTER SLOTS is what they are told. */
  async #readPreference(trusted: View, [node]: readonly Node[]): Promise<boolean> {
    const names = new Set(trusted.nodes.map(({ hostname }) => hostname).filter((name) => name !== ''))
    if (names.size === 0 || node === undefined) return false
    const rows = (await command(node, 'CLUSTER', 'SLOTS')) as readonly (readonly Reply[])[]
    return rows.some(([, , primary]) => names.has(String((primary as readonly Reply[])[0])))
  }

  /** Why no node could be asked: what a person can mend first. */
  #unreached(faults: readonly HoldfastError[]): HoldfastError {
    const [first] = [...faults].sort((a, b) => rank(a) - rank(b))
    if (first === undefined) throw new Error('a cluster has at least one seed')
    if (first.code === 'SERVER_ERROR' && /cluster support disabled/i.test(first.message))
      return new ConnectionError('SERVER_UNFIT', 'cluster', 'this server is no node of a Cluster', { cause: first })
    if (first.code !== 'TIMEOUT' && first.code !== 'CONNECTION_LOST') return first
    const fault = faults.map(({ cause }) => cause as Fault | undefined).sort((a) => (a && isRefusal(a) ? -1 : 1))[0]
    return linkError('cluster', [...this.#nodes.keys()].join(', '), fault, false)
  }
}

export type MissingNow = string | undefined

const MENDABLE: readonly string[] = ['SERVER_ERROR', 'SERVER_DENIED', 'AUTH_FAILED']
const rank = ({ code }: HoldfastError): number => -MENDABLE.indexOf(code)

/** One command on one node. All that are sent by this room may be carried out twice. */
export function command(node: Node, name: string, ...args: readonly Arg[]): Promise<Reply> {
  return node.call(name, args, { operation: operationOf(name, args), repeat: true })
}

const operationOf = (name: string, [word = '']: readonly Arg[]): string =>
  name === 'CLUSTER' ? `cluster.${String(word).toLowerCase()}` : `cluster.${name.toLowerCase()}`

export async function viewOf(node: Node): Promise<View> {
  return readView(String(await command(node, 'CLUSTER', 'NODES')))
}

/** `INFO` of one section or all, field by field. */
export async function infoOf(node: Node, ...sections: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const text = String(await command(node, 'INFO', ...sections))
  return new Map(text.split('\r\n').map((line) => line.split(/:(.*)/s, 2) as [string, string]))
}

/** By its own judgement: a node that joined, or had no majority, refuses keys for half a second to five more. */
export async function isServing({ node }: Member): Promise<boolean> {
  return /^cluster_state:ok/m.test(String(await command(node, 'CLUSTER', 'INFO')))
}

/** What the nodes that could be asked see differently, in words; undefined when they agree. */
export function disagreement({ trusted, members }: Picture): string | undefined {
  const asked = members.filter(({ view }) => view !== undefined)
  const ids = new Set(asked.map(({ id }) => id))
  const common = opinion(trusted, ids)
  for (const { view, address } of asked) {
    if (view === undefined) continue
    const meeting = view.nodes.find(({ isMeeting }) => isMeeting)
    if (meeting !== undefined) return `${address} is shaking hands with ${meeting.ip}:${meeting.port}`
    if (opinion(view, ids) !== common) return `${address} sees the cluster otherwise than ${trusted.self.port}`
  }
  return undefined
}

/** The member with this id, the beginning of one (8 digits at least), or this announced or real address. */
export function find({ members }: Picture, which: string, option: string): Member {
  const isId = /^[0-9a-f]{8,40}$/.test(which)
  const found = members.filter(
    ({ id, address, node, seen }) =>
      (isId && id.startsWith(which)) ||
      [address, node.address, showAddress({ host: seen.ip, port: seen.port })].includes(which),
  )
  if (found.length === 1) return found[0] as Member
  const known = members.map(({ address }) => address).join(', ')
  throw new ConfigError(option, `the id or address of one node of the cluster (${known})`, which)
}

export const isPrimary = ({ seen }: Member): boolean => seen.role === 'primary'
export const slotsOf = ({ seen }: Member): number =>
  seen.ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0)
export const primaries = ({ members }: Picture): readonly Member[] => members.filter(isPrimary)
