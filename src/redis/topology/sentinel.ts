import { monotonicMs } from '../../base/clock.ts'
import { ConnectionError, type HoldfastError } from '../../base/errors.ts'
import { type Address, type MapAddress, showAddress } from '../address.ts'
import type { Call, Place } from '../call.ts'
import type { Key } from '../keyspace.ts'
import type { Node } from '../node.ts'
import { toFields } from '../server.ts'
import type { Subscriber } from '../subscriber.ts'
import type { Fault, Ground, Topology, TopologyListener } from '../topology.ts'
import type { Reply } from '../wire.ts'
import { firstAnswer } from './first-answer.ts'
import { Readers } from './readers.ts'

/** How often we look whether the primary has gone silent, and ask the Sentinels while it has. */
const LOOK_MS = 150
const SILENT_MS = 400
/** The Sentinels are asked so often even when nothing seems wrong: news of a failover may have been lost. */
const IDLE_MS = 2_000
const MOST_PEERS = 8
/** One answer serves for all who ask within so long. */
const AGAIN_MS = 40
const SWITCHED = '+switch-master'
/**
 * Said a tenth of a second before a replica is told to be the primary. The old one takes writes until the end of the failover, a second
 * later, and all of them would be lost: so from here on nothing is sent to it, and the replica has that tenth to catch up.
 */
const PROMOTING = '+failover-state-send-slaveof-noone'
/** Said when the replica has been seen to be the primary: from here on this Sentinel names it. */
const PROMOTED = '+promoted-slave'
const ABORTED = '-failover-abort-slave-timeout'
/** A failover that has not ended by then is not waited for. */
const MOST_PROMOTING_MS = 4_000

const ASK = { operation: 'connect', repeat: true, timeoutMs: 500 } as const

/** What a Sentinel group is reached by. */
export interface SentinelGround extends Ground {
  /** A node that is a Sentinel, with the Sentinels' own credentials. */
  readonly makeSentinel: (address: Address) => Node
  readonly makeListener: (sentinel: Node) => Subscriber
  readonly primaryName: string
}

/**
 * A Sentinel group: one primary, named by the Sentinels. Whatever the old primary says once they have named another is not
 * believed: its socket is closed at that moment, also when it still answers or only sleeps. All Sentinels are listened to, and asked
 * while the primary is silent; of two different answers the one with the higher configuration epoch counts.
 */
export class SentinelTopology implements Topology {
  readonly address: string
  failovers = 0
  readonly canMove = true
  readonly #ground: SentinelGround
  readonly #mapAddress: MapAddress
  readonly #sentinels: readonly Node[]
  readonly #peers: Node[] = []
  readonly #ears: Subscriber[] = []
  readonly #listeners: TopologyListener[] = []
  readonly #readers: Readers
  #primary: Node | undefined
  #replicas: readonly Address[] = []
  #epoch = -1
  /** The address of the primary before this one. */
  #before: string | undefined
  /** Set while a replica is being made the primary. */
  #promoting: NodeJS.Timeout | undefined
  #looking: NodeJS.Timeout | undefined
  #asking: Promise<void> | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY
  /** Since when the primary is asked for; before the first use nobody is kept waiting. */
  #blindSinceMs: number | undefined
  #lastFault: Fault | undefined
  #turn = 0
  #closed = false

  constructor(ground: SentinelGround, sentinels: readonly Address[], mapAddress: MapAddress) {
    this.#ground = ground
    this.#mapAddress = mapAddress
    this.#readers = new Readers(ground.makeNode)
    this.#sentinels = sentinels.map(({ host, port }) => ground.makeSentinel(mapAddress(host, port)))
    this.address = `${sentinels.map(showAddress).join(',')}/${ground.primaryName}`
  }

  open(): void {
    if (this.#looking !== undefined || this.#closed) return
    this.#blindSinceMs = monotonicMs()
    this.#looking = setInterval(() => this.#look(), LOOK_MS).unref()
    for (const sentinel of this.#sentinels) {
      const ear = this.#ground.makeListener(sentinel)
      this.#ears.push(ear)
      this.#hear(ear)
    }
    void this.#ask()
  }

  /** Listens to a Sentinel, for ever: one that is away now is asked meanwhile, if it can be. */
  #hear(ear: Subscriber): void {
    Promise.all([
      ear.listen(SWITCHED, (news) => this.#onNews(news)),
      ear.listen(PROMOTING, (news) => this.#onPromoting(news)),
      ear.listen(PROMOTED, (news) => this.#isOurs(news) && this.#ask(true)),
      ear.listen(ABORTED, (news) => this.#onNews(news)),
    ]).catch(() => {
      if (!this.#closed) setTimeout(() => this.#hear(ear), IDLE_MS).unref()
    })
  }

  #onPromoting(news: string): void {
    if (!this.#isOurs(news)) return
    clearTimeout(this.#promoting)
    this.#promoting = setTimeout(() => this.#endPromoting(), MOST_PROMOTING_MS).unref()
  }

  // "slave host:port host port @ name primary-host primary-port"
  #isOurs(news: string): boolean {
    return news.includes(` @ ${this.#ground.primaryName} `)
  }

  #endPromoting(): void {
    clearTimeout(this.#promoting)
    this.#promoting = undefined
    this.#ground.calls.release()
  }

  async ready(): Promise<void> {
    this.open()
    const ping = { operation: 'connect', repeat: true, needs: '+ping' }
    await this.#ground.calls.start(this, undefined, 'PING', [], ping)
  }

  placeOf(call: Call): Place | undefined {
    this.open()
    const primary = this.#promoting === undefined ? this.#primary : undefined
    if (call.options.readFrom === 'replica' && !call.primaryOnly) return this.#readers.oneOf(this.#replicas) ?? primary
    return primary
  }

  blindness(nowMs: number) {
    const forMs = this.#primary === undefined ? nowMs - (this.#blindSinceMs ?? nowMs) : 0
    return { forMs, fault: this.#lastFault ?? this.#primary?.lastError }
  }

  redirect(): boolean {
    return false
  }

  troubled(_from: Place, fault: Fault): void {
    this.#lastFault = fault
    if (monotonicMs() - this.#askedAtMs > AGAIN_MS) void this.#ask()
  }

  #look(): void {
    const nowMs = monotonicMs()
    this.#readers.look(nowMs)
    const isTroubled = this.#primary === undefined || this.#primary.silentMs(nowMs) > SILENT_MS
    if (isTroubled || nowMs - this.#askedAtMs > IDLE_MS) void this.#ask()
  }

  // "name old-host old-port new-host new-port", or of an abort "master name …": what holds now, and its epoch, is asked for.
  #onNews(news: string): void {
    const { primaryName } = this.#ground
    if (news.startsWith(`master ${primaryName} `)) this.#endPromoting()
    if (news.startsWith(`${primaryName} `)) void this.#ask(true)
  }

  /** Asks a Sentinel, or all of them when there is news, who the primary is. Never rejects. */
  #ask(all = false): Promise<void> {
    if (this.#closed) return Promise.resolve()
    if (all) return this.#askAll()
    this.#asking ??= this.#askOne().finally(() => {
      this.#asking = undefined
    })
    return this.#asking
  }

  async #askAll(): Promise<void> {
    await Promise.all(this.#sentinels.map((sentinel) => this.#askFrom([sentinel])))
  }

  async #askOne(): Promise<void> {
    this.#askedAtMs = monotonicMs()
    // Another one each time: one that was cut off from its peers would go on naming the old primary.
    const from = this.#turn++ % this.#sentinels.length
    await this.#askFrom([...this.#sentinels.slice(from), ...this.#sentinels.slice(0, from), ...this.#peers])
  }

  async #askFrom(sentinels: readonly Node[]): Promise<void> {
    const { primaryName } = this.#ground
    try {
      const { node, reply } = await firstAnswer(sentinels, 'SENTINEL', ['MASTER', primaryName], ASK)
      // While a failover is under way, MASTER still tells the old address beside the new epoch.
      const [address, replicas, peers] = (await Promise.all([
        node.call('SENTINEL', ['GET-MASTER-ADDR-BY-NAME', primaryName], ASK),
        node.call('SENTINEL', ['REPLICAS', primaryName], ASK),
        node.call('SENTINEL', ['SENTINELS', primaryName], ASK),
      ])) as (readonly Reply[])[]
      const epoch = Number(toFields(reply).get('config-epoch') ?? 0)
      if (this.#closed || !address || !replicas) return
      this.#meetPeers(peers ?? [], node)
      this.#adopt(epoch, address, replicas, node)
    } catch (error) {
      const { cause, message, code } = error as HoldfastError & { cause?: Fault }
      this.#lastFault = cause ?? this.#lastFault
      if (code === 'SERVER_DENIED') this.#ground.refuse(error as HoldfastError)
      if (/No such master/i.test(message)) this.#refuseName()
    }
  }

  /** Sentinels that were not named to us are asked when none of those that were answers. */
  #meetPeers(peers: readonly Reply[], from: Node): void {
    const known = new Set([...this.#sentinels, ...this.#peers].map(({ address }) => address))
    for (const peer of peers.map(toFields)) {
      const address = this.#announced(peer.get('ip') ?? '', Number(peer.get('port')), from)
      if (address !== undefined && !known.has(showAddress(address)) && this.#peers.length < MOST_PEERS)
        this.#peers.push(this.#ground.makeSentinel(address))
    }
  }

  #refuseName(): void {
    const why = `the Sentinels at ${this.address} know no primary named '${this.#ground.primaryName}'`
    // A name that no Sentinel knows will not be known by waiting.
    this.#ground.refuse(new ConnectionError('SERVER_UNFIT', 'connect', why))
  }

  #adopt(epoch: number, [host, port]: readonly Reply[], replicas: readonly Reply[], from: Node): void {
    const address = this.#announced(String(host ?? ''), Number(port), from)
    // Of one epoch the later news counts: nobody goes back to the primary before.
    const isOld = epoch === this.#epoch && address !== undefined && showAddress(address) === this.#before
    if (epoch < this.#epoch || address === undefined || isOld) return
    this.#epoch = epoch
    this.#replicas = replicas
      .map((replica) => toFields(replica))
      .filter((replica) => !/s_down|o_down|disconnected/.test(replica.get('flags') ?? ''))
      .map((replica) => this.#announced(replica.get('ip') ?? '', Number(replica.get('port')), from))
      .filter((replica) => replica !== undefined)
    if (this.#primary === undefined || this.#primary.address !== showAddress(address)) this.#follow(address)
  }

  #announced(host: string, port: number, from: Node): Address | undefined {
    return port > 0 ? this.#mapAddress(host || from.settings.host, port) : undefined
  }

  #follow(address: Address): void {
    const old = this.#primary
    const node = this.#ground.makeNode(address, {
      role: 'primary',
      refused: () => void this.#ask(),
    })
    this.#primary = node
    node.open()
    if (old !== undefined) {
      this.failovers++
      this.#before = old.address
      // From here on nothing that it acknowledges will last.
      old.disown()
      old.close()
    }
    this.#readers.keep(this.#replicas)
    for (const listener of this.#listeners) listener(() => true)
    this.#endPromoting()
  }

  nodeOf(_key: Key): Node | undefined {
    return this.#primary
  }

  primaries(): readonly Node[] {
    return this.#primary === undefined ? [] : [this.#primary]
  }

  stations(): readonly Node[] {
    return this.primaries()
  }

  groupOf(): number {
    return 0
  }

  isSettled(): boolean {
    return true
  }

  /** All that the Sentinels know, also those that are down. */
  async replicaCount(_node: Node): Promise<number> {
    const args = ['REPLICAS', this.#ground.primaryName]
    const { reply } = await firstAnswer([...this.#sentinels, ...this.#peers], 'SENTINEL', args, {
      ...ASK,
      operation: 'sentinel.replicas',
    })
    return (reply as readonly Reply[]).length
  }

  async confirm(): Promise<string> {
    await this.#ask()
    return String(this.failovers)
  }

  onChange(listener: TopologyListener): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#closed = true
    clearInterval(this.#looking)
    clearTimeout(this.#promoting)
    for (const ear of this.#ears) ear.close()
    for (const node of [...this.#sentinels, ...this.#peers, this.#primary]) node?.close()
    this.#readers.close()
  }
}
