import { toMs } from '../base/duration.ts'
import { type BatchPlan, loadBatch } from './batch.ts'
import { momentNow } from './flight.ts'
import type { LoadPlan } from './load-plan.ts'
import {
  checkTags,
  type Load,
  type LoadMany,
  loadAsOne,
  type ResolvedCacheOptions,
  type SetOptions,
} from './options.ts'
import type { Party } from './party.ts'
import type { Due, Found, Reader } from './reader.ts'
import { mayLoadDespite, type Refill } from './refill.ts'
import type { RefillRoom } from './refill-room.ts'
import { validLoad, validLoadMany } from './validation.ts'

export interface ReadThroughRoom extends RefillRoom {
  /** Every use of the cache comes through here: refused once it is closed; the first has the server looked at. */
  enter(): void
}

/** Look, and if there is nothing, load: for one id and for many, also while Redis cannot be asked. */
export class ReadThrough {
  readonly counts = { misses: 0, joined: 0, withoutRedis: 0 }
  readonly #room: ReadThroughRoom
  readonly #options: ResolvedCacheOptions
  readonly #reader: Reader
  readonly #refill: Refill
  /** Where a stale value or memory may serve, the look comes first in any case. */
  readonly #skipsLook: boolean

  constructor(room: ReadThroughRoom, reader: Reader, refill: Refill) {
    this.#room = room
    this.#options = room.options
    this.#reader = reader
    this.#refill = refill
    // With write-behind a look finds also what is not in its entry.
    const isBehind = room.options.write?.behind !== undefined
    this.#skipsLook = room.options.staleMs === 0 && room.options.memory === undefined && !isBehind
  }

  /** How a call's load is to be made: its loader, its time, its tags and the cache's own. */
  plan(id: string, load: Load<unknown>, options: SetOptions | undefined): LoadPlan {
    const { ttl, tags } = options ?? {}
    const { schema } = this.#options.encoding
    return {
      load: schema === undefined ? (context) => load(id, context) : validLoad(schema, id, load),
      loader: load,
      ttlMs: ttl === undefined ? undefined : toMs(ttl, 'ttl'),
      tags: tags === undefined ? this.#options.staticTags : this.#withStatic(checkTags('tags', tags)),
    }
  }

  #withStatic(tags: readonly string[]): readonly string[] {
    const { staticTags } = this.#options
    return staticTags.length === 0 ? tags : [...new Set([...staticTags, ...tags])]
  }

  /**
   * The value of `id`, loaded under `plan` if need be. `came`: the moment the caller came; `party`: through which he may leave, and then
   * the answer is nobody's.
   */
  async one(
    id: string,
    plan: LoadPlan | undefined,
    say?: (how: string) => void,
    came = momentNow(),
    party?: Party,
  ): Promise<unknown> {
    for (;;) {
      this.#room.enter()
      if (party?.gone) return undefined
      const flying = this.#refill.flying(id)
      if (flying !== undefined && !flying.behind && plan !== undefined) {
        const landed = await this.#refill.board(id, flying, came, party)
        if (landed === undefined) continue
        this.counts.joined++
        say?.('joined')
        return landed.value
      }
      const skipLook = this.#skipsLook && plan !== undefined && this.#refill.mostlyMisses
      if (!skipLook) {
        let found: Found | undefined
        try {
          found = await this.#reader.look(id, plan === undefined)
        } catch (error) {
          return this.#withoutAnswer(id, plan, error, came, say, party)
        }
        if (found !== undefined) {
          this.#refill.noteLook(true)
          if (found.due > 0 && plan !== undefined) {
            if (found.stale && this.#options.softMs > 0) return this.#freshIfSoon(id, plan, found, came, say)
            this.#refreshBehind(id, plan, found.due, !found.stale)
          }
          say?.(found.stale ? 'stale' : 'hit')
          return found.value
        }
      }
      this.counts.misses++
      if (plan === undefined) {
        say?.('miss')
        return undefined
      }
      if (party?.gone) return undefined
      const boarding = this.#refill.flying(id)
      // Many who miss the same are one miss.
      if (boarding === undefined && !skipLook) this.#refill.noteLook(false)
      const landed = await (boarding === undefined
        ? this.#refill.begin(id, plan, { behind: false, look: skipLook }, party).landing
        : this.#refill.boardAlone(id, boarding, came, party))
      if (landed === undefined) continue
      say?.('miss')
      return landed.value
    }
  }

  /** Loads `id` anew, though there may be a value, which others are served meanwhile. `accept`: another process's value that will do. */
  async renew(id: string, plan: LoadPlan, accept: (value: unknown) => boolean): Promise<unknown> {
    const came = momentNow()
    for (;;) {
      this.#room.enter()
      const flying = this.#refill.flying(id)
      const landed = await (flying === undefined
        ? this.#refill.begin(id, plan, { behind: true, look: false, accept }).landing
        : this.#refill.board(id, flying, came))
      if (landed !== undefined) return landed.value
    }
  }

  /** Redis could not be asked. */
  async #withoutAnswer(
    id: string,
    plan: LoadPlan | undefined,
    error: unknown,
    came: number,
    say?: (how: string) => void,
    party?: Party,
  ): Promise<unknown> {
    if (this.#options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
    this.counts.withoutRedis++
    say?.('without-redis')
    return plan === undefined ? undefined : this.#loadWithoutRedis(id, plan, came, party)
  }

  async #loadWithoutRedis(id: string, plan: LoadPlan, came: number, party?: Party): Promise<unknown> {
    for (;;) {
      if (party?.gone) return undefined
      const flying = this.#refill.flying(id)
      const boarded = flying !== undefined && !flying.behind
      const landed = await (boarded
        ? this.#refill.board(id, flying, came, party)
        : this.#refill.beginWithoutRedis(id, plan, party).board(came))
      if (landed !== undefined) return landed.value
    }
  }

  #refreshBehind(id: string, plan: LoadPlan, due: number, early: boolean): void {
    if (this.#refill.flying(id) === undefined) this.#refill.begin(id, plan, { behind: true, look: false, due, early })
  }

  /** A fresh value if its load ends before the soft timeout; else the stale one, and the load goes on behind. */
  async #freshIfSoon(
    id: string,
    plan: LoadPlan,
    found: Found,
    came: number,
    say?: (how: string) => void,
  ): Promise<unknown> {
    const how = { behind: true, look: false, due: found.due, awaited: true }
    const flight = this.#refill.flying(id) ?? this.#refill.begin(id, plan, how)
    const landed = await within(this.#options.softMs, this.#refill.board(id, flight, came))
    if (landed !== undefined) {
      this.#reader.hits.stale--
      this.counts.misses++
    }
    say?.(landed === undefined ? 'stale' : 'miss')
    return landed === undefined ? found.value : landed.value
  }

  /** The values of many ids, each loaded by its own call or all by one. */
  async many(
    ids: readonly string[],
    loadMany: LoadMany<unknown> | undefined,
    options: SetOptions | undefined,
    say: (how: string) => void,
    party?: Party,
  ): Promise<Map<string, unknown>> {
    this.#room.enter()
    const came = momentNow()
    const answers = new Map<string, unknown>(ids.map((id) => [id, undefined]))
    const { load } = this.#options
    let missing: readonly string[]
    let reachable = true
    let soon: Promise<unknown> | undefined
    const landing = this.#refill.flyingOf(ids)
    try {
      const refresh = (stale: readonly string[], early: readonly Due[]) => {
        for (const { id, due } of early) {
          const plan = this.#planOfOne(id, loadMany, load, options)
          if (plan !== undefined) this.#refreshBehind(id, plan, due, true)
        }
        if (stale.length > 0) soon = this.#refreshMany(stale, loadMany, options, answers, came)
      }
      missing = await this.#reader.lookMany(ids, answers, refresh, loadMany === undefined && load === undefined)
    } catch (error) {
      if (this.#options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
      this.counts.withoutRedis++
      missing = ids
      reachable = false
    }
    say(missing.length === 0 ? 'hit' : missing.length === ids.length ? 'miss' : 'partial')
    this.counts.misses += missing.length
    if (missing.length > 0 && !party?.gone) {
      // One server may have answered before such a load has landed, and another one after it.
      const look = landing.some((id) => this.#refill.flying(id) === undefined)
      if (loadMany !== undefined)
        await this.#loadMissing(missing, loadMany, options, reachable, look, answers, came, party)
      else if (load !== undefined)
        await Promise.all(
          missing.map(async (id) => {
            answers.set(id, await this.#loadOne(id, this.plan(id, load, options), reachable, look, came, party))
          }),
        )
    }
    await soon
    return answers
  }

  #planOfOne(
    id: string,
    loadMany: LoadMany<unknown> | undefined,
    load: Load<unknown> | undefined,
    options: SetOptions | undefined,
  ): LoadPlan | undefined {
    if (loadMany === undefined) return load && this.plan(id, load, options)
    return { ...this.plan(id, (_, context) => loadAsOne(id, loadMany, context), options), loader: loadMany }
  }

  /** Refreshes stale values behind; where they may be waited for, until the fresh ones are among `answers` or it takes too long. */
  #refreshMany(
    stale: readonly string[],
    loadMany: LoadMany<unknown> | undefined,
    options: SetOptions | undefined,
    answers: Map<string, unknown>,
    came: number,
  ): Promise<unknown> | undefined {
    const { load, softMs } = this.#options
    let late = softMs === 0
    const take = (id: string, value: unknown) => {
      if (!late && value !== undefined) answers.set(id, value)
    }
    const works: Promise<unknown>[] = []
    if (loadMany !== undefined) {
      const how = { reachable: true, look: false, behind: true, came, party: undefined }
      works.push(this.#loadAll(stale, loadMany, options, how, take))
    } else if (load !== undefined)
      for (const id of stale) {
        const plan = this.plan(id, load, options)
        // Whatever is fresh by then was refreshed by another.
        const how = { behind: true, look: false, due: 1, awaited: !late }
        const flight = this.#refill.flying(id) ?? this.#refill.begin(id, plan, how)
        works.push(this.#refill.board(id, flight, came).then((landed) => take(id, landed?.value)))
      }
    const ended = Promise.allSettled(works)
    if (late) return undefined
    return within(softMs, ended).finally(() => {
      late = true
    })
  }

  /** One call of `loadMany` for all that is missing and not being loaded already. */
  #loadMissing(
    missing: readonly string[],
    loadMany: LoadMany<unknown>,
    options: SetOptions | undefined,
    reachable: boolean,
    look: boolean,
    answers: Map<string, unknown>,
    came: number,
    party: Party | undefined,
  ): Promise<void> {
    const take = (id: string, value: unknown) => void answers.set(id, value)
    return this.#loadAll(missing, loadMany, options, { reachable, look, behind: false, came, party }, take)
  }

  #loadAll(
    ids: readonly string[],
    loadMany: LoadMany<unknown>,
    options: SetOptions | undefined,
    how: Omit<BatchPlan, 'loadMany' | 'ttlMs' | 'tags'>,
    take: (id: string, value: unknown) => void,
  ): Promise<void> {
    const { ttlMs, tags } = this.plan('', async () => undefined, options)
    const { schema } = this.#options.encoding
    if (schema !== undefined) loadMany = validLoadMany(schema, loadMany)
    const again = (id: string, plan: LoadPlan) => this.one(id, plan, undefined, how.came, how.party)
    return loadBatch(this.#room, this.#refill, ids, { ...how, loadMany, ttlMs, tags }, take, again)
  }

  async #loadOne(
    id: string,
    plan: LoadPlan,
    reachable: boolean,
    look: boolean,
    came: number,
    party?: Party,
  ): Promise<unknown> {
    if (!reachable) return this.#loadWithoutRedis(id, plan, came, party)
    const flying = this.#refill.flying(id)
    const landed = await (flying === undefined
      ? this.#refill.begin(id, plan, { behind: false, look }, party).board(came)
      : this.#refill.boardAlone(id, flying, came, party))
    return landed === undefined ? this.one(id, plan, undefined, came, party) : landed.value
  }
}

/** What `work` answers within `ms`; undefined when it takes longer or fails. */
async function within<T>(ms: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([work.catch(() => undefined), late])
  } finally {
    clearTimeout(timer)
  }
}
