import { Pool as Queue } from 'tarn'
import { LONGEST_TIMER_MS, monotonicMs, sleep, unlessAborted } from '../../base/clock.ts'
import { ConnectionError, type HoldfastError, TimeoutError } from '../../base/errors.ts'
import { REOPEN_MS } from '../connection.ts'
import { isRefusal, linkError } from '../faults.ts'
import type { Node } from '../node.ts'
import { LinkFault, ReplyFault, type Wire } from '../wire.ts'
import type { PoolSettings } from './options.ts'

export interface PoolFigures {
  /** Connections that are open now. */
  readonly size: number
  readonly idle: number
  readonly inUse: number
  /** Callers that wait for one. */
  readonly waiting: number
  /** Opened so far. */
  readonly opened: number
  /** Closed so far because nobody used them. */
  readonly evicted: number
  /** Given up so far: broken, or left in a state that the next one must not meet. */
  readonly discarded: number
  /** Callers so far that waited in vain. */
  readonly timeouts: number
}

/** Used so recently, a connection is not asked whether it still lives. */
const FRESH_MS = 1_000
const REAP_MS = 1_000
const RETRY_MS = 50
export const ACQUIRE = 'pool.acquire'

/** One connection of the pool. */
export class Own {
  readonly wire: Wire
  idleSinceMs = monotonicMs()
  /** False once it has ended or was given up. */
  usable = true
  checking = false
  /** Who uses it, to be told that it is lost. */
  lost: ((why: LinkFault | HoldfastError) => void) | undefined

  constructor(wire: Wire) {
    this.wire = wire
  }
}

/**
 * Connections to one server, each given to one user at a time, first come first served. What is opened, checked and given up is
 * decided here; the order in which callers wait, and the reaping of idle ones, is tarn's.
 */
export class NodePool {
  readonly #node: Node
  readonly #suffix: string
  readonly #queue: Queue<Own>
  readonly #open = new Set<Own>()
  readonly #inUse = new Set<Own>()
  readonly #leave = new Set<(error: Error) => void>()
  readonly #closing = new AbortController()
  #opened = 0
  #evicted = 0
  #discarded = 0
  #timeouts = 0
  #lastFault: LinkFault | ReplyFault | undefined
  #idle: (() => void) | undefined

  constructor(node: Node, settings: Omit<PoolSettings, 'acquireMs'>, suffix: string) {
    this.#node = node
    this.#suffix = suffix
    this.#queue = new Queue<Own>({
      create: () => this.#openOne(),
      validate: ((own: Own) => this.#check(own)) as unknown as (own: Own) => boolean,
      destroy: (own) => this.#reap(own),
      min: settings.min,
      max: settings.max,
      idleTimeoutMillis: settings.idleMs,
      reapIntervalMillis: Math.min(REAP_MS, Math.max(5, Math.ceil(settings.idleMs / 2))),
      createRetryIntervalMillis: RETRY_MS,
      // Deadlines and signals are ours: the queue's own would tell neither what was waited for nor why.
      acquireTimeoutMillis: LONGEST_TIMER_MS,
      createTimeoutMillis: LONGEST_TIMER_MS,
    })
  }

  get figures(): PoolFigures {
    return {
      size: this.#open.size,
      idle: this.#open.size - this.#inUse.size,
      inUse: this.#inUse.size,
      waiting: this.#leave.size,
      opened: this.#opened,
      evicted: this.#evicted,
      discarded: this.#discarded,
      timeouts: this.#timeouts,
    }
  }

  /**
   * A connection that works, to be given back by `release`.
   *
   * wholeMs  how long the caller has waited in all then, for errors
   * throws  TIMEOUT when all are in use until then; CONNECTION_LOST, AUTH_FAILED when none can be opened; CONNECTION_CLOSED;
   *         `signal.reason`
   */
  acquire(timeoutMs: number, signal?: AbortSignal, wholeMs = timeoutMs): Promise<Own> {
    if (this.closed) return Promise.reject(closedError())
    if (signal?.aborted) return Promise.reject(signal.reason)
    return new Promise((resolve, reject) => {
      const asked = this.#queue.acquire()
      const leave = (error: Error) => {
        if (!settle()) return
        reject(error)
        // In a turn of its own: the queue marks a place as given up some microtasks later, and must not fill it meanwhile.
        setImmediate(() => asked.abort())
      }
      const settle = () => {
        if (!this.#leave.delete(leave)) return false
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        return true
      }
      const onAbort = () => leave(signal?.reason)
      const timer = setTimeout(() => leave(this.#late(wholeMs)), timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#leave.add(leave)
      asked.promise.then(
        (own) => {
          if (!settle()) return void this.#queue.release(own)
          this.#inUse.add(own)
          resolve(own)
        },
        (error) => leave(error),
      )
    })
  }

  #late(timeoutMs: number): HoldfastError {
    this.#timeouts++
    const fault = this.#lastFault
    if (fault !== undefined && this.#inUse.size === 0) return linkError(ACQUIRE, this.#node.address, fault, false)
    return new TimeoutError(ACQUIRE, timeoutMs, false, fault)
  }

  /** Gives a connection back; one that is not `clean` is closed, and never given to anybody again. */
  release(own: Own, clean: boolean): void {
    own.lost = undefined
    if (!this.#inUse.delete(own)) return
    if (!clean) this.discard(own)
    own.idleSinceMs = monotonicMs()
    this.#queue.release(own)
    if (this.#inUse.size === 0) this.#idle?.()
  }

  /** Closes a connection for good, also while somebody uses it. */
  discard(own: Own): void {
    if (!this.#open.delete(own)) return
    own.usable = false
    this.#discarded++
    own.wire.destroy()
  }

  async #openOne(): Promise<Own> {
    try {
      const own = new Own(await this.#node.openOwn(this.#suffix, this.#closing.signal))
      this.#lastFault = undefined
      this.#opened++
      this.#open.add(own)
      own.wire.onEnd(() => {
        const { lost } = own
        this.discard(own)
        lost?.(new LinkFault('the socket has ended', true))
      })
      return own
    } catch (error) {
      const fault = error as LinkFault | ReplyFault
      this.#lastFault = fault
      // A wrong password does not get better by waiting.
      if (isRefusal(fault)) for (const leave of this.#leave) leave(linkError(ACQUIRE, this.#node.address, fault, false))
      throw fault
    }
  }

  /** Whether an idle connection may be given to somebody: a socket can be dead for long before anybody notices. */
  async #check(own: Own): Promise<boolean> {
    if (!own.usable || monotonicMs() - own.idleSinceMs < FRESH_MS) return own.usable
    own.checking = true
    const late = new AbortController()
    const timer = setTimeout(() => late.abort(new LinkFault('no answer', true)), REOPEN_MS)
    try {
      await unlessAborted(own.wire.send('PING', [], false), late.signal)
    } catch (error) {
      // Whoever says no is there.
      if (late.signal.aborted || !(own.wire.fault(error) instanceof ReplyFault)) this.discard(own)
    } finally {
      clearTimeout(timer)
      own.checking = false
    }
    return own.usable
  }

  #reap(own: Own): void {
    if (own.checking) return this.discard(own)
    if (!this.#open.delete(own)) return
    own.usable = false
    if (!this.closed) this.#evicted++
    own.wire.destroy()
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Sends away who waits, lets users end for `waitMs`, and closes every connection; `why` is what those who are left are told. */
  async close(waitMs: number, why: LinkFault | HoldfastError = closedError()): Promise<void> {
    if (this.closed) return
    this.#closing.abort(new LinkFault(why.message, false))
    for (const leave of this.#leave) leave(closedError())
    if (this.#inUse.size > 0 && waitMs > 0) {
      const done = new AbortController()
      this.#idle = () => done.abort()
      await sleep(waitMs, done.signal).catch(() => {})
    }
    for (const own of this.#open) {
      const { lost } = own
      this.discard(own)
      lost?.(why)
      this.release(own, false)
    }
    await this.#queue.destroy()
  }
}

const closedError = () => new ConnectionError('CONNECTION_CLOSED', ACQUIRE, 'close() was called')
