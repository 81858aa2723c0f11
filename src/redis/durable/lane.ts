import { monotonicMs } from '../../base/clock.ts'
import type { Call, Place } from '../call.ts'
import type { NodePool, Own } from '../pool/node-pool.ts'
import { LinkFault, type Reply, ReplyFault } from '../wire.ts'

/** One WAIT lasts so long at most: what comes meanwhile waits for its end before it is even sent. */
const SLICE_MS = 50
/** A lane takes no more calls at once: more, and client and server would be in step, each idle while the other works. */
const MOST_AT_ONCE = 64
const ACQUIRE_MS = 500
/** A connection that has had nothing to do for so long is given back. */
const LINGER_MS = 200
const TICK_MS = 150
/** Asked something and silent for so long: a server that may be frozen. */
const SILENT_MS = 300
/** Silent for so long while the server answers elsewhere: the socket is dead. */
const DEAD_MS = 750
/** What the server refused, for a lasting reason, is asked of it again so often. */
const REFUSED_MS = 5_000

/** Whose lane it is. */
export interface LaneHost extends Place {
  readonly durability: 'replica' | 'fsync'
  /** How many replicas must have a write; undefined while nobody could say. */
  readonly replicas: number | undefined
  /** Brings that number up to date, unless it is. */
  count(): Promise<void> | undefined
  /** A WAIT came short. */
  recount(): void
  warn(why: string): void
  /** The lane can take calls. */
  opened(): void
  /** No connection could be had for it. */
  failed(): void
  /** It ended: whoever waits needs one. */
  openLane(): void
  /** The server says nothing here. True when it answers elsewhere; to find that out takes more than one question. */
  doubt(): boolean
}

/**
 * One connection for durable writes, in turns: calls go out as they come, then one WAIT for all of them. Whether the replicas have what
 * was written is asked on the very connection that wrote it, and what a connection that broke had written is never taken for durable.
 */
export class Lane {
  readonly #host: LaneHost
  readonly #pool: NodePool
  #state: 'closed' | 'opening' | 'open' | 'waiting' = 'closed'
  #own: Own | undefined
  /** Answered by the server, and not yet known to be durable. */
  readonly #held = new Set<Call>()
  /** Sent since the last WAIT, and the moment by which the first of them must be told. */
  #sent = 0
  #sentDueMs = Number.POSITIVE_INFINITY
  #unanswered = 0
  /** Nothing can be waited for: what the server answers is all there is. */
  #isPlain = false
  #isDue = false
  #refusedUntilMs = 0
  #busyMs = 0
  #ticking: NodeJS.Timeout | undefined
  #telling: NodeJS.Timeout | undefined

  constructor(host: LaneHost, pool: NodePool) {
    this.#host = host
    this.#pool = pool
  }

  get isOpen(): boolean {
    return this.#state === 'open' && this.#sent < MOST_AT_ONCE
  }

  get isClosed(): boolean {
    return this.#state === 'closed'
  }

  get wire() {
    return this.#own?.wire
  }

  open(): void {
    this.#state = 'opening'
    this.#pool.acquire(ACQUIRE_MS).then(
      (own) => {
        if (this.#state !== 'opening') return this.#pool.release(own, true)
        this.#own = own
        own.lost = () => this.break()
        this.#ticking = setInterval(() => this.#tick(), TICK_MS).unref()
        this.#begin()
      },
      () => {
        if (this.#state !== 'opening') return
        this.#state = 'closed'
        this.#host.failed()
      },
    )
  }

  /** A turn: calls may come. */
  #begin(): void {
    this.#state = 'open'
    this.#sent = 0
    this.#sentDueMs = Number.POSITIVE_INFINITY
    this.#busyMs = monotonicMs()
    if (this.#held.size > 0) this.#commitSoon()
    this.#host.opened()
  }

  send(call: Call, nowMs: number): void {
    const { wire } = this.#own as Own
    call.place = this.#host
    call.wire = wire
    call.sentMs = nowMs
    this.#busyMs = nowMs
    this.#sent++
    this.#unanswered++
    this.#sentDueMs = Math.min(this.#sentDueMs, call.dueMs - reserveMs(call))
    if (call.asked !== undefined) {
      call.asked = undefined
      wire.send('ASKING', [], false).catch(() => {})
    }
    wire.send(call.command, call.args, call.options.bytes ?? false).then(
      (reply) => {
        this.#unanswered--
        if (call.settled) return
        call.fallback = [reply, 0]
        if (this.#isPlain) call.answer(call.fallback)
        else this.#held.add(call)
      },
      (error) => {
        this.#unanswered--
        call.refuse(error)
      },
    )
    if (this.#sent === MOST_AT_ONCE) this.#commit()
    else this.#commitSoon()
  }

  /** When whoever is awake has sent what he has. */
  #commitSoon(): void {
    if (this.#isDue) return
    this.#isDue = true
    process.nextTick(() => {
      this.#isDue = false
      this.#commit()
    })
  }

  #commit(): void {
    if (this.#state !== 'open') return
    this.#state = 'waiting'
    const own = this.#own as Own
    const counting = this.#host.count()
    if (counting === undefined) this.#wait(own)
    else void counting.then(() => this.#wait(own))
  }

  #wait(own: Own): void {
    if (this.#own !== own) return
    const { replicas, durability } = this.#host
    const nowMs = monotonicMs()
    // Without a replica a write is in one memory; on one disk it may be.
    const isVain = replicas === undefined || (replicas === 0 && durability === 'replica')
    this.#isPlain = isVain || nowMs < this.#refusedUntilMs
    if (this.#isPlain) return this.#settle(false)
    let untilMs = this.#sentDueMs
    for (const call of this.#held) untilMs = Math.min(untilMs, call.dueMs - reserveMs(call))
    const ms = Math.max(1, Math.floor(Math.min(SLICE_MS, untilMs - nowMs)))
    const fsync = durability === 'fsync'
    this.#busyMs = nowMs
    own.wire
      .send(fsync ? 'WAITAOF' : 'WAIT', fsync ? [1, replicas as number, ms] : [replicas as number, ms], false)
      .then(
        (reply) => {
          if (this.#own === own) this.#settle(isEnough(reply, replicas as number))
        },
        (error) => {
          if (this.#own === own) this.#refused(own.wire.fault(error))
        },
      )
  }

  /** Tells those that can be told, and begins anew. */
  #settle(isDurable: boolean): void {
    for (const call of this.#held) {
      if (isDurable && !call.settled) call.answer([(call.fallback as readonly Reply[])[0] as Reply, 1])
      else if (this.#isPlain) call.answer(call.fallback as Reply)
      if (call.settled) this.#held.delete(call)
    }
    if (!isDurable && !this.#isPlain) this.#host.recount()
    if (this.#held.size > 0) this.#tellDue()
    this.#begin()
  }

  /** Tells those whose time is over that their write stands, and is not known to be durable. */
  #tellDue(): void {
    clearTimeout(this.#telling)
    const nowMs = monotonicMs()
    let nextMs = Number.POSITIVE_INFINITY
    for (const call of this.#held) {
      const leftMs = call.dueMs - reserveMs(call) - nowMs
      if (leftMs <= 0) call.answer(call.fallback as Reply)
      else nextMs = Math.min(nextMs, leftMs)
      if (call.settled) this.#held.delete(call)
    }
    if (Number.isFinite(nextMs)) this.#telling = setTimeout(() => this.#tellDue(), Math.ceil(nextMs)).unref()
  }

  #refused(fault: ReplyFault | LinkFault): void {
    const why = fault instanceof ReplyFault ? lastingReason(fault, this.#host.durability) : undefined
    // The socket broke, or the server has become a replica.
    if (why === undefined) return this.break()
    this.#host.warn(why)
    this.#refusedUntilMs = monotonicMs() + REFUSED_MS
    this.#isPlain = true
    this.#settle(false)
  }

  #tick(): void {
    const own = this.#own as Own
    const nowMs = monotonicMs()
    if (this.#state === 'waiting' || this.#unanswered > 0) {
      const silentMs = nowMs - Math.max(own.wire.lastByteMs, this.#busyMs)
      if (silentMs > SILENT_MS && this.#host.doubt() && silentMs > DEAD_MS) this.break()
    } else if (this.#held.size === 0 && nowMs - this.#busyMs > LINGER_MS) this.#end(own, true)
  }

  #end(own: Own | undefined, isClean: boolean): void {
    clearInterval(this.#ticking)
    clearTimeout(this.#telling)
    this.#state = 'closed'
    this.#own = undefined
    if (own !== undefined) this.#pool.release(own, isClean)
  }

  /**
   * Gives the connection up. Nothing more can be learnt of what was written on it, also where the server answered: after a failover it
   * may be gone. So it is written again, where it may be, and waited for anew.
   */
  break(): void {
    const held = [...this.#held]
    this.#held.clear()
    this.#refusedUntilMs = 0
    this.#end(this.#own, false)
    const fault = new LinkFault('the connection broke before the replicas had answered', true)
    for (const call of held) if (!call.settled) call.refuse(fault)
    this.#host.openLane()
  }
}

/** So long before its deadline a call is told how it stands: an answer that comes with the deadline comes too late. */
const reserveMs = ({ timeoutMs }: Call): number => Math.min(50, Math.max(2, timeoutMs / 20))

/** WAIT answers how many replicas have it; WAITAOF how many disks: its own, and of replicas. */
function isEnough(reply: Reply, replicas: number): boolean {
  if (!Array.isArray(reply)) return Number(reply) >= replicas
  return Number(reply[0]) >= 1 && Number(reply[1]) >= replicas
}

/** Why the server will never carry out a WAIT, or undefined where it may. */
function lastingReason({ prefix, message }: ReplyFault, durability: 'replica' | 'fsync'): string | undefined {
  const command = durability === 'fsync' ? 'WAITAOF' : 'WAIT'
  if (prefix === 'NOPERM') return `its user may not ${command}. Grant: +${command.toLowerCase()}`
  if (/unknown command/i.test(message)) return `it knows no ${command}, which Redis and Valkey have from 7.2`
  if (/appendonly/i.test(message)) return 'it keeps no append-only file'
  return undefined
}
