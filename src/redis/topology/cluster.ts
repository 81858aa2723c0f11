import { monotonicMs } from '../../base/clock.ts'
import type { HoldfastError } from '../../base/errors.ts'
import { type Address, type MapAddress, parseAddress, showAddress } from '../address.ts'
import type { Call, Place } from '../call.ts'
import type { Key } from '../keyspace.ts'
import type { Node } from '../node.ts'
import { SLOTS, slotOf } from '../slots.ts'
import type { Fault, Ground, Topology, TopologyListener } from '../topology.ts'
import { LinkFault, type Reply, type ReplyFault, type Wire } from '../wire.ts'
import { firstAnswer } from './first-answer.ts'
import { Readers } from './readers.ts'

/** How often we look whether a server has gone silent, and ask for the map again while one has. */
const LOOK_MS = 150
/** Asked something and silent for so long: a server that may have been replaced. */
const SILENT_MS = 400
/** The map is read anew so often even when nothing seems wrong: a server that joined is noticed by those who never get a MOVED. */
const IDLE_MS = 5_000
/** News of a redirect, gathered for so long: a slot's move brings many. */
const GATHER_MS = 40
/** A server that lost its slots and owes answers may be asleep with them: so long it may take to say MOVED. */
const GRACE_MS = 200
/** How long a slot counts as being on its way after an ASK. */
const ASK_DOUBT_MS = 2_000

const ASK_MAP = { operation: 'connect', repeat: true, needs: '+cluster|slots', timeoutMs: 500 } as const

/**
 * A Redis Cluster: 16384 slots, each on one primary. The map is read from any node that answers, corrected by each MOVED at once, and
 * read again while something is wrong: a node is down or silent, or says that the cluster is. Calls that wait for a dead primary go on
 * as soon as the map names another.
 */
export class ClusterTopology implements Topology {
  readonly address: string
  failovers = 0
  readonly canMove = true
  readonly #ground: Ground
  readonly #mapAddress: MapAddress
  readonly #seeds: readonly Address[]
  /** By the address at which we reach them. */
  readonly #nodes = new Map<string, Node>()
  readonly #owners: (Node | undefined)[] = new Array(SLOTS).fill(undefined)
  #primaries: readonly Node[] = []
  /** The primaries of the last map: redirects name others before the next. */
  #mapped: ReadonlySet<Node> = new Set()
  /** Where the replicas of each primary are. */
  #replicas = new Map<Node, readonly Address[]>()
  readonly #readers: Readers
  /** Nodes that own nothing any more, and since when. */
  readonly #retired = new Map<Node, number>()
  readonly #doubtUntilMs = new Map<number, number>()
  readonly #listeners: TopologyListener[] = []
  #moved: Set<number> | undefined
  #looking: NodeJS.Timeout | undefined
  #gathering: NodeJS.Timeout | undefined
  #reading: Promise<void> | undefined
  #readAtMs = Number.NEGATIVE_INFINITY
  /** Since when a map is asked for; before the first use nobody is kept waiting. */
  #blindSinceMs: number | undefined
  #lastFault: Fault | undefined
  #turn = 0
  #closed = false

  constructor(ground: Ground, seeds: readonly Address[], mapAddress: MapAddress) {
    this.#ground = ground
    this.#seeds = seeds.map(({ host, port }) => mapAddress(host, port))
    this.#mapAddress = mapAddress
    // A replica serves reads only to a connection that has said it may be behind.
    const prepare = async (wire: Wire) => void (await wire.send('READONLY', [], false))
    this.#readers = new Readers(ground.makeNode, { prepare })
    this.address = seeds.map(showAddress).join(',')
  }

  open(): void {
    if (this.#looking !== undefined || this.#closed) return
    this.#blindSinceMs = monotonicMs()
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref()
    void this.#read()
  }

  async ready(): Promise<void> {
    this.open()
    const ping = { operation: 'connect', repeat: true, needs: '+ping' }
    // Waits until there is a map, and then until one server of it answers.
    await this.#ground.calls.start(this, undefined, 'PING', [], ping)
  }

  #nodeAt(address: Address): Node {
    const name = showAddress(address)
    const known = this.#nodes.get(name)
    if (known !== undefined) return known
    const node = this.#ground.makeNode(address)
    this.#nodes.set(name, node)
    return node
  }

  placeOf(call: Call): Place | undefined {
    if (call.asked !== undefined) return call.asked
    this.open()
    const { key } = call
    if (key === undefined) return this.#anyPrimary()
    const owner = this.#owners[slotOf(key)]
    if (owner === undefined || call.options.readFrom !== 'replica' || call.primaryOnly) return owner
    return this.#readers.oneOf(this.#replicas.get(owner) ?? []) ?? owner
  }

  #anyPrimary(): Node | undefined {
    const ready = this.#primaries.filter((node) => node.ready)
    const from = ready.length > 0 ? ready : this.#primaries
    return from[this.#turn++ % from.length]
  }

  blindness(nowMs: number, call?: Call) {
    const slot = call?.key === undefined || this.#primaries.length === 0 ? undefined : slotOf(call.key)
    if (slot !== undefined && this.#owners[slot] === undefined)
      return { forMs: 0, fault: new LinkFault(`no node of the Cluster has slot ${slot}`, false) }
    const fault = this.#lastFault ?? this.#primaries.find(({ lastError }) => lastError !== undefined)?.lastError
    return { forMs: this.#primaries.length > 0 ? 0 : nowMs - (this.#blindSinceMs ?? nowMs), fault }
  }

  redirect(call: Call, fault: ReplyFault, from: Place): boolean {
    const [word, slotText, target = ''] = fault.message.split(' ')
    const slot = Number(slotText)
    const address = this.#announced(target, from as Node)
    if (address === undefined || !(slot >= 0 && slot < SLOTS)) return false
    const node = this.#nodeAt(address)
    node.open()
    if (word === 'ASK') {
      call.asked = node
      if (this.#retired.has(node)) this.#retired.set(node, monotonicMs())
      this.#doubtUntilMs.set(slot, monotonicMs() + ASK_DOUBT_MS)
      return true
    }
    // A replica that was asked for a read names its own primary: nothing has moved.
    if (this.#owners[slot] === node) return true
    this.#give(slot, node)
    this.#changeSoon()
    return true
  }

  /** The address in a MOVED or a map; without a host it is the very host that was asked. */
  #announced(text: string, from: Node): Address | undefined {
    const colon = text.lastIndexOf(':')
    const port = Number(text.slice(colon + 1))
    const host = text.slice(0, colon)
    if (host === '') return port > 0 ? { host: from.settings.host, port } : undefined
    const parsed = parseAddress(host)
    return parsed === undefined || host === '?' ? undefined : this.#mapAddress(parsed.host, port)
  }

  #give(slot: number, node: Node): void {
    this.#owners[slot] = node
    this.#retired.delete(node)
    if (!this.#primaries.includes(node)) this.#primaries = [...this.#primaries, node]
    this.#moved ??= new Set()
    this.#moved.add(slot)
    this.#doubtUntilMs.delete(slot)
  }

  #changeSoon(): void {
    this.#gathering ??= setTimeout(() => {
      this.#gathering = undefined
      this.#tell()
      void this.#read()
    }, GATHER_MS).unref()
  }

  #tell(): void {
    const moved = this.#moved
    this.#moved = undefined
    if (moved === undefined || moved.size === 0) return
    const isMoved = (key: string) => moved.has(slotOf(key))
    for (const listener of this.#listeners) listener(isMoved)
  }

  troubled(_from: Place, fault: Fault): void {
    this.#lastFault = fault
    if (monotonicMs() - this.#readAtMs > GATHER_MS) void this.#read()
  }

  #look(): void {
    const nowMs = monotonicMs()
    this.#readers.look(nowMs)
    for (const [node, sinceMs] of this.#retired) this.#seeOff(node, sinceMs, nowMs)
    const isTroubled = this.#primaries.length === 0 || this.#primaries.some((node) => node.silentMs(nowMs) > SILENT_MS)
    if (isTroubled || nowMs - this.#readAtMs > IDLE_MS) void this.#read()
  }

  /** Closes a node that owns nothing: once it owes no answer, or when it owes one and sleeps. */
  #seeOff(node: Node, sinceMs: number, nowMs: number): void {
    const silentMs = node.silentMs(nowMs)
    // One that still answers says MOVED, or serves those who were sent to it by an ASK.
    if (silentMs > 0 ? silentMs < GRACE_MS : nowMs - sinceMs < GRACE_MS) return
    this.#retired.delete(node)
    for (const [name, known] of this.#nodes) if (known === node) this.#nodes.delete(name)
    node.disown()
    node.close()
  }

  /** Reads the map from whoever answers first. One at a time; never rejects. */
  #read(): Promise<void> {
    if (this.#closed) return Promise.resolve()
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = undefined
    })
    return this.#reading
  }

  async #readOnce(): Promise<void> {
    const nowMs = monotonicMs()
    this.#readAtMs = nowMs
    const nodes = [...this.#nodes.values()]
    const well = nodes.filter((node) => node.ready && node.silentMs(nowMs) < GRACE_MS)
    const others = [...this.#seeds, ...[...this.#replicas.values()].flat()].map((seed) => this.#nodeAt(seed))
    // A different one each time: a node that was cut off from the others would go on telling an old story.
    const from = this.#turn++ % Math.max(1, well.length)
    const candidates = [...new Set([...well.slice(from), ...well.slice(0, from), ...others, ...nodes])]
    try {
      const { node, reply } = await firstAnswer(candidates, 'CLUSTER', ['SLOTS'], ASK_MAP)
      if (!this.#closed) this.#adopt(reply as readonly (readonly Reply[])[], node)
    } catch (error) {
      const { cause, code } = error as HoldfastError & { cause?: Fault }
      this.#lastFault = cause ?? this.#lastFault
      if (code === 'SERVER_DENIED') this.#ground.refuse(error as HoldfastError)
    }
  }

  #adopt(rows: readonly (readonly Reply[])[], from: Node): void {
    const owners = new Array<Node | undefined>(SLOTS).fill(undefined)
    const replicas = new Map<Node, readonly Address[]>()
    const primaries = new Set<Node>()
    for (const [first, last, primary, ...others] of rows) {
      const address = this.#addressOf(primary as readonly Reply[], from)
      if (address === undefined) continue
      const node = this.#nodeAt(address)
      primaries.add(node)
      const known = others.map((replica) => this.#addressOf(replica as readonly Reply[], from))
      replicas.set(
        node,
        known.filter((replica) => replica !== undefined),
      )
      owners.fill(node, Number(first), Number(last) + 1)
    }
    // A node that is alone, or has just begun, knows of no slots: it is no witness.
    if (primaries.size === 0) return
    this.#countFailovers(primaries)
    for (let slot = 0; slot < SLOTS; slot++) if (owners[slot] !== this.#owners[slot]) this.#lay(slot, owners[slot])
    const before = this.#primaries
    this.#primaries = [...primaries]
    this.#replicas = replicas
    this.#retire(before, primaries)
    for (const node of primaries) node.open()
    this.#tell()
    this.#ground.calls.release()
  }

  #lay(slot: number, node: Node | undefined): void {
    if (node !== undefined) return this.#give(slot, node)
    this.#owners[slot] = undefined
  }

  #addressOf(row: readonly Reply[], from: Node): Address | undefined {
    const [host, port] = row
    return this.#announced(`${host ?? ''}:${port}`, from)
  }

  #countFailovers(primaries: ReadonlySet<Node>): void {
    const appeared = [...primaries].some((node) => !this.#mapped.has(node))
    for (const node of this.#mapped) {
      if (primaries.has(node)) continue
      const heirs = this.#replicas.get(node) ?? []
      // A map that was read while its replica was away names no heir: then who took over is one that was no primary.
      if (heirs.length === 0 ? appeared : heirs.some((heir) => primaries.has(this.#nodeAt(heir)))) this.failovers++
    }
    this.#mapped = primaries
  }

  #retire(before: readonly Node[], primaries: ReadonlySet<Node>): void {
    const nowMs = monotonicMs()
    for (const node of this.#nodes.values()) {
      if (primaries.has(node)) this.#retired.delete(node)
      else if (!this.#retired.has(node)) this.#retired.set(node, nowMs)
    }
    for (const node of before) {
      if (primaries.has(node)) continue
      node.handOver()
      // It has been silent already: what it says when it wakes is what it believed before it fell asleep.
      if (node.silentMs(nowMs) > GRACE_MS) this.#seeOff(node, Number.NEGATIVE_INFINITY, nowMs)
    }
    this.#readers.keep([...this.#replicas.values()].flat())
  }

  nodeOf(key: Key): Node | undefined {
    return this.#owners[slotOf(key)]
  }

  primaries(): readonly Node[] {
    return this.#primaries
  }

  /** A message is told to every node of the cluster: hearing one of them is enough. */
  stations(key: Key | undefined): readonly Node[] {
    const node = (key === undefined ? undefined : this.nodeOf(key)) ?? this.#primaries[0]
    return node === undefined ? [] : [node]
  }

  groupOf(key: Key): number {
    return slotOf(key)
  }

  isSettled(key: Key): boolean {
    const untilMs = this.#doubtUntilMs.get(slotOf(key))
    return untilMs === undefined || untilMs <= monotonicMs()
  }

  async replicaCount(node: Node): Promise<number> {
    const lines = await clusterNodes(node)
    const id = lines.find(({ flags }) => flags.includes('myself'))?.id
    return lines.filter(({ flags, primary }) => primary === id && !flags.includes('noaddr')).length
  }

  async confirm(): Promise<string> {
    await this.#read()
    const views = await Promise.all(this.#primaries.map((node) => clusterNodes(node)))
    const own = views.map((lines) => lines.find(({ flags }) => flags.includes('myself')))
    // A slot that is open here or there has keys on both sides.
    const open = own.some((line) => line?.slots.some((slots) => slots.startsWith('[')))
    return open
      ? `open ${this.#turn++}`
      : own
          .map((line) => `${line?.id} ${line?.slots.join(' ')}`)
          .sort()
          .join('\n')
  }

  onChange(listener: TopologyListener): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#looking)
    clearTimeout(this.#gathering)
    this.#readers.close()
    for (const node of this.#nodes.values()) node.close()
  }
}

interface ClusterLine {
  readonly id: string
  readonly flags: readonly string[]
  /** The id of its primary, for a replica. */
  readonly primary: string
  /** Ranges, and `[slot->-id]` or `[slot-<-id]` for slots on their way. */
  readonly slots: readonly string[]
}

async function clusterNodes(node: Node): Promise<readonly ClusterLine[]> {
  const options = { operation: 'cluster.nodes', repeat: true, needs: '+cluster|nodes' }
  const text = String(await node.call('CLUSTER', ['NODES'], options))
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', , flags = '', primary = '', , , , , ...slots] = line.split(' ')
      return { id, flags: flags.split(','), primary, slots }
    })
}
