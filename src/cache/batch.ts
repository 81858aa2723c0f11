import { monotonicMs } from '../base/clock.ts'
import { ConfigError, describe } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { releaseLeases, TOKEN_LENGTH } from '../lease/lease.ts'
import { isOutage } from '../redis/redis.ts'
import type { FilledEntry } from './entries.ts'
import { type Flight, type Landing, markMoment } from './flight.ts'
import type { TagStamp } from './frame.ts'
import type { LoadMany } from './options.ts'
import { type LoadPlan, mayLoadDespite, type Refill, type RefillRoom } from './refill.ts'
import type { TagMoment } from './tags.ts'

/** How many ids are to be loaded at once. */
export interface BatchPlan {
  readonly loadMany: LoadMany<unknown>
  readonly ttlMs: number | undefined
  readonly tags: readonly string[]
  /** False while Redis cannot be asked: no leases, nothing is stored. */
  readonly reachable: boolean
  /** True when stale values are being served meanwhile. */
  readonly behind: boolean
  /** When the caller came. */
  readonly came: number
}

/** One id of a batch: its flight, which others may board, and how to land it. */
interface Passenger {
  readonly id: string
  readonly flight: Flight
  readonly land: (landing: Landing | Promise<Landing>) => void
  readonly crash: (error: unknown) => void
}

/**
 * Loads many ids by one call of the loader, under a lease for each: the same promise as for one id, at two round trips for all.
 * Ids that are being loaded already are waited for, not loaded again.
 */
export async function loadBatch(
  room: RefillRoom,
  refill: Refill,
  ids: readonly string[],
  plan: BatchPlan,
  onValue: (id: string, value: unknown) => void,
  again: (id: string, plan: LoadPlan) => Promise<unknown>,
): Promise<void> {
  const passengers: Passenger[] = []
  const boarded: Promise<void>[] = []
  for (const id of ids) {
    const flying = refill.flying(id)
    if (flying !== undefined && (!flying.behind || plan.behind)) {
      if (!plan.behind) boarded.push(board(id, flying, plan, onValue, again))
    } else passengers.push(launch(refill, id, plan.behind))
  }
  const flown = passengers.length === 0 ? undefined : fly(room, refill, passengers, plan)
  const own = passengers.map(async ({ id, flight }) => onValue(id, (await flight.landing).value))
  await Promise.all([flown, ...own, ...boarded])
}

async function board(
  id: string,
  flying: Flight,
  plan: BatchPlan,
  onValue: (id: string, value: unknown) => void,
  again: (id: string, plan: LoadPlan) => Promise<unknown>,
): Promise<void> {
  const landed = await flying.board(plan.came)
  onValue(id, landed === undefined ? await again(id, planForOne(id, plan)) : landed.value)
}

function launch(refill: Refill, id: string, behind: boolean): Passenger {
  let land: Passenger['land'] = () => {}
  let crash: Passenger['crash'] = () => {}
  const landing = new Promise<Landing>((resolve, reject) => {
    land = resolve
    crash = reject
  })
  return { id, flight: refill.launch(id, behind, () => landing), land, crash }
}

async function fly(room: RefillRoom, refill: Refill, passengers: readonly Passenger[], plan: BatchPlan): Promise<void> {
  try {
    if (!plan.reachable) return await flyWithoutLease(refill, passengers, plan)
    const tagged = room.options.dynamicTags !== undefined || plan.tags.length > 0
    const token = randomId(TOKEN_LENGTH)
    const askedMs = monotonicMs()
    let answers: Awaited<ReturnType<RefillRoom['entries']['lease']>>
    let moment: TagMoment | undefined
    try {
      const ids = passengers.map(({ id }) => id)
      const asked = room.entries.lease(ids, token, false)
      if (tagged) [moment] = await Promise.all([room.tags.begin(plan.tags), asked])
      answers = await asked
    } catch (error) {
      if (room.options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
      return await flyWithoutLease(refill, passengers, plan)
    }
    const byToken = new Map<string, Passenger[]>()
    passengers.forEach((passenger, i) => {
      const answer = answers[i]
      if (answer?.state === 'held' && room.options.fleet) {
        // Another process loads this one: wait for it as a single caller would.
        passenger.land(refill.fly(passenger.id, planForOne(passenger.id, plan), passenger.flight, true))
      } else if (answer !== undefined && answer.state !== 'value') {
        const others = byToken.get(answer.token)
        if (others === undefined) byToken.set(answer.token, [passenger])
        else others.push(passenger)
      }
    })
    if (byToken.size > 0) await flyUnder(room, refill, byToken, token, askedMs, plan, moment)
  } catch (error) {
    for (const { crash } of passengers) crash(error)
    throw error
  }
}

async function flyWithoutLease(refill: Refill, passengers: readonly Passenger[], plan: BatchPlan): Promise<void> {
  const goodBefore = markMoment()
  const values = await load(refill, passengers, plan)
  passengers.forEach(({ land }, i) => {
    land({ value: values[i], goodBefore })
  })
}

async function flyUnder(
  room: RefillRoom,
  refill: Refill,
  byToken: ReadonlyMap<string, readonly Passenger[]>,
  token: string,
  askedMs: number,
  plan: BatchPlan,
  moment: TagMoment | undefined,
): Promise<void> {
  const { redis, keys, options } = room
  const loading = [...byToken.values()].flat()
  const own = (byToken.get(token) ?? []).map(({ id }) => keys.lease(id))
  const held = own.length === 0 ? undefined : room.keeper.hold(own, token, askedMs)
  const loadMoment = markMoment()
  try {
    const values = await load(refill, loading, plan)
    const loaded = new Map(loading.map(({ id }, i) => [id, values[i]]))
    const fillMoment = markMoment()
    const filled = await settle(room, refill, byToken, loaded, plan, moment)
    if (filled !== undefined) refill.counts.voided += loading.length - filled.size
    for (const { id, land } of loading) {
      const goodBefore = filled?.has(id) ? fillMoment : loadMoment
      land({ value: loaded.get(id), goodBefore })
    }
  } catch (error) {
    if (options.fleet) releaseLeases(redis, own, token, keys.channel, 'cache.release').catch(() => {})
    throw error
  } finally {
    if (held !== undefined) room.keeper.letGo(held)
  }
}

/** Stores what was loaded; answers the ids whose lease stood, or undefined when Redis could not be asked. */
async function settle(
  room: RefillRoom,
  refill: Refill,
  byToken: ReadonlyMap<string, readonly Passenger[]>,
  loaded: ReadonlyMap<string, unknown>,
  plan: BatchPlan,
  moment: TagMoment | undefined,
): Promise<ReadonlySet<string> | undefined> {
  const { entries, redis, keys, options, tags } = room
  const stood = new Set<string>()
  try {
    const tagsOf = new Map<string, readonly string[]>()
    if (moment !== undefined)
      for (const [id, value] of loaded) if (value !== undefined) tagsOf.set(id, refill.tagsOf(id, value, plan.tags))
    const all = [...new Set([...tagsOf.values()].flat())]
    const stamps = all.length === 0 || moment === undefined ? [] : await tags.settle(all, moment)
    const stampOf = new Map((stamps ?? []).map((stamp) => [stamp.tag, stamp]))
    await Promise.all(
      [...byToken].map(async ([token, passengers]) => {
        const fills: FilledEntry[] = []
        const empty: string[] = []
        for (const { id } of passengers) {
          const value = loaded.get(id)
          if (value === undefined || stamps === undefined) empty.push(id)
          else {
            const own = (tagsOf.get(id) ?? []).map((tag) => stampOf.get(tag) as TagStamp)
            fills.push({ id, ...refill.frame(value, plan.ttlMs, own) })
          }
        }
        if (fills.length > 0) for (const id of await entries.fill(token, fills)) stood.add(id)
        if (empty.length > 0) {
          const channel = options.fleet ? keys.channel : ''
          const leases = empty.map((id) => keys.lease(id))
          const count = await releaseLeases(redis, leases, token, channel, 'cache.release')
          // Nothing to store, and nothing was invalidated meanwhile: as good as stored.
          if (stamps !== undefined && count === empty.length) for (const id of empty) stood.add(id)
        }
      }),
    )
    return stood
  } catch (error) {
    if (!mayLoadDespite(error)) throw error
    // The server refused: the values are there, only not kept. Nor need others wait for these leases.
    if (!isOutage(error) && options.fleet)
      for (const [token, passengers] of byToken) {
        const leases = passengers.map(({ id }) => keys.lease(id))
        releaseLeases(redis, leases, token, keys.channel, 'cache.release').catch(() => {})
      }
    return isOutage(error) ? undefined : stood
  }
}

/** One call of the loader, answered in the order of the passengers. */
async function load(refill: Refill, passengers: readonly Passenger[], plan: BatchPlan): Promise<readonly unknown[]> {
  const ids = passengers.map(({ id }) => id)
  return inOrder(ids, await refill.runLoader((context) => plan.loadMany(ids, context)))
}

function inOrder(ids: readonly string[], loaded: unknown): readonly unknown[] {
  if (loaded instanceof Map) return ids.map((id) => loaded.get(id))
  if (Array.isArray(loaded) && loaded.length === ids.length) return loaded
  const received = Array.isArray(loaded) ? `an array of ${loaded.length}` : describe(loaded)
  throw new ConfigError('loadMany', `a Map by id, or an array of ${ids.length} in the order of the ids`, received)
}

function planForOne(id: string, plan: BatchPlan): LoadPlan {
  return {
    load: async (context) => inOrder([id], await plan.loadMany([id], context))[0],
    ttlMs: plan.ttlMs,
    tags: plan.tags,
  }
}
