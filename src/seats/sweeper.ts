import { monotonicMs } from '../base/clock.ts'
import { Loop } from '../loop/loop.ts'
import type { Redis } from '../redis/redis.ts'
import { type EventKeys, eventChannel } from './keys.ts'
import { sweepScript } from './lua.generated.ts'

/** Most holds that one script call ends: 64 take 0.5 ms of the server. */
const MOST_PER_CALL = 64
/** An event is looked at this often, for holds of processes that are gone and that nobody else knew of. */
const CHECK_MS = 5_000
/** After this long without use and without holds, an event is no longer looked at. */
const FORGET_MS = 600_000

interface Watched {
  readonly keys: EventKeys
  dueMs: number
  usedMs: number
}

/**
 * Ends holds when their time is over, for every event that this process has used. Any number of processes do this at once;
 * the script sees to it that each hold ends once. Nothing depends on it being in time: every operation decides by the
 * server's clock.
 */
export class Sweeper {
  readonly #redis: Redis
  readonly #events = new Map<string, Watched>()
  readonly #loop: Loop
  #wakeMs = Number.POSITIVE_INFINITY

  constructor(redis: Redis) {
    this.#redis = redis
    this.#loop = new Loop(() => this.#sweepAll(), { every: '1s' })
  }

  /** The event is in use, and something may be due in it `inMs` from now; in one that was not in use before, at once. */
  touch(id: string, keys: EventKeys, inMs = 1_000): void {
    const nowMs = monotonicMs()
    const known = this.#events.get(id)
    const dueMs = nowMs + inMs
    if (known === undefined) {
      if (this.#events.size === 0) this.#loop.start()
      this.#events.set(id, { keys, dueMs: nowMs, usedMs: nowMs })
      return this.#wakeAt(nowMs, nowMs)
    } else {
      known.usedMs = nowMs
      if (dueMs < known.dueMs) known.dueMs = dueMs
    }
    if (dueMs < this.#wakeMs) this.#wakeAt(dueMs, nowMs)
  }

  forget(id: string): void {
    this.#events.delete(id)
  }

  #wakeAt(dueMs: number, nowMs: number): void {
    this.#wakeMs = dueMs
    // Up to 10 ms late, so that many processes do not ask in the same moment.
    this.#loop.within(Math.max(1, dueMs - nowMs + Math.random() * 10))
  }

  async #sweepAll(): Promise<void> {
    const nowMs = monotonicMs()
    this.#wakeMs = Number.POSITIVE_INFINITY
    const due = [...this.#events].filter(([, event]) => event.dueMs <= nowMs)
    await Promise.all(due.map(([id, event]) => this.#sweep(id, event)))
    // The loop sets its own timer when this turn has ended; a nearer moment is set after that.
    setImmediate(() => {
      const nextMs = Math.min(...[...this.#events.values()].map((event) => event.dueMs))
      if (nextMs !== Number.POSITIVE_INFINITY) this.#wakeAt(nextMs, monotonicMs())
    })
  }

  async #sweep(id: string, event: Watched): Promise<void> {
    const channel = eventChannel(this.#redis.keyspace, id)
    // A turn that fails is tried again in a second.
    event.dueMs = monotonicMs() + 1_000
    const { event: hash, map, due, log } = event.keys
    const reply = await sweepScript
      .run(
        this.#redis,
        { event: hash, map, due, log },
        { most: MOST_PER_CALL, channel },
        { operation: 'seats.sweep', repeat: true },
      )
      .catch(() => undefined)
    if (reply === undefined) return
    if (reply[0] === 'no-event') {
      this.#events.delete(id)
      return
    }
    const nowMs = monotonicMs()
    const [, , dueInMs] = reply
    event.dueMs = nowMs + Math.min(dueInMs + 1, CHECK_MS)
    if (nowMs - event.usedMs > FORGET_MS && dueInMs > FORGET_MS) this.#events.delete(id)
  }

  stop(): Promise<void> {
    this.#events.clear()
    return this.#loop.stop()
  }
}
