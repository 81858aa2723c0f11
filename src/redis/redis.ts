import { monotonicMs } from '../base/clock.ts'
import { ConnectionError, type HoldfastError, ServerError, TimeoutError } from '../base/errors.ts'
import { lotsBy } from '../base/lots.ts'
import type { CallOptions } from './call.ts'
import { type CallStats, Calls } from './calls.ts'
import type { ConnectionSettings } from './connection.ts'
import { type Durability, Durable, type DurableReply } from './durable/durable.ts'
import { isLasting, isRefusal, linkError, replyError } from './faults.ts'
import { openIoredisWire } from './ioredis.ts'
import { type Key, Keyspace } from './keyspace.ts'
import { Listeners } from './listeners.ts'
import { Node } from './node.ts'
import { Pool } from './pool/pool.ts'
import { aclRule, missingRights, type Rights } from './rights.ts'
import { parseInfo, readClockOffset, readFacts, type ServerFacts, unfitness } from './server.ts'
import type { Settings } from './settings.ts'
import { STREAM_BOUND_MS, Subscriber } from './subscriber.ts'
import { buildTopology } from './topology/build.ts'
import type { NodeWish, Topology } from './topology.ts'
import { type Arg, LinkFault, type Reply, ReplyFault, type Wire } from './wire.ts'

const NO_FACTS: ServerFacts = { product: 'redis', version: undefined, mode: undefined, role: undefined }

const MOST_BLOCKED = 1_000
const BLOCKING_IDLE_MS = 5_000

/** How a room that keeps state fares when the server may evict: everything it promises would be void. */
const EVICTING = /^(allkeys|volatile)-/

export interface RedisStats extends CallStats {
  /** Times that another server took over: Sentinel's switches, and replicas that were promoted in a Cluster. */
  readonly failovers: number
  /** Connections for commands opened so far, to all servers. */
  readonly connections: number
  /** True when every server that holds keys of ours has a connection. */
  readonly ready: boolean
}

/**
 * The one way to Redis. Rooms above say what to do and to which key; where that key lives, how long to wait and what may
 * be repeated is known here.
 */
export class Redis {
  readonly keyspace: Keyspace
  readonly timeoutMs: number
  /** What answers reads that may be behind, where a room does not say. */
  readonly readFrom: 'primary' | 'replica'
  readonly #settings: Settings
  readonly #calls: Calls
  readonly #topology: Topology
  readonly #listeners: Listeners
  readonly #durable: Durable
  /** Connections of one's own. */
  readonly pool: Pool
  /** Those on which rooms block until they are told: whoever waits there takes none from the users. */
  readonly blocking: Pool
  readonly #warned = new Set<string>()
  readonly #refusal: Promise<never>
  #closing: Promise<void> | undefined
  #refuse: (error: HoldfastError) => void = () => {}
  #connections = 0
  #facts = NO_FACTS
  /** The server's wall clock less our steady one; until it is known, less our wall clock's guess. */
  #serverAheadMs = Date.now() - monotonicMs()

  constructor(settings: Settings) {
    this.#settings = settings
    this.keyspace = new Keyspace(settings.namespace)
    this.timeoutMs = settings.timeoutMs
    this.readFrom = settings.readFrom
    this.#calls = new Calls(settings.timeoutMs)
    this.#refusal = new Promise((_, reject) => {
      this.#refuse = reject
    })
    this.#refusal.catch(() => {})
    this.#topology = buildTopology(
      settings,
      this.#calls,
      (address, connection, wish) => this.#makeNode(address, connection, wish),
      (error) => this.#refuse(error),
    )
    this.#durable = new Durable(this.#topology, this.#calls)
    this.pool = new Pool(this.#topology, this.#calls, settings.pool)
    const blocking = { min: 0, max: MOST_BLOCKED, acquireMs: settings.timeoutMs, idleMs: BLOCKING_IDLE_MS }
    this.blocking = new Pool(this.#topology, this.#calls, blocking, ':block')
    this.#listeners = new Listeners(
      this.#topology,
      (node) => new Subscriber(node.settings, openIoredisWire, STREAM_BOUND_MS, this.timeoutMs),
    )
  }

  #makeNode(address: string, connection: ConnectionSettings, wish: NodeWish): Node {
    return new Node(address, connection, this.#calls, openIoredisWire, {
      prepare: async (wire) => {
        await this.#meet(address, wire, wish)
        await wish.prepare?.(wire)
      },
      up: () => {
        this.#connections++
      },
      refused: (fault) => {
        this.#onRefused(address, fault, wish.needs)
        wish.refused?.(fault)
      },
    })
  }

  /** Learns from each new connection what the server is, and refuses one that cannot be used. */
  async #meet(address: string, wire: Wire, { role, sentinel }: NodeWish): Promise<void> {
    const [facts, offsetMs] = await Promise.all([readFacts(wire), readClockOffset(wire)])
    const wanted = sentinel ? 'sentinel' : this.#settings.place.kind === 'cluster' ? 'cluster' : 'standalone'
    const unfit = unfitness(facts, wanted)
    if (unfit !== undefined) {
      this.#refuse(new ConnectionError('SERVER_UNFIT', 'connect', `${address}: ${unfit}`))
      throw new LinkFault(unfit, false)
    }
    if (role === 'primary' && facts.role === 'replica') throw new LinkFault(`${address} is a replica`, false)
    if (sentinel) return
    this.#facts = facts
    this.#serverAheadMs = offsetMs
  }

  // A wrong password or an unfit server does not get better by waiting.
  #onRefused(address: string, fault: ReplyFault | LinkFault, needs = '+select'): void {
    if (isRefusal(fault)) this.#refuse(linkError('connect', address, fault, false))
    else if (fault instanceof ReplyFault && isLasting(fault)) this.#refuse(replyError('connect', fault, needs))
  }

  /** Connects, or rejects within the timeout: no answer, wrong password, or a server that cannot be used. */
  async connect(): Promise<void> {
    try {
      await Promise.race([this.#topology.ready(), this.#refusal])
    } catch (error) {
      await this.close()
      throw this.#explain(error)
    }
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof TimeoutError) || error.sent) return error
    const { fault } = this.#topology.blindness(monotonicMs())
    // Taken and never answered: the time ran out, nothing was lost.
    if (fault === undefined || fault.message.startsWith('no handshake'))
      return new TimeoutError('connect', error.timeoutMs, false, error.cause, `nothing was heard from ${this.address}`)
    return linkError('connect', this.address, fault, false)
  }

  /** One command on the server that holds `key`. */
  call(key: Key, command: string, args: readonly Arg[], options: CallOptions): Promise<Reply> {
    return this.#calls.start(this.#topology, key, command, args, options)
  }

  /**
   * A write on the server that holds `key`, and whether it is durable. It must write each time, also when a repeat changes nothing: see
   * `Durable.call`.
   */
  callDurably(
    key: Key,
    command: string,
    args: readonly Arg[],
    options: CallOptions,
    durability: Durability,
  ): Promise<DurableReply> {
    return this.#durable.call(key, command, args, options, durability)
  }

  /** The value of several keys, in their order; one command for each place involved. */
  async getAll(keys: readonly Key[], options: CallOptions): Promise<readonly Reply[]> {
    if (keys.length === 0) return []
    const lots = this.groupByPlace(keys, (key) => key, keys.length)
    if (lots.length === 1) return this.#getLot(keys, options)
    const found = new Map<Key, Reply>()
    await Promise.all(
      lots.map(async (lot) => {
        const values = await this.#getLot(lot, options)
        lot.forEach((key, i) => void found.set(key, values[i] as Reply))
      }),
    )
    return keys.map((key) => found.get(key) as Reply)
  }

  async #getLot(lot: readonly Key[], options: CallOptions): Promise<readonly Reply[]> {
    const [key] = lot as [Key]
    if (lot.length === 1) return [await this.call(key, 'GET', lot, options)]
    const startMs = monotonicMs()
    try {
      return (await this.call(key, 'MGET', lot, options)) as readonly Reply[]
    } catch (error) {
      // Keys that had one place when they were put together may have two by now.
      const leftMs = (options.timeoutMs ?? this.timeoutMs) - (monotonicMs() - startMs)
      if (leftMs <= 0 || this.groupByPlace(lot, (name) => name, lot.length).length === 1) throw error
      return this.getAll(lot, { ...options, timeoutMs: leftMs })
    }
  }

  /** `items` in lots whose keys may stand in one command: those of one slot on a Cluster, of one server elsewhere. */
  groupByPlace<T>(items: readonly T[], keyOf: (item: T) => Key, most: number): readonly (readonly T[])[] {
    return lotsBy(items, (item) => this.#topology.groupOf(keyOf(item)), most)
  }

  /** Where keys live, for what works on whole servers. */
  get topology(): Topology {
    return this.#topology
  }

  /** What this process listens to. */
  get listeners(): Listeners {
    return this.#listeners
  }

  /** What is known of the server that was connected to last; filled when the first connection is up. */
  get facts(): ServerFacts {
    return this.#facts
  }

  /** The server's wall clock in ms, as exact as half a round trip. For what may be off by that, such as freshness. */
  serverNowMs(): number {
    return monotonicMs() + this.#serverAheadMs
  }

  get stats(): RedisStats {
    const primaries = this.#topology.primaries()
    return {
      ...this.#calls.stats,
      failovers: this.#topology.failovers,
      connections: this.#connections,
      ready: primaries.length > 0 && primaries.every(({ ready }) => ready),
    }
  }

  get address(): string {
    return this.#topology.address
  }

  /**
   * Looks once, behind the first use of a room, whether the server suits it: that its user has the rights the room declares,
   * and, for a room of state, that nothing it writes can be evicted. Tells by a warning; the calls themselves tell by errors.
   */
  async vet(room: string, role: 'cache' | 'state', rights: Rights, sample: Key, channel: string): Promise<void> {
    this.#calls.needs.set(room, aclRule(rights))
    if (this.#warned.has(room)) return
    this.#warned.add(room)
    const missing = await missingRights(this, rights, sample, channel)
    // Away for now: the room's next first use asks again.
    if (missing === undefined) {
      this.#warned.delete(room)
      return
    }
    if (missing.length > 0)
      process.emitWarning(
        `holdfast: the user of ${this.address} may not ${missing.join(', ')}, which ${room} needs. Grant: ${aclRule(rights)}`,
        {
          code: 'HOLDFAST_RIGHTS',
        },
      )
    if (role === 'cache') return
    const policy = await this.#evictionPolicy(sample)
    if (policy !== undefined && EVICTING.test(policy))
      process.emitWarning(
        `holdfast: ${this.address} has maxmemory-policy ${policy}, so it may evict what ${room} must not lose. Use noeviction, or a server of its own for state.`,
        { code: 'HOLDFAST_EVICTION' },
      )
  }

  async #evictionPolicy(sample: Key): Promise<string | undefined> {
    try {
      const info = await this.call(sample, 'INFO', ['memory'], { operation: 'vet', repeat: true })
      const fields = parseInfo(String(info))
      return fields.get('maxmemory') === '0' ? undefined : fields.get('maxmemory_policy')
    } catch {
      return undefined
    }
  }

  /** Takes no new calls, lets those under way end (each by its own deadline), and closes every connection. */
  close(): Promise<void> {
    this.#closing ??= this.#end()
    return this.#closing
  }

  async #end(): Promise<void> {
    this.#listeners.close()
    await Promise.all([this.#calls.close(), this.pool.close(), this.blocking.close()])
    this.#durable.close()
    this.#topology.close()
  }
}

/** True for an error that means "Redis cannot be asked now": what a fallback may answer for. */
export function isOutage(error: unknown): error is HoldfastError {
  const code = (error as { code?: unknown } | undefined)?.code
  return (
    code === 'TIMEOUT' ||
    code === 'CONNECTION_LOST' ||
    code === 'AUTH_FAILED' ||
    code === 'SERVER_UNFIT' ||
    isBusy(error)
  )
}

const isBusy = (error: unknown): boolean =>
  error instanceof ServerError && error.code === 'SERVER_ERROR' && error.retryable
