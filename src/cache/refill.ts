import { monotonicMs } from '../base/clock.ts'
import { ServerError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { type LeaseKeeper, releaseLeases, TOKEN_LENGTH } from '../lease/lease.ts'
import { isOutage, type Redis } from '../redis/redis.ts'
import type { Entries, LeaseAnswer } from './entries.ts'
import { Flight, type Landing, markMoment } from './flight.ts'
import { encodeFrame, type TagStamp } from './frame.ts'
import type { CacheKeys } from './keys.ts'
import { Loaders } from './loaders.ts'
import { checkTags, type LoadContext, type ResolvedCacheOptions } from './options.ts'
import type { TagMoment, TagTable } from './tags.ts'
import type { FillBell } from './waiting.ts'

/** How one id is to be loaded, by the cache's own loader or by the call's. */
export interface LoadPlan {
  readonly load: (context: LoadContext) => unknown
  readonly ttlMs: number | undefined
  readonly tags: readonly string[]
}

export interface LoadManner {
  readonly behind: boolean
  readonly look: boolean
  readonly accept?: (value: unknown) => boolean
}

export interface RefillRoom {
  readonly redis: Redis
  readonly keys: CacheKeys
  readonly options: ResolvedCacheOptions
  readonly entries: Entries
  readonly tags: TagTable
  readonly bell: FillBell
  readonly keeper: LeaseKeeper
  readonly signal: AbortSignal
  /**
   * The value in a frame, if it may be served without loading: it can be read, its tags stand, it is not stale. `counts`: why not, for
   * nobody has looked before.
   */
  usable(id: string, frame: Buffer, counts: boolean): Promise<{ readonly value: unknown } | undefined>
}

/** What loads and fills so far: for figures, not for decisions. */
export interface RefillCounts {
  loads: number
  failures: number
  /** Loaded, and not kept: its entry was invalidated or written meanwhile. */
  voided: number
  /** Answered by another process's load. */
  waited: number
  /** Nobody had looked, and the value was there when the lease was asked for: a hit. */
  found: number
  /** Begun while `mutate` was changing its entry, and so not kept. */
  fenced: number
}

/**
 * Loads what is missing: one load per id in this process, with `fleet` one in all, under a lease that every invalidation voids, so
 * that what was loaded before an invalidation is never stored after it.
 */
export class Refill {
  readonly counts: RefillCounts = { loads: 0, failures: 0, voided: 0, waited: 0, found: 0, fenced: 0 }
  readonly #room: RefillRoom
  readonly #loaders: Loaders
  readonly #flights = new Map<string, Flight>()
  /** True while nearly every look misses: the lease script then looks as well, and saves the round trip before it. */
  #missesInRow = 0

  constructor(room: RefillRoom) {
    this.#room = room
    this.#loaders = new Loaders(room.options.concurrency, room.signal)
  }

  /** The load of `id` that a caller may board, if there is one. */
  flying(id: string): Flight | undefined {
    return this.#flights.get(id)
  }

  /** Puts a flight in the air for `id`; whoever comes meanwhile may board it. */
  launch(id: string, behind: boolean, land: () => Promise<Landing>): Flight {
    const flight = new Flight(behind, land)
    this.#flights.set(id, flight)
    const end = () => this.end(id, flight)
    flight.landing.then(end, end)
    return flight
  }

  /** Lets callers board a flight whose end somebody else sees to. */
  announce(id: string, flight: Flight): void {
    this.#flights.set(id, flight)
  }

  /** The flight has landed: who comes now looks in Redis again. */
  end(id: string, flight: Flight): void {
    if (this.#flights.get(id) === flight) this.#flights.delete(id)
    this.#loaders.ended(id)
  }

  /** Waits for a flight that somebody else launched, for a caller who came at `came`; undefined when it is not good for him. */
  board(id: string, flight: Flight, came: number): Promise<{ readonly value: unknown } | undefined> {
    this.#loaders.boarded(id)
    return flight.board(came)
  }

  /** Callers who come from now on do not board: what the flight brings may be older than what they must see. */
  detach(id: string): void {
    this.#flights.delete(id)
  }

  detachWhere(matches: (id: string) => boolean): void {
    for (const id of this.#flights.keys()) if (matches(id)) this.#flights.delete(id)
  }

  /**
   * Loads `id` under a lease. `behind`: a stale value is being served meanwhile. `look`: nobody has looked in Redis yet. `accept`: what
   * is there is to be replaced, unless this says that it will do.
   */
  begin(id: string, plan: LoadPlan, how: LoadManner): Flight {
    return this.launch(id, how.behind, () => this.fly(id, plan, how))
  }

  /** Loads `id` while Redis cannot be asked: no lease, nothing is stored. */
  beginWithoutRedis(id: string, plan: LoadPlan): Flight {
    return this.launch(id, false, () => this.#loadUnleased(id, plan))
  }

  async #loadDespite(error: unknown, id: string, plan: LoadPlan): Promise<Landing> {
    if (this.#room.options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
    // A server that refuses the script may still answer a plain read: the next caller had better look again.
    this.#missesInRow = 0
    return this.#loadUnleased(id, plan)
  }

  /** Loads what cannot or must not be stored: nobody who comes after the loader began may have it. */
  async #loadUnleased(id: string, plan: LoadPlan): Promise<Landing> {
    const goodBefore = markMoment()
    return { value: await this.runLoader([id], plan.load), goodBefore }
  }

  /** The whole way of one flight: lease, load, fill; or another's load that was waited for. */
  async fly(id: string, plan: LoadPlan, how: LoadManner): Promise<Landing> {
    const { entries, tags, bell, options } = this.#room
    const tagged = options.dynamicTags !== undefined || plan.tags.length > 0
    let look = how.accept === undefined && (options.fleet || how.look)
    if (options.fleet) void bell.listen()
    for (;;) {
      const token = randomId(TOKEN_LENGTH)
      const ring = options.fleet ? bell.next(id) : undefined
      const readMoment = markMoment()
      const askedMs = monotonicMs()
      let moment: TagMoment | undefined
      let answer: LeaseAnswer
      try {
        const asked = entries.leaseOne(id, token, look)
        if (tagged) [moment] = await Promise.all([tags.begin(plan.tags, plan.ttlMs), asked])
        answer = await asked
      } catch (error) {
        ring?.cancel()
        return await this.#loadDespite(error, id, plan)
      }
      if (answer.state === 'value') {
        ring?.cancel()
        let found: Awaited<ReturnType<RefillRoom['usable']>>
        try {
          found = await this.#room.usable(id, answer.frame, how.look)
        } catch (error) {
          return await this.#loadDespite(error, id, plan)
        }
        this.noteLook(found !== undefined)
        if (found !== undefined && how.accept?.(found.value) !== false) {
          if (how.look) this.counts.found++
          return { value: found.value, goodBefore: readMoment }
        }
        look = false
      } else if (answer.state === 'fenced') {
        ring?.cancel()
        this.counts.fenced++
        // Of a stale value that serves nobody any more.
        if (how.behind && how.accept === undefined) return { value: undefined, goodBefore: 0 }
        return await this.#loadUnleased(id, plan)
      } else if (answer.state === 'held' && options.fleet) {
        // Somebody else refreshes it, and until then the stale value serves.
        if (how.behind && how.accept === undefined) {
          ring?.cancel()
          return { value: undefined, goodBefore: 0 }
        }
        this.counts.waited++
        await ring?.rung
        look = true
      } else {
        ring?.cancel()
        return await this.#flyUnder(id, answer.token, askedMs, plan, moment)
      }
    }
  }

  async #flyUnder(
    id: string,
    token: string,
    askedMs: number,
    plan: LoadPlan,
    moment: TagMoment | undefined,
  ): Promise<Landing> {
    const { keeper, keys } = this.#room
    const held = keeper.hold([keys.lease(id)], token, askedMs)
    const loadMoment = markMoment()
    try {
      const value = await this.runLoader([id], plan.load)
      const fillMoment = markMoment()
      const stood = await this.#settle(id, value, token, plan, moment)
      if (stood === false) this.counts.voided++
      return { value, goodBefore: stood === true ? fillMoment : loadMoment }
    } catch (error) {
      // Others need not wait for a lease whose load has failed; that this may fail too changes nothing for them.
      if (this.#room.options.fleet) void this.#release(id, token).catch(() => {})
      throw error
    } finally {
      keeper.letGo(held)
    }
  }

  /** Stores a loaded value. True: its lease stood. False: voided. 'unknown': Redis could not be asked. */
  async #settle(
    id: string,
    value: unknown,
    token: string,
    plan: LoadPlan,
    moment: TagMoment | undefined,
  ): Promise<boolean | 'unknown'> {
    const { entries } = this.#room
    try {
      if (value === undefined) return await this.#release(id, token)
      const stamps = moment === undefined ? [] : await this.stamp(id, value, plan, moment)
      if (stamps === undefined) {
        if (this.#room.options.fleet) await this.#release(id, token)
        return false
      }
      const { lifeMs, frame } = this.frame(value, plan.ttlMs, stamps)
      return await entries.fillOne(token, id, lifeMs, frame)
    } catch (error) {
      if (!mayLoadDespite(error)) throw error
      // The value is there, only not kept. Nor need others wait for this lease.
      if (!isOutage(error) && this.#room.options.fleet) void this.#release(id, token).catch(() => {})
      return isOutage(error) ? 'unknown' : false
    }
  }

  /** The stamps for a loaded value, or undefined when one of its tags was invalidated since the load began. */
  async stamp(id: string, value: unknown, plan: LoadPlan, moment: TagMoment): Promise<readonly TagStamp[] | undefined> {
    const all = this.tagsOf(id, value, plan.tags)
    return all.length === 0 ? [] : this.#room.tags.settle(all, moment, plan.ttlMs)
  }

  /** Every tag of a value: the given ones and those its cache derives from it. */
  tagsOf(id: string, value: unknown, given: readonly string[]): readonly string[] {
    const { dynamicTags } = this.#room.options
    if (dynamicTags === undefined || value === null) return given
    const derived = dynamicTags(value, id)
    return checkTags('tags', given.length === 0 || !Array.isArray(derived) ? derived : [...given, ...derived])
  }

  /** A value's frame, and how long Redis keeps it. */
  frame(
    value: unknown,
    ttlMs: number | undefined,
    stamps: readonly TagStamp[],
  ): { lifeMs: number; frame: string | Buffer } {
    const { options, redis } = this.#room
    const fullMs = value === null ? options.nullTtlMs : (ttlMs ?? options.ttlMs)
    const freshMs = Math.max(
      1,
      Math.round(options.jitter === 0 ? fullMs : fullMs * (1 - Math.random() * options.jitter)),
    )
    const lifeMs = freshMs + (value === null ? 0 : options.staleMs)
    return { lifeMs, frame: encodeFrame(value, redis.serverNowMs() + freshMs, stamps, 0, options.encoding) }
  }

  async #release(id: string, token: string): Promise<boolean> {
    const { redis, keys, options } = this.#room
    const count = await releaseLeases(
      redis,
      [keys.lease(id)],
      token,
      options.fleet ? keys.channel : '',
      'cache.release',
    )
    return count === 1
  }

  /** Runs the loader of `ids`, under the bound on loads at work if there is one. */
  async runLoader<R>(ids: readonly string[], load: (context: LoadContext) => R): Promise<Awaited<R>> {
    const { signal } = this.#room
    try {
      return await this.#loaders.run(ids, () => {
        this.counts.loads++
        return load({ signal })
      })
    } catch (error) {
      this.counts.failures++
      throw error
    }
  }

  /** Tells how a look at Redis ended, and whether the next one had better ask for a lease at once. */
  noteLook(found: boolean): void {
    this.#missesInRow = found ? 0 : this.#missesInRow + 1
  }

  get mostlyMisses(): boolean {
    return this.#missesInRow >= MISSES_TO_SKIP_LOOK
  }
}

const MISSES_TO_SKIP_LOOK = 16

/** Errors of Redis that leave the loader as an answer. */
export function mayLoadDespite(error: unknown): boolean {
  return isOutage(error) || error instanceof ServerError
}
