import { backoffMs } from '../../base/backoff.ts'
import { monotonicMs } from '../../base/clock.ts'
import type { Call } from '../call.ts'
import type { Calls } from '../calls.ts'
import type { Node } from '../node.ts'
import { NodePool } from '../pool/node-pool.ts'
import type { Wire } from '../wire.ts'
import { Lane, type LaneHost } from './lane.ts'

/** While one waits for the replicas, the other takes what comes. */
const LANES = 2
const IDLE_MS = 10_000
/** Older than this, a server's number of replicas is asked for again, behind the calls; much older, before them. */
const COUNT_MS = 1_000
const OLD_COUNT_MS = 5_000
/** When a WAIT came short the number is asked for again, at most so often. */
const RECOUNT_MS = 250
/** Who could not say is left alone for so long. */
const SILENT_COUNT_MS = 2_000
/** A server that has answered so lately is well. */
const WELL_MS = 250
const RETRY_BASE_MS = 25
const RETRY_MAX_MS = 400

/**
 * The way to one server for writes that must be durable. Its connections come from a pool of its own: whoever keeps all of the users'
 * pool, and confirms a sale meanwhile, must not wait for himself.
 */
export class Lanes implements LaneHost {
  readonly node: Node
  readonly durability: 'replica' | 'fsync'
  readonly #calls: Calls
  readonly #countReplicas: () => Promise<number>
  readonly #pool: NodePool
  readonly #lanes: readonly Lane[]
  readonly #parked = new Set<Call>()
  readonly #warned = new Set<string>()
  #replicas: number | undefined
  #countedMs = Number.NEGATIVE_INFINITY
  #countFailedMs = Number.NEGATIVE_INFINITY
  #counting: Promise<void> | undefined
  #failures = 0
  #retry: NodeJS.Timeout | undefined
  #closed = false

  constructor(node: Node, calls: Calls, durability: 'replica' | 'fsync', countReplicas: () => Promise<number>) {
    this.node = node
    this.#calls = calls
    this.durability = durability
    this.#countReplicas = countReplicas
    this.#pool = new NodePool(node, { min: 0, max: LANES, idleMs: IDLE_MS }, ':durable')
    this.#lanes = Array.from({ length: LANES }, () => new Lane(this, this.#pool))
  }

  get address(): string {
    return this.node.address
  }

  /** How many replicas must have a write; undefined while nobody could say. */
  get replicas(): number | undefined {
    return this.#replicas
  }

  take(call: Call, nowMs: number): void {
    const lane = this.#lanes.find(({ isOpen }) => isOpen)
    if (lane !== undefined) return lane.send(call, nowMs)
    if (!this.#closed) this.node.open()
    this.#calls.wait(call, this.#parked, this.address, this.node.blindness(nowMs))
    if (!call.settled) this.openLane()
  }

  /** Opens a lane if calls wait, and none is about to be free. */
  openLane(): void {
    if (this.#closed || this.#parked.size === 0 || this.#retry !== undefined) return
    this.#lanes.find(({ isClosed }) => isClosed)?.open()
  }

  /** A lane can take calls. */
  opened(): void {
    this.#failures = 0
    this.#calls.release(this.#parked)
  }

  /** No connection could be had. */
  failed(): void {
    if (this.#closed) return
    const { forMs, fault } = this.node.blindness(monotonicMs())
    for (const call of this.#parked) if (forMs > call.timeoutMs) this.#calls.failLink(call, this.address, fault)
    const again = () => {
      this.#retry = undefined
      this.openLane()
    }
    this.#retry ??= setTimeout(again, backoffMs(this.#failures++, RETRY_BASE_MS, RETRY_MAX_MS)).unref()
  }

  /** Brings the number of replicas up to date; undefined when nobody needs to wait for it. */
  count(): Promise<void> | undefined {
    const nowMs = monotonicMs()
    const ageMs = nowMs - this.#countedMs
    if (ageMs < COUNT_MS || nowMs - this.#countFailedMs < SILENT_COUNT_MS) return undefined
    const counting = this.#count()
    return ageMs < OLD_COUNT_MS ? undefined : counting
  }

  /** A WAIT came short: perhaps of replicas that are not there any more. */
  recount(): void {
    if (monotonicMs() - this.#countedMs > RECOUNT_MS) void this.#count()
  }

  #count(): Promise<void> {
    this.#counting ??= this.#countReplicas()
      .then((count) => {
        this.#replicas = count
        this.#countedMs = monotonicMs()
      })
      .catch((error: Error) => {
        // What was known is believed on; where nothing was, nothing is durable until somebody can say.
        this.#countFailedMs = monotonicMs()
        if ((error as { code?: unknown }).code === 'SERVER_DENIED') this.warn(error.message)
      })
      .finally(() => {
        this.#counting = undefined
      })
    return this.#counting
  }

  /** Says once why writes to this server cannot be durable. */
  warn(why: string): void {
    if (this.#warned.has(why)) return
    this.#warned.add(why)
    process.emitWarning(`holdfast: ${this.address}: durability '${this.durability}' cannot be met: ${why}`, {
      code: 'HOLDFAST_DURABILITY',
    })
  }

  /** A common call keeps an eye on the server: the topology sees by it that nobody answers, or the lane that only its socket is dead. */
  doubt(): boolean {
    this.node.call('PING', [], { operation: 'durable.doubt', repeat: true }).catch(() => {})
    return this.node.ready && this.node.silentMs(monotonicMs()) < WELL_MS
  }

  left(): void {}

  drop(wire: Wire): void {
    for (const lane of this.#lanes) if (lane.wire === wire) lane.break()
  }

  overdue(call: Call, nowMs: number): void {
    const { wire } = call
    // As in a node's own connection: a socket that said nothing a whole deadline long is given up.
    if (wire === undefined || wire.lastByteMs >= call.sentMs || (nowMs - call.dueMs) * 2 > call.timeoutMs) return
    this.drop(wire)
  }

  /** Those that wait here look for their server anew. */
  handOver(): void {
    this.#calls.release(this.#parked)
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#retry)
    for (const lane of this.#lanes) lane.break()
    void this.#pool.close(0)
    this.handOver()
  }
}
