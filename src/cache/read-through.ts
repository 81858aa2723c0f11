import { toMs } from '../base/duration.ts'
import { loadBatch } from './batch.ts'
import { momentNow } from './flight.ts'
import { checkTags, type Load, type LoadMany, type ResolvedCacheOptions, type SetOptions } from './options.ts'
import type { Found, Reader } from './reader.ts'
import { type LoadPlan, mayLoadDespite, type Refill, type RefillRoom } from './refill.ts'
import { validLoad, validLoadMany } from './validation.ts'

export interface ReadThroughRoom extends RefillRoom {
  /** Throws when the cache was closed. */
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
    this.#skipsLook = room.options.staleMs === 0 && room.options.memory === undefined
  }

  /** How a call's load is to be made: its loader, its time, its tags and the cache's own. */
  plan(id: string, load: Load<unknown>, options: SetOptions | undefined): LoadPlan {
    const { ttl, tags } = options ?? {}
    const { schema } = this.#options.encoding
    return {
      load: schema === undefined ? (context) => load(id, context) : validLoad(schema, id, load),
      ttlMs: ttl === undefined ? undefined : toMs(ttl, 'ttl'),
      tags: tags === undefined ? this.#options.staticTags : this.#withStatic(checkTags('tags', tags)),
    }
  }

  #withStatic(tags: readonly string[]): readonly string[] {
    const { staticTags } = this.#options
    return staticTags.length === 0 ? tags : [...new Set([...staticTags, ...tags])]
  }

  /** The value of `id`, loaded under `plan` if need be. `came`: the moment the caller came. */
  async one(id: string, plan: LoadPlan | undefined, say?: (how: string) => void, came = momentNow()): Promise<unknown> {
    for (;;) {
      this.#room.enter()
      const flying = this.#refill.flying(id)
      if (flying !== undefined && !flying.behind && plan !== undefined) {
        const landed = await this.#refill.board(id, flying, came)
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
          return this.#withoutAnswer(id, plan, error, came, say)
        }
        if (found !== undefined) {
          this.#refill.noteLook(true)
          if (found.stale && plan !== undefined) this.#refreshBehind(id, plan)
          say?.(found.stale ? 'stale' : 'hit')
          return found.value
        }
      }
      this.counts.misses++
      if (plan === undefined) {
        say?.('miss')
        return undefined
      }
      const boarding = this.#refill.flying(id)
      // Many who miss the same are one miss.
      if (boarding === undefined && !skipLook) this.#refill.noteLook(false)
      const landed = await (boarding === undefined
        ? this.#refill.begin(id, plan, { behind: false, look: skipLook }).landing
        : this.#refill.board(id, boarding, came))
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
  ): Promise<unknown> {
    if (this.#options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
    this.counts.withoutRedis++
    say?.('without-redis')
    return plan === undefined ? undefined : this.#loadWithoutRedis(id, plan, came)
  }

  async #loadWithoutRedis(id: string, plan: LoadPlan, came: number): Promise<unknown> {
    for (;;) {
      const flying = this.#refill.flying(id)
      const flight = flying !== undefined && !flying.behind ? flying : this.#refill.beginWithoutRedis(id, plan)
      const landed = await this.#refill.board(id, flight, came)
      if (landed !== undefined) return landed.value
    }
  }

  #refreshBehind(id: string, plan: LoadPlan): void {
    if (this.#refill.flying(id) === undefined) this.#refill.begin(id, plan, { behind: true, look: false })
  }

  /** The values of many ids, each loaded by its own call or all by one. */
  async many(
    ids: readonly string[],
    loadMany: LoadMany<unknown> | undefined,
    options: SetOptions | undefined,
    say: (how: string) => void,
  ): Promise<Map<string, unknown>> {
    this.#room.enter()
    const came = momentNow()
    const answers = new Map<string, unknown>(ids.map((id) => [id, undefined]))
    const { load } = this.#options
    let missing: readonly string[]
    let reachable = true
    try {
      const refresh = (stale: readonly string[]) => {
        if (loadMany !== undefined)
          void this.#loadMissing(stale, loadMany, options, true, undefined, came).catch(() => {})
        else if (load !== undefined) for (const id of stale) this.#refreshBehind(id, this.plan(id, load, options))
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
    if (missing.length === 0) return answers
    if (loadMany !== undefined) await this.#loadMissing(missing, loadMany, options, reachable, answers, came)
    else if (load !== undefined)
      await Promise.all(
        missing.map(async (id) => {
          answers.set(id, await this.#loadOne(id, this.plan(id, load, options), reachable, came))
        }),
      )
    return answers
  }

  /** One call of `loadMany` for all that is missing and not being loaded already; without `answers`, behind stale values. */
  #loadMissing(
    missing: readonly string[],
    loadMany: LoadMany<unknown>,
    options: SetOptions | undefined,
    reachable: boolean,
    answers: Map<string, unknown> | undefined,
    came: number,
  ): Promise<void> {
    const { ttlMs, tags } = this.plan('', async () => undefined, options)
    const { schema } = this.#options.encoding
    if (schema !== undefined) loadMany = validLoadMany(schema, loadMany)
    return loadBatch(
      this.#room,
      this.#refill,
      missing,
      { loadMany, ttlMs, tags, reachable, behind: answers === undefined, came },
      (id, value) => answers?.set(id, value),
      (id, plan) => this.one(id, plan, undefined, came),
    )
  }

  async #loadOne(id: string, plan: LoadPlan, reachable: boolean, came: number): Promise<unknown> {
    if (!reachable) return this.#loadWithoutRedis(id, plan, came)
    const flight = this.#refill.flying(id) ?? this.#refill.begin(id, plan, { behind: false, look: false })
    const landed = await this.#refill.board(id, flight, came)
    return landed === undefined ? this.one(id, plan, undefined, came) : landed.value
  }
}
