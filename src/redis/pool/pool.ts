import { checkBoolean, checkKnown } from '../../base/check.ts'
import { monotonicMs } from '../../base/clock.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { ConfigError, ConnectionError, TimeoutError } from '../../base/errors.ts'
import type { Calls } from '../calls.ts'
import { asKey } from '../keyspace.ts'
import type { Node } from '../node.ts'
import type { Topology } from '../topology.ts'
import { LinkFault, ReplyFault } from '../wire.ts'
import { ACQUIRE, NodePool, type PoolFigures } from './node-pool.ts'
import type { PoolSettings } from './options.ts'
import { OwnConnection } from './own-connection.ts'

export interface UseOptions {
  /** The full name of a key in Redis: the connection goes to the server that has it. Default: any server that holds keys. */
  readonly key?: string
  /** Ends the waiting, and the connection while it is used, with `signal.reason`. */
  readonly signal?: AbortSignal
  /** How long to wait for a connection. Default: the pool's `acquireTimeout`. */
  readonly timeout?: Duration
  /** Replies as bytes (Buffer) rather than text. Default false. */
  readonly bytes?: boolean
}

export interface PoolStats extends PoolFigures {
  /** By address. Servers that are gone count in the totals only. */
  readonly nodes: Readonly<Record<string, PoolFigures>>
}

const NOTHING: PoolFigures = {
  ...{ size: 0, idle: 0, inUse: 0, waiting: 0, opened: 0, evicted: 0, discarded: 0, timeouts: 0 },
}
const LONGEST_MS = 86_400_000

/**
 * Connections of one's own, for what a shared one cannot do: WATCH, MULTI and EXEC, blocking commands, a state of the connection.
 * Each server has its pool, made when the first one is asked for.
 */
export class Pool {
  readonly #topology: Topology
  readonly #calls: Calls
  readonly #settings: PoolSettings
  readonly #suffix: string
  readonly #pools = new Map<Node, NodePool>()
  #gone = NOTHING
  #turn = 0
  #isClosed = false

  /** @internal `suffix`: what the names of its connections end in. */
  constructor(topology: Topology, calls: Calls, settings: PoolSettings, suffix = ':own') {
    this.#suffix = suffix
    this.#topology = topology
    this.#calls = calls
    this.#settings = settings
  }

  /**
   * Runs `fn` with a connection that nobody else uses meanwhile, and answers what it answers. Whoever came first gets one first.
   * Afterwards the connection goes to the next, if it is as it was; one with a transaction or a WATCH left open, with another database
   * or subscriptions, or with a command under way, is closed.
   *
   * throws  what `fn` throws; TIMEOUT of `pool.acquire` when all stay in use; CONNECTION_LOST, AUTH_FAILED, CONNECTION_CLOSED;
   *         `signal.reason`; ConfigError
   */
  async use<T>(fn: (connection: OwnConnection) => T | Promise<T>, options: UseOptions = {}): Promise<T> {
    if (typeof fn !== 'function') throw new ConfigError('fn', 'a function', fn)
    checkKnown('', options, ['key', 'signal', 'timeout', 'bytes'])
    const { key, signal } = options
    if (key !== undefined && typeof key !== 'string') throw new ConfigError('key', 'the full name of a key', key)
    const bytes = checkBoolean('bytes', options.bytes ?? false)
    const limitMs = toMs(options.timeout ?? this.#settings.acquireMs, 'timeout', { max: LONGEST_MS })
    if (this.#isClosed) throw new ConnectionError('CONNECTION_CLOSED', ACQUIRE, 'close() was called')
    signal?.throwIfAborted()
    const { node, pool, own } = await this.#acquire(key, limitMs, signal)
    const connection = new OwnConnection(own, {
      ...{ address: node.address, timeoutMs: this.#calls.timeoutMs, bytes, signal },
      troubled: (fault) => {
        this.#topology.troubled(node, fault)
        // It says that another has the key: whoever asks next should be given that one.
        if (fault instanceof ReplyFault) this.#topology.confirm().catch(() => {})
      },
    })
    const onAbort = () => pool.discard(own)
    connection.signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await fn(connection)
    } finally {
      connection.signal.removeEventListener('abort', onAbort)
      pool.release(own, connection.end())
    }
  }

  async #acquire(key: string | undefined, limitMs: number, signal: AbortSignal | undefined) {
    const dueMs = monotonicMs() + limitMs
    const leftMs = () => Math.max(1, dueMs - monotonicMs())
    for (;;) {
      const node = this.#nodeOf(key) ?? (await this.#awaitNode(key, leftMs(), limitMs))
      const pool = this.#poolOf(node)
      try {
        return { node, pool, own: await pool.acquire(leftMs(), signal, limitMs) }
      } catch (error) {
        // The server was replaced while we waited for it: somebody else has its keys now.
        if (!pool.closed || this.#isClosed || monotonicMs() >= dueMs) throw error
      }
    }
  }

  #nodeOf(key: string | undefined): Node | undefined {
    if (key !== undefined) return this.#topology.nodeOf(asKey(key))
    const nodes = this.#topology.primaries()
    const ready = nodes.filter((node) => node.ready)
    const from = ready.length > 0 ? ready : nodes
    return from[this.#turn++ % from.length]
  }

  /** While nobody knows the server: a call that needs one waits for the same news. */
  async #awaitNode(key: string | undefined, timeoutMs: number, limitMs: number): Promise<Node> {
    const wanted = key === undefined ? undefined : asKey(key)
    const ping = { operation: ACQUIRE, repeat: true, needs: '+ping', timeoutMs }
    try {
      await this.#calls.start(this.#topology, wanted, 'PING', [], ping)
    } catch (error) {
      throw error instanceof TimeoutError ? new TimeoutError(ACQUIRE, limitMs, false, error) : error
    }
    const node = this.#nodeOf(key)
    if (node === undefined) throw new ConnectionError('CONNECTION_LOST', ACQUIRE, 'no server is known for it')
    return node
  }

  #poolOf(node: Node): NodePool {
    const known = this.#pools.get(node)
    if (known !== undefined) return known
    const pool = new NodePool(node, this.#settings, this.#suffix)
    this.#pools.set(node, pool)
    // What a server says that is believed no more is of no use to anybody.
    node.onHandOver((gone) => {
      if (!gone || !this.#pools.delete(node)) return
      const { opened, evicted, timeouts, discarded } = pool.figures
      this.#gone = add(this.#gone, { ...NOTHING, opened, evicted, timeouts, discarded })
      void pool.close(0, new LinkFault(`${node.address} is not the server for its keys any more`, true))
    })
    return pool
  }

  /** Figures of now and so far: of all servers together, and of each. */
  get stats(): PoolStats {
    const nodes = Object.fromEntries([...this.#pools].map(([node, pool]) => [node.address, pool.figures]))
    return { ...Object.values(nodes).reduce(add, this.#gone), nodes }
  }

  /** @internal Sends away who waits, lets users end within the timeout, then closes every connection. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all([...this.#pools.values()].map((pool) => pool.close(this.#calls.timeoutMs)))
  }
}

function add(a: PoolFigures, b: PoolFigures): PoolFigures {
  const sums = Object.keys(a).map((name) => [name, a[name as keyof PoolFigures] + b[name as keyof PoolFigures]])
  return Object.fromEntries(sums) as unknown as PoolFigures
}
