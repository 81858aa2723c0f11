import { monotonicMs } from '../base/clock.ts'
import { randomId } from '../base/id.ts'
import { releaseLeases, TOKEN_LENGTH } from '../lease/lease.ts'
import { isOutage } from '../redis/redis.ts'
import type { FilledEntry, LeaseAnswer } from './entries.ts'
import { Flight, type Landing, markMoment } from './flight.ts'
import type { TagStamp } from './frame.ts'
import type { LoadPlan } from './load-plan.ts'
import type { Loading } from './loading.ts'
import { inOrder, type LoadMany, loadAsOne } from './options.ts'
import type { Party } from './party.ts'
import { mayLoadDespite, type Refill } from './refill.ts'
import type { RefillRoom } from './refill-room.ts'
import type { TagMoment } from './tags.ts'

/** How many ids are to be loaded at once. */
export interface BatchPlan {
  readonly loadMany: LoadMany<unknown>
  readonly ttlMs: number | undefined
  readonly tags: readonly string[]
  /** False while Redis cannot be asked: no leases, nothing is stored. */
  readonly reachable: boolean
  /** True when some may have come since they were looked for. */
  readonly look: boolean
  /** True when stale values are being served meanwhile. */
  readonly behind: boolean
  /** When the caller came. */
  readonly came: number
  /** Through whom the callers may leave. */
  readonly party: Party | undefined
}

/** By id, how it ended; a promise for one that another process is loading. */
type Landings = ReadonlyMap<string, Landing | Promise<Landing>>

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
  const own: string[] = []
  const boarded: Promise<void>[] = []
  for (const id of ids) {
    const flying = refill.flying(id)
    if (flying === undefined || (flying.behind && !plan.behind)) own.push(id)
    else if (!plan.behind) boarded.push(board(refill, id, flying, plan, onValue, again))
  }
  if (own.length > 0) {
    const landings = launch(room, refill, own, plan)
    // Those who boarded reject with it too; one rejection is enough for the caller.
    for (const waiting of boarded) waiting.catch(() => {})
    for (const [id, landing] of await landings) onValue(id, (await landing).value)
  }
  await Promise.all(boarded)
}

async function board(
  refill: Refill,
  id: string,
  flying: Flight,
  plan: BatchPlan,
  onValue: (id: string, value: unknown) => void,
  again: (id: string, plan: LoadPlan) => Promise<unknown>,
): Promise<void> {
  const landed = await refill.board(id, flying, plan.came, plan.party)
  onValue(id, landed === undefined ? await again(id, planForOne(id, plan)) : landed.value)
}

/** One flight for all of them; each id can be boarded, and only those that are cost a promise of their own. */
function launch(room: RefillRoom, refill: Refill, ids: readonly string[], plan: BatchPlan): Promise<Landings> {
  const loading = refill.newLoad()
  if (!plan.behind) take(loading, plan.party)
  const landings = refill.landingsOf(ids, plan.behind, loading, fly(room, refill, ids, plan, loading))
  const flights = ids.map((id) => {
    const land = () => landings.then((all) => all.get(id) as Landing | Promise<Landing>)
    const flight = new Flight(plan.behind, loading, land)
    refill.announce(id, flight)
    return flight
  })
  const end = (all?: Landings) =>
    ids.forEach((id, i) => {
      const over = () => refill.end(id, flights[i] as Flight)
      const landing = all?.get(id)
      if (landing instanceof Promise) landing.then(over, over)
      else over()
    })
  landings.then(end, () => end())
  return landings
}

function take(loading: Loading, party: Party | undefined): void {
  if (party === undefined) loading.join()
  else party.await(loading)
}

async function fly(
  room: RefillRoom,
  refill: Refill,
  ids: readonly string[],
  plan: BatchPlan,
  loading: Loading,
): Promise<Landings> {
  if (!plan.reachable) return flyWithoutLease(refill, ids, plan, loading)
  const token = randomId(TOKEN_LENGTH)
  const askedMs = monotonicMs()
  let answers: readonly LeaseAnswer[]
  let moment: TagMoment | undefined
  try {
    const asked = room.entries.lease(ids, token, plan.look ? 'instead' : 'none')
    if (refill.tagged({ tags: plan.tags, loader: plan.loadMany }))
      [moment] = await Promise.all([room.tags.begin(plan.tags, plan.ttlMs), asked])
    answers = await asked
  } catch (error) {
    if (room.options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
    return flyWithoutLease(refill, ids, plan, loading)
  }
  const landings = new Map<string, Landing | Promise<Landing>>()
  const byToken = new Map<string, string[]>()
  const fenced: string[] = []
  ids.forEach((id, i) => {
    const answer = answers[i] as LeaseAnswer
    if (answer.state === 'fenced') fenced.push(id)
    else if (answer.state === 'value' || (answer.state === 'held' && room.options.fleet)) {
      // It is there by now, or another process loads it: looked at, or waited for, as by a single caller.
      const own = refill.newLoad()
      take(own, plan.party)
      const flown = refill.fly(id, planForOne(id, plan), { behind: plan.behind, look: true }, own)
      const landing = refill.landingOf(id, plan.behind, own, flown)
      landing.catch(() => {})
      landings.set(id, landing)
    } else {
      const others = byToken.get(answer.token)
      if (others === undefined) byToken.set(answer.token, [id])
      else others.push(id)
    }
  })
  refill.counts.fenced += fenced.length
  if (byToken.size + fenced.length > 0)
    await flyUnder(room, refill, byToken, fenced, { token, askedMs, moment }, plan, loading, landings)
  return landings
}

async function flyWithoutLease(
  refill: Refill,
  ids: readonly string[],
  plan: BatchPlan,
  loading: Loading,
): Promise<Landings> {
  const goodBefore = markMoment()
  const values = await load(refill, ids, plan, loading)
  return new Map(ids.map((id, i) => [id, { value: values[i], goodBefore }]))
}

async function flyUnder(
  room: RefillRoom,
  refill: Refill,
  byToken: ReadonlyMap<string, readonly string[]>,
  /** Those of which nothing may be stored. */
  fenced: readonly string[],
  lease: { readonly token: string; readonly askedMs: number; readonly moment: TagMoment | undefined },
  plan: BatchPlan,
  loading: Loading,
  landings: Map<string, Landing | Promise<Landing>>,
): Promise<void> {
  const { redis, keys, options } = room
  const { token, askedMs, moment } = lease
  const leased = [...byToken.values()].flat()
  const ids = [...leased, ...fenced]
  const own = (byToken.get(token) ?? []).map((id) => keys.lease(id))
  const held = own.length === 0 ? undefined : room.keeper.hold(own, token, askedMs)
  if (held !== undefined) loading.onOver = () => room.keeper.letGo(held)
  const loadMoment = markMoment()
  try {
    const startMs = monotonicMs()
    const values = await load(refill, ids, plan, loading)
    const costMs = monotonicMs() - startMs
    const loaded = new Map(ids.map((id, i) => [id, values[i]]))
    const fillMoment = markMoment()
    const filled = await settle(room, refill, byToken, loaded, plan, moment, loading, costMs)
    const skipped = leased.filter((id) => loading.said(id).skipped).length
    if (filled !== undefined) refill.counts.voided += leased.length - skipped - filled.size
    for (const [id, value] of loaded) landings.set(id, { value, goodBefore: filled?.has(id) ? fillMoment : loadMoment })
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
  byToken: ReadonlyMap<string, readonly string[]>,
  loaded: ReadonlyMap<string, unknown>,
  plan: BatchPlan,
  moment: TagMoment | undefined,
  loading: Loading,
  costMs: number,
): Promise<ReadonlySet<string> | undefined> {
  const { entries, redis, keys, options, tags } = room
  const stood = new Set<string>()
  try {
    const tagsOf = new Map<string, readonly string[]>()
    /** Whose tags nobody had expected, so that their state before the load is not known. */
    const unexpected = new Set<string>()
    let longestMs = plan.ttlMs
    for (const [id, value] of loaded) {
      const said = loading.said(id)
      if (value === undefined || said.skipped) continue
      if (said.ttlMs !== undefined) longestMs = Math.max(longestMs ?? 0, said.ttlMs)
      if (moment !== undefined) tagsOf.set(id, refill.tagsOf(id, value, [...plan.tags, ...(said.tags ?? [])]))
      else if (said.tags !== undefined && said.tags.length > 0) unexpected.add(id)
    }
    if (unexpected.size > 0) refill.expectTags()
    const all = [...new Set([...tagsOf.values()].flat())]
    const stamps = all.length === 0 || moment === undefined ? [] : await tags.settle(all, moment, longestMs)
    const stampOf = new Map((stamps ?? []).map((stamp) => [stamp.tag, stamp]))
    await Promise.all(
      [...byToken].map(async ([token, ids]) => {
        const fills: FilledEntry[] = []
        const empty: string[] = []
        for (const id of ids) {
          const value = loaded.get(id)
          const { ttlMs, skipped } = loading.said(id)
          if (value === undefined || skipped || unexpected.has(id) || stamps === undefined) empty.push(id)
          else {
            const own = (tagsOf.get(id) ?? []).map((tag) => stampOf.get(tag) as TagStamp)
            fills.push({ id, ...refill.frame(value, ttlMs ?? plan.ttlMs, own, ttlMs !== undefined, costMs) })
          }
        }
        if (fills.length > 0) for (const id of await entries.fill(token, fills)) stood.add(id)
        if (empty.length > 0) {
          const channel = options.fleet ? keys.channel : ''
          const leases = empty.map((id) => keys.lease(id))
          const count = await releaseLeases(redis, leases, token, channel, 'cache.release')
          // Nothing to store, and nothing was invalidated meanwhile: as good as stored.
          if (stamps !== undefined && count === empty.length)
            for (const id of empty) if (loaded.get(id) === undefined) stood.add(id)
        }
      }),
    )
    return stood
  } catch (error) {
    if (!mayLoadDespite(error)) throw error
    // The server refused: the values are there, only not kept. Nor need others wait for these leases.
    if (!isOutage(error) && options.fleet)
      for (const [token, ids] of byToken) {
        const leases = ids.map((id) => keys.lease(id))
        releaseLeases(redis, leases, token, keys.channel, 'cache.release').catch(() => {})
      }
    return isOutage(error) ? undefined : stood
  }
}

/** One call of the loader, answered in the order of the ids. */
async function load(
  refill: Refill,
  ids: readonly string[],
  plan: BatchPlan,
  loading: Loading,
): Promise<readonly unknown[]> {
  return inOrder(ids, await refill.runLoader(ids, () => plan.loadMany(ids, loading.contextOfMany()), loading))
}

function planForOne(id: string, { loadMany, ttlMs, tags }: BatchPlan): LoadPlan {
  return { load: (context) => loadAsOne(id, loadMany, context), loader: loadMany, ttlMs, tags }
}
