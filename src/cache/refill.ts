import { monotonicMs } from '../base/clock.ts'
import { ServerError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { releaseLeases, TOKEN_LENGTH } from '../lease/lease.ts'
import { isOutage } from '../redis/redis.ts'
import type { LeaseAnswer, LeaseRead } from './entries.ts'
import { Flight, type Landing, markMoment } from './flight.ts'
import { encodeFrame, type TagStamp } from './frame.ts'
import { isRefusal, LoadGuard } from './guard.ts'
import { type FlightPlan, type Lease, type LoadPlan, mentionsTags, type Present } from './load-plan.ts'
import { Loaders } from './loaders.ts'
import type { Loading, Said } from './loading.ts'
import { checkTags } from './options.ts'
import type { Party } from './party.ts'
import type { RefillCounts, RefillRoom } from './refill-room.ts'
import type { TagMoment } from './tags.ts'

/**
 * Loads what is missing: one load per id in this process, with `fleet` one in all, under a lease that every invalidation voids, so
 * that what was loaded before an invalidation is never stored after it.
 */
export class Refill {
  readonly counts: RefillCounts = {
    loads: 0,
    failures: 0,
    timeouts: 0,
    voided: 0,
    waited: 0,
    found: 0,
    fenced: 0,
    refused: 0,
  }
  readonly #room: RefillRoom
  readonly #loaders: Loaders
  readonly #guard: LoadGuard
  readonly #flights = new Map<string, Flight>()
  /** True while nearly every look misses: the lease script then looks as well, and saves the round trip before it. */
  #missesInRow = 0
  /** Loaders give tags: then the tags' state is noted before each load. */
  #loadersTag: boolean

  constructor(room: RefillRoom) {
    this.#room = room
    this.#loaders = new Loaders(room.options.concurrency, room.signal)
    this.#guard = new LoadGuard(room.breaker, room.options.fallback, room.signal)
    this.#loadersTag = mentionsTags(room.options.load) || mentionsTags(room.options.loadMany)
  }

  newLoad(): Loading {
    return this.#loaders.newLoad(this.#room.name, this.#room.options.hardMs, this.counts)
  }

  /** The load of `id` that a caller may board, if there is one. */
  flying(id: string): Flight | undefined {
    const flight = this.#flights.get(id)
    return flight?.load.isOver ? undefined : flight
  }

  /** Those of `ids` that are being loaded. */
  flyingOf(ids: readonly string[]): readonly string[] {
    return this.#flights.size === 0 ? NONE : ids.filter((id) => this.flying(id) !== undefined)
  }

  /** Puts a flight in the air for `id`; whoever comes meanwhile may board it. */
  #launch(id: string, behind: boolean, party: Party | undefined, land: (load: Loading) => Promise<Landing>): Flight {
    const load = this.newLoad()
    const flight = new Flight(behind, load, () => this.landingOf(id, behind, load, land(load)))
    this.#flights.set(id, flight)
    if (!behind) flight.take(party)
    const end = () => this.end(id, flight)
    flight.landing.then(end, end)
    return flight
  }

  /** How a load ends for who waits for it: in time, and where nothing is being served meanwhile, by the fallback if it fails. */
  landingOf(id: string, behind: boolean, load: Loading, work: Promise<Landing>): Promise<Landing> {
    const landing = load.within(work)
    return behind ? landing : this.#guard.orFallback(id, load, landing)
  }

  /** The same of many. */
  landingsOf<L>(ids: readonly string[], behind: boolean, load: Loading, work: Promise<ReadonlyMap<string, L>>) {
    const landings = load.within(work)
    return behind ? landings : this.#guard.orFallbacks(ids, load, landings)
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
  board(id: string, flight: Flight, came: number, party?: Party): Promise<{ readonly value: unknown } | undefined> {
    this.#loaders.boarded(id)
    flight.take(party)
    return flight.board(came)
  }

  /** The same for a caller who has nothing else: also of a flight that was launched behind, which has no fallback of its own. */
  boardAlone(
    id: string,
    flight: Flight,
    came: number,
    party?: Party,
  ): Promise<{ readonly value: unknown } | undefined> {
    const landed = this.board(id, flight, came, party)
    return flight.behind ? this.#guard.orFallback(id, flight.load, landed) : landed
  }

  /** Callers who come from now on do not board: what the flight brings may be older than what they must see. */
  detach(id: string): void {
    this.#flights.delete(id)
  }

  detachWhere(matches: (id: string) => boolean): void {
    for (const id of this.#flights.keys()) if (matches(id)) this.#flights.delete(id)
  }

  /** Loads `id` under a lease; `party`: who waits for it. */
  begin(id: string, plan: LoadPlan, how: FlightPlan, party?: Party): Flight {
    return this.#launch(id, how.behind, party, (load) => this.fly(id, plan, how, load))
  }

  /** Loads `id` while Redis cannot be asked: no lease, nothing is stored. */
  beginWithoutRedis(id: string, plan: LoadPlan, party?: Party): Flight {
    return this.#launch(id, false, party, (load) => this.#loadUnleased(id, plan, load))
  }

  async #loadDespite(error: unknown, id: string, plan: LoadPlan, load: Loading): Promise<Landing> {
    if (this.#room.options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
    // Nobody has looked: ask as usual again, or a value that is there would be passed over while the server refuses leases.
    this.#missesInRow = 0
    return this.#loadUnleased(id, plan, load)
  }

  /** Loads what cannot or must not be stored: nobody who comes after the loader began may have it. */
  async #loadUnleased(id: string, plan: LoadPlan, load: Loading): Promise<Landing> {
    const goodBefore = markMoment()
    return { value: await this.runLoader([id], () => plan.load(load.contextOfOne(id, undefined)), load), goodBefore }
  }

  /** The whole way of one flight: lease, load, fill; or another's load that was waited for. */
  async fly(id: string, plan: LoadPlan, how: FlightPlan, load: Loading): Promise<Landing> {
    const { entries, tags, bell, options } = this.#room
    const { due, accept } = how
    const renews = due !== undefined || accept !== undefined
    let read: LeaseRead = renews ? 'beside' : options.fleet || how.look ? 'instead' : 'none'
    if (options.fleet) void bell.listen()
    for (;;) {
      load.throwIfOver()
      const token = randomId(TOKEN_LENGTH)
      const ring = options.fleet ? bell.next(id) : undefined
      const readMoment = markMoment()
      const askedMs = monotonicMs()
      let moment: TagMoment | undefined
      let answer: LeaseAnswer
      let present: Present | undefined
      try {
        const asked = entries.leaseOne(id, token, read, how.early || options.fleet)
        if (this.tagged(plan)) [moment] = await Promise.all([tags.begin(plan.tags, plan.ttlMs), asked])
        answer = await asked
        const frame = answer.state === 'fenced' ? undefined : answer.frame
        if (frame !== undefined) present = await this.#room.present(id, frame, how.look && answer.state === 'value')
        // Its own tags are to live on with it, if it does.
        if (
          frame !== undefined &&
          present !== undefined &&
          present.tags.length > 0 &&
          moment === undefined &&
          answer.state !== 'value'
        ) {
          moment = await tags.begin(plan.tags, plan.ttlMs)
          present = await this.#room.present(id, frame, false)
        }
      } catch (error) {
        ring?.cancel()
        return await this.#loadDespite(error, id, plan, load)
      }
      if (answer.state === 'value') {
        ring?.cancel()
        const fresh = present?.stale === false
        this.noteLook(fresh)
        if (
          fresh &&
          (due === undefined || (present as Present).staleAtMs > due) &&
          accept?.(present?.value) !== false
        ) {
          if (how.look) this.counts.found++
          return { value: present?.value, goodBefore: readMoment }
        }
        read = renews ? 'beside' : 'none'
      } else if (answer.state === 'fenced') {
        ring?.cancel()
        this.counts.fenced++
        // Of a stale value that serves nobody any more.
        if (how.behind && accept === undefined) return { value: undefined, goodBefore: 0 }
        return await this.#loadUnleased(id, plan, load)
      } else if (answer.state === 'held' && (options.fleet || how.early)) {
        // Somebody else refreshes it, and until then what is there serves.
        if (how.behind && !how.awaited && accept === undefined) {
          ring?.cancel()
          return { value: undefined, goodBefore: 0 }
        }
        this.counts.waited++
        load.startClock()
        await ring?.rung
        read = 'instead'
      } else {
        ring?.cancel()
        // Refreshed by another since it was found due.
        if (due !== undefined && present?.stale === false && present.staleAtMs > due) {
          void this.#release(id, answer.token).catch(() => {})
          return { value: present.value, goodBefore: readMoment }
        }
        return await this.#flyUnder(id, { token: answer.token, askedMs, readMoment, moment, present }, plan, load)
      }
    }
  }

  async #flyUnder(id: string, lease: Lease, plan: LoadPlan, load: Loading): Promise<Landing> {
    const { keeper, keys } = this.#room
    const { token, present } = lease
    const held = keeper.hold([keys.lease(id)], token, lease.askedMs)
    // A loader that never answers must not keep the others waiting for ever.
    load.onOver = () => keeper.letGo(held)
    const loadMoment = markMoment()
    try {
      const startMs = monotonicMs()
      const loaded = await this.runLoader([id], () => plan.load(load.contextOfOne(id, present?.value)), load)
      const costMs = monotonicMs() - startMs
      const fillMoment = markMoment()
      const said = load.said(id)
      const value = said.unchanged ? present?.value : loaded
      const stood = await this.#settle(id, value, lease, plan, said, costMs)
      if (stood === false) this.counts.voided++
      // What is kept as it was is no younger than the lease, unless that stood to the end.
      const begun = said.unchanged ? lease.readMoment : loadMoment
      return { value, goodBefore: stood === true ? fillMoment : begun }
    } catch (error) {
      // Others need not wait for a lease whose load has failed; that this may fail too changes nothing for them.
      if (this.#room.options.fleet) void this.#release(id, token).catch(() => {})
      throw error
    } finally {
      keeper.letGo(held)
    }
  }

  /** Stores a loaded value. True: its lease stood. False: voided. 'unknown': Redis could not be asked, or must not be told. */
  async #settle(
    id: string,
    value: unknown,
    { token, moment, present }: Lease,
    plan: LoadPlan,
    said: Said,
    costMs: number,
  ): Promise<boolean | 'unknown'> {
    const { entries } = this.#room
    const ttlMs = said.ttlMs ?? plan.ttlMs
    try {
      if (value === undefined) return await this.#release(id, token)
      if (said.skipped) {
        await this.#release(id, token)
        // Its tags were not looked at again: good for those alone who came before the load.
        return 'unknown'
      }
      const given = joined(plan.tags, said.tags, said.unchanged ? present?.tags.map(({ tag }) => tag) : undefined)
      if (moment === undefined && given.length > 0) {
        this.#loadersTag = true
        await this.#release(id, token)
        return 'unknown'
      }
      const stamps = moment === undefined ? [] : await this.#stamp(id, value, given, ttlMs, moment)
      if (stamps === undefined) {
        if (this.#room.options.fleet) await this.#release(id, token)
        return false
      }
      const { lifeMs, frame } = this.frame(value, ttlMs, stamps, said.ttlMs !== undefined, costMs)
      return await entries.fillOne(token, id, lifeMs, frame)
    } catch (error) {
      if (!mayLoadDespite(error)) throw error
      // The value is there, only not kept. Nor need others wait for this lease.
      if (!isOutage(error) && this.#room.options.fleet) void this.#release(id, token).catch(() => {})
      return isOutage(error) ? 'unknown' : false
    }
  }

  /** True when the tags' state has to be known before the load: there are tags, or its loader gives some. */
  tagged(plan: { readonly tags: readonly string[]; readonly loader: unknown }): boolean {
    const { options } = this.#room
    if (this.#loadersTag || options.dynamicTags !== undefined || plan.tags.length > 0) return true
    return plan.loader !== options.load && plan.loader !== options.loadMany && mentionsTags(plan.loader)
  }

  /** A loader gave tags, and nobody had expected it: what it loaded cannot be kept, but from now on it is expected. */
  expectTags(): void {
    this.#loadersTag = true
  }

  /** The stamps for a loaded value, or undefined when one of its tags was invalidated since the load began. */
  async #stamp(
    id: string,
    value: unknown,
    given: readonly string[],
    ttlMs: number | undefined,
    moment: TagMoment,
  ): Promise<readonly TagStamp[] | undefined> {
    const all = this.tagsOf(id, value, given)
    return all.length === 0 ? [] : this.#room.tags.settle(all, moment, ttlMs)
  }

  /** Every tag of a value: the given ones and those its cache derives from it. */
  tagsOf(id: string, value: unknown, given: readonly string[]): readonly string[] {
    const { dynamicTags } = this.#room.options
    if (dynamicTags === undefined || value === null) return given
    const derived = dynamicTags(value, id)
    return checkTags('tags', given.length === 0 || !Array.isArray(derived) ? derived : [...given, ...derived])
  }

  /** A value's frame, and how long Redis keeps it. `nullToo`: the time is meant for `null` as well. */
  frame(
    value: unknown,
    ttlMs: number | undefined,
    stamps: readonly TagStamp[],
    nullToo = false,
    costMs = 0,
  ): { lifeMs: number; frame: string | Buffer } {
    const { options, redis } = this.#room
    const fullMs = value === null && !nullToo ? options.nullTtlMs : (ttlMs ?? options.ttlMs)
    const freshMs = Math.max(
      1,
      Math.round(options.jitter === 0 ? fullMs : fullMs * (1 - Math.random() * options.jitter)),
    )
    const lifeMs = freshMs + (value === null ? 0 : options.staleMs)
    const cost = options.early > 0 ? costMs : 0
    return { lifeMs, frame: encodeFrame(value, redis.serverNowMs() + freshMs, stamps, cost, options.encoding) }
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

  /** Runs the loader of `ids`, under the bound on loads at work if there is one, and outside of any request. */
  async runLoader<R>(ids: readonly string[], work: () => R, load: Loading): Promise<Awaited<R>> {
    const { requests } = this.#room
    load.startClock()
    try {
      return await this.#loaders.run(ids, () => {
        load.throwIfOver()
        return this.#guard.call(() => {
          this.counts.loads++
          return requests.outside(work)
        }, load)
      })
    } catch (error) {
      load.fail(error)
      if (isRefusal(error)) this.counts.refused++
      else if (!load.isOver) this.counts.failures++
      throw error
    } finally {
      load.answered()
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
const NONE: readonly string[] = []

const joined = (...lists: readonly (readonly string[] | undefined)[]): readonly string[] => {
  const given = lists.filter((list) => list !== undefined && list.length > 0) as (readonly string[])[]
  return given.length < 2 ? (given[0] ?? []) : [...new Set(given.flat())]
}

/** Errors of Redis that leave the loader as an answer. */
export function mayLoadDespite(error: unknown): boolean {
  return isOutage(error) || error instanceof ServerError
}
