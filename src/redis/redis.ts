import { monotonicMs } from '../base/clock.ts'
import { ConnectionError, type HoldfastError, ServerError, TimeoutError } from '../base/errors.ts'
import { isLasting, isRefusal, linkError, replyError } from './faults.ts'
import { openIoredisWire } from './ioredis.ts'
import { type Key, Keyspace } from './keyspace.ts'
import { type CallOptions, Node, type NodeStats } from './node.ts'
import { aclRule, missingRights, type Rights } from './rights.ts'
import { parseInfo, readClockOffset, readFacts, type ServerFacts, unfitness } from './server.ts'
import type { Settings } from './settings.ts'
import { STREAM_BOUND_MS, Subscriber } from './subscriber.ts'
import { type Arg, LinkFault, type Reply, ReplyFault, type Wire } from './wire.ts'

const NO_FACTS: ServerFacts = { product: 'redis', version: undefined, mode: undefined, role: undefined }

/** How a room that keeps state fares when the server may evict: everything it promises would be void. */
const EVICTING = /^(allkeys|volatile)-/

/**
 * The one way to Redis. Rooms above say what to do and to which key; where that key lives, how long to wait and what may
 * be repeated is known here.
 */
export class Redis {
  readonly keyspace: Keyspace
  readonly timeoutMs: number
  readonly #settings: Settings
  readonly #node: Node
  readonly #warned = new Set<string>()
  #subscriber: Subscriber | undefined
  #closed = false
  #facts = NO_FACTS
  /** The server's wall clock less our steady one; until it is known, less our wall clock's guess. */
  #serverAheadMs = Date.now() - monotonicMs()
  #unfit: string | undefined

  constructor(settings: Settings) {
    this.#settings = settings
    this.keyspace = new Keyspace(settings.namespace)
    this.timeoutMs = settings.timeoutMs
    this.#node = new Node(settings.address, settings.connection, settings.timeoutMs, openIoredisWire, (wire) =>
      this.#meet(wire),
    )
  }

  /** Connects, or rejects within the timeout: no answer, wrong password, or a server that cannot be used. */
  async connect(): Promise<void> {
    this.#node.open()
    try {
      await Promise.race([
        this.#node.call('PING', [], { operation: 'connect', repeat: true, needs: '+ping' }),
        this.#refused(),
      ])
    } catch (error) {
      await this.close()
      throw this.#explain(error)
    }
  }

  // A wrong password or an unfit server does not get better by waiting.
  #refused(): Promise<never> {
    return new Promise((_, reject) => {
      const { address } = this.#settings
      this.#node.onRefused((fault) => {
        if (this.#unfit !== undefined)
          reject(new ConnectionError('SERVER_UNFIT', 'connect', `${address}: ${this.#unfit}`))
        else if (isRefusal(fault)) reject(linkError('connect', address, fault, false))
        else if (fault instanceof ReplyFault && isLasting(fault)) reject(replyError('connect', fault, '+select'))
      })
    })
  }

  #explain(error: unknown): unknown {
    if (!(error instanceof TimeoutError) || error.sent) return error
    const { lastError } = this.#node
    // Taken and never answered: the time ran out, nothing was lost.
    if (lastError?.message.startsWith('no handshake')) return error
    return lastError === undefined ? error : linkError('connect', this.#settings.address, lastError, false)
  }

  async #meet(wire: Wire): Promise<void> {
    const [facts, offsetMs] = await Promise.all([readFacts(wire), readClockOffset(wire)])
    this.#facts = facts
    this.#serverAheadMs = offsetMs
    this.#unfit = unfitness(this.#facts)
    if (this.#unfit !== undefined) throw new LinkFault(this.#unfit, false)
  }

  /** One command on the server that holds `key`. */
  call(_key: Key, command: string, args: readonly Arg[], options: CallOptions): Promise<Reply> {
    return this.#node.call(command, args, options)
  }

  /** The value of several keys, in their order; one command for each server involved. */
  async getAll(keys: readonly Key[], options: CallOptions): Promise<readonly Reply[]> {
    if (keys.length === 0) return []
    return (await this.#node.call('MGET', keys, options)) as readonly Reply[]
  }

  /** `items` in lots whose keys may stand in one script call: those of one slot on a Cluster, all of them elsewhere. */
  groupByPlace<T>(items: readonly T[], _keyOf: (item: T) => Key, most: number): readonly (readonly T[])[] {
    const lots: T[][] = []
    for (let i = 0; i < items.length; i += most) lots.push(items.slice(i, i + most))
    return lots
  }

  /** Every server that holds keys of ours. */
  primaries(): readonly Node[] {
    return [this.#node]
  }

  /** The connection that listens, opened when first asked for. */
  get subscriber(): Subscriber {
    if (this.#subscriber === undefined) {
      const { connection } = this.#settings
      this.#subscriber = new Subscriber(connection, openIoredisWire, STREAM_BOUND_MS, this.timeoutMs)
      if (this.#closed) this.#subscriber.close()
    }
    return this.#subscriber
  }

  /** What is known of the server; filled when the first connection is up. */
  get facts(): ServerFacts {
    return this.#facts
  }

  /** The server's wall clock in ms, as exact as half a round trip. For what may be off by that, such as freshness. */
  serverNowMs(): number {
    return monotonicMs() + this.#serverAheadMs
  }

  get stats(): NodeStats {
    return this.#node.stats
  }

  get address(): string {
    return this.#settings.address
  }

  /**
   * Looks once, behind the first use of a room, whether the server suits it: that its user has the rights the room declares,
   * and, for a room of state, that nothing it writes can be evicted. Tells by a warning; the calls themselves tell by errors.
   */
  async vet(room: string, role: 'cache' | 'state', rights: Rights, sample: Key, channel: string): Promise<void> {
    this.#node.needs.set(room, aclRule(rights))
    if (this.#warned.has(room)) return
    this.#warned.add(room)
    const missing = await missingRights(this.#node, rights, sample, channel)
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
    const policy = await this.#evictionPolicy()
    if (policy !== undefined && EVICTING.test(policy))
      process.emitWarning(
        `holdfast: ${this.address} has maxmemory-policy ${policy}, so it may evict what ${room} must not lose. Use noeviction, or a server of its own for state.`,
        { code: 'HOLDFAST_EVICTION' },
      )
  }

  async #evictionPolicy(): Promise<string | undefined> {
    try {
      const info = await this.#node.call('INFO', ['memory'], { operation: 'vet', repeat: true })
      const fields = parseInfo(String(info))
      return fields.get('maxmemory') === '0' ? undefined : fields.get('maxmemory_policy')
    } catch {
      return undefined
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#subscriber?.close()
    await this.#node.close()
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
