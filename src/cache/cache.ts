import { unlessAborted } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, ConnectionError, ServerError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import { LeaseKeeper } from '../lease/lease.ts'
import { isOutage, type Redis } from '../redis/redis.ts'
import { aclRule } from '../redis/rights.ts'
import { loadBatch } from './batch.ts'
import { Entries, LEASE_MS } from './entries.ts'
import { momentNow } from './flight.ts'
import { decodeFrame, type Entry } from './frame.ts'
import { removeMatching, removeTags } from './invalidation.ts'
import { CacheKeys } from './keys.ts'
import { MemoryTier } from './memory.ts'
import { checkTags, type Load, type LoadMany, type ResolvedCacheOptions } from './options.ts'
import { type LoadPlan, mayLoadDespite, Refill, type RefillRoom } from './refill.ts'
import { cacheRights } from './rights.ts'
import { TagTable } from './tags.ts'
import { FillBell } from './waiting.ts'
import { persist } from './writing.ts'

export interface GetOptions {
  /** Stops waiting with `signal.reason`; a load that others share goes on. */
  readonly signal?: AbortSignal
}

export interface SetOptions extends GetOptions {
  /** How long this value is fresh. Default: the cache's `ttl`. */
  readonly ttl?: Duration
  /** Tags beside the cache's own. */
  readonly tags?: readonly string[]
}

/** What a cache did in this process since it was made. */
export interface CacheStats {
  readonly hits: { readonly memory: number; readonly redis: number; readonly stale: number }
  readonly misses: number
  /** Answered by a load that another caller of this process had begun. */
  readonly joined: number
  /** Answered by another process's load. */
  readonly waited: number
  readonly loads: number
  readonly loadFailures: number
  /** Loaded and not kept, because the entry was invalidated or written meanwhile. */
  readonly voided: number
  /** Answered without Redis, because it could not be asked. */
  readonly withoutRedis: number
  readonly memory: { readonly entries: number; readonly bytes: number }
}

/** What was found for an id: fresh, or stale and only to be served while it is refreshed. */
interface Found {
  readonly value: unknown
  readonly stale: boolean
}

const LONGEST_ID = 4096

const observedGet = new Observed('cache.get')
const observedGetMany = new Observed('cache.getMany')
const observedSet = new Observed('cache.set')
const observedInvalidate = new Observed('cache.invalidate')

/**
 * Values by id, read through Redis, with one load for many callers. Made by `hf.cache(name, options)`.
 *
 * promise  no value that was loaded before an invalidation of its key, tag, pattern or of all is served after that invalidation was
 *          acknowledged; with `memory`, not later than the stated bound after it
 */
export class Cache<T> {
  readonly name: string
  readonly #redis: Redis
  readonly #options: ResolvedCacheOptions
  readonly #keys: CacheKeys
  readonly #entries: Entries
  readonly #tags: TagTable
  readonly #room: RefillRoom
  readonly #refill: Refill
  readonly #memory: MemoryTier | undefined
  readonly #closing = new AbortController()
  readonly #skipsLook: boolean
  #hitsMemory = 0
  #hitsRedis = 0
  #hitsStale = 0
  #misses = 0
  #joined = 0
  #withoutRedis = 0
  #vetted = false

  /** @internal Made by `hf.cache`. */
  constructor(redis: Redis, name: string, options: ResolvedCacheOptions) {
    this.name = name
    this.#redis = redis
    this.#options = options
    this.#keys = new CacheKeys(redis.keyspace, name)
    this.#entries = new Entries(redis, this.#keys, options.fleet, aclRule(cacheRights(this.#keys)))
    // Twice the longest entry, so that an epoch outlives every entry that may carry it, also between two renewals.
    this.#tags = new TagTable(redis, this.#keys, 2 * Math.max(options.ttlMs + options.staleMs, 86_400_000))
    this.#memory =
      options.memory === undefined ? undefined : new MemoryTier(options.memory, redis.subscriber, this.#keys)
    this.#skipsLook = options.staleMs === 0 && options.memory === undefined
    this.#room = {
      redis,
      keys: this.#keys,
      options,
      entries: this.#entries,
      tags: this.#tags,
      bell: new FillBell(redis, this.#keys),
      keeper: new LeaseKeeper(redis, LEASE_MS, 'cache.renew'),
      signal: this.#closing.signal,
      usable: async (id, frame) => {
        const found = await this.#judge(id, decodeFrame(frame), undefined)
        return found === undefined || found.stale ? undefined : found
      },
    }
    this.#refill = new Refill(this.#room)
  }

  /**
   * The value of `id`: from memory, from Redis, or loaded by the cache's loader or by this call's.
   *
   * returns  T; `undefined` when there is neither a value nor a loader, or the loader gave none
   * throws   the loader's own error; with `whenDown: 'throw'` TIMEOUT or CONNECTION_LOST; `signal.reason`
   * costs    a hit: no round trip from memory, else one; a miss: three (two while nearly all miss)
   */
  get(id: string, options?: GetOptions): Promise<T>
  get(id: string, load: Load<T>, options?: SetOptions): Promise<T>
  get(id: string, second?: Load<T> | GetOptions, third?: SetOptions): Promise<T> {
    if (this.#memory !== undefined && !observedGet.heard) {
      const kept = this.#memory.get(id)
      if (kept !== undefined) {
        this.#hitsMemory++
        return Promise.resolve(kept.value as T)
      }
    }
    return this.#get(id, second, third) as Promise<T>
  }

  #get(id: string, second?: Load<T> | GetOptions, third?: SetOptions): Promise<unknown> {
    const load = typeof second === 'function' ? (second as Load<unknown>) : this.#options.load
    const options = typeof second === 'function' ? third : second
    let plan: LoadPlan | undefined
    try {
      checkId(id)
      plan = load === undefined ? undefined : this.#plan(id, load, options)
    } catch (error) {
      return Promise.reject(error)
    }
    const work = observedGet.heard
      ? observedGet.run({ cache: this.name, id }, (operation) =>
          this.#through(id, plan, (how) => (operation.outcome = how)),
        )
      : this.#through(id, plan)
    return options?.signal === undefined ? work : unlessAborted(work, options.signal)
  }

  #plan(id: string, load: Load<unknown>, options: SetOptions | undefined): LoadPlan {
    const { ttl, tags } = options ?? {}
    return {
      load: (context) => load(id, context),
      ttlMs: ttl === undefined ? undefined : toMs(ttl, 'ttl'),
      tags: tags === undefined ? this.#options.staticTags : this.#withStatic(checkTags('tags', tags)),
    }
  }

  #withStatic(tags: readonly string[]): readonly string[] {
    const { staticTags } = this.#options
    return staticTags.length === 0 ? tags : [...new Set([...staticTags, ...tags])]
  }

  async #through(
    id: string,
    plan: LoadPlan | undefined,
    say?: (how: string) => void,
    came = momentNow(),
  ): Promise<unknown> {
    for (;;) {
      this.#checkOpen()
      const flying = this.#refill.flying(id)
      if (flying !== undefined && !flying.behind && plan !== undefined) {
        const landed = await flying.board(came)
        if (landed === undefined) continue
        this.#joined++
        say?.('joined')
        return landed.value
      }
      const skipLook = this.#skipsLook && plan !== undefined && this.#refill.mostlyMisses
      if (!skipLook) {
        let found: Found | undefined
        try {
          found = await this.#look(id)
        } catch (error) {
          return this.#withoutAnswer(id, plan, error, came, say)
        }
        this.#refill.noteLook(found !== undefined)
        if (found !== undefined) {
          if (found.stale && plan !== undefined) this.#refreshBehind(id, plan)
          say?.(found.stale ? 'stale' : 'hit')
          return found.value
        }
      }
      this.#misses++
      if (plan === undefined) {
        say?.('miss')
        return undefined
      }
      const boarding = this.#refill.flying(id)
      const landed = await (boarding === undefined
        ? this.#refill.begin(id, plan, { behind: false, look: skipLook }).landing
        : boarding.board(came))
      if (landed === undefined) continue
      say?.('miss')
      return landed.value
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
    this.#withoutRedis++
    say?.('without-redis')
    return plan === undefined ? undefined : this.#loadWithoutRedis(id, plan, came)
  }

  async #loadWithoutRedis(id: string, plan: LoadPlan, came: number): Promise<unknown> {
    for (;;) {
      const flying = this.#refill.flying(id)
      const flight = flying !== undefined && !flying.behind ? flying : this.#refill.beginWithoutRedis(id, plan)
      const landed = await flight.board(came)
      if (landed !== undefined) return landed.value
    }
  }

  #refreshBehind(id: string, plan: LoadPlan): void {
    if (this.#refill.flying(id) === undefined) this.#refill.begin(id, plan, { behind: true, look: false })
  }

  /** What memory or Redis has for `id` and may be served. */
  async #look(id: string): Promise<Found | undefined> {
    const kept = this.#memory?.get(id)
    if (kept !== undefined) {
      this.#hitsMemory++
      return { value: kept.value, stale: false }
    }
    if (!this.#vetted) this.#vet()
    const guess = this.#tags.hint(id) ?? this.#options.staticTags
    const epochs = guess.length === 0 ? undefined : this.#tags.read(guess)
    epochs?.catch(() => {})
    const keep = this.#memory?.beginRead(id)
    try {
      const frame = await this.#entries.read(id)
      const entry = frame === null ? undefined : decodeFrame(frame)
      let found: Found | undefined
      // Most entries have no tags and nothing to wait for.
      if (entry !== undefined && epochs === undefined && entry.tags.length === 0) found = this.#inTime(entry)
      else if (entry !== undefined || epochs !== undefined)
        found = await this.#judge(id, entry, epochs === undefined ? undefined : { tags: guess, epochs })
      if (found !== undefined) {
        if (found.stale) this.#hitsStale++
        else this.#hitsRedis++
      }
      keep?.(found === undefined || found.stale || entry === undefined ? undefined : this.#toKeep(entry))
      return found
    } catch (error) {
      keep?.(undefined)
      // Not a text: somebody else's, and a miss like any other bytes that are not ours. The fill replaces it.
      if (error instanceof ServerError && error.reply === 'WRONGTYPE') return undefined
      throw error
    }
  }

  #inTime(entry: Entry): Found {
    const { staleMs } = this.#options
    return { value: entry.value, stale: staleMs > 0 && entry.staleAtMs <= this.#redis.serverNowMs() }
  }

  #toKeep(entry: Entry) {
    const { value, bytes, staleAtMs, tags } = entry
    return { value, bytes, freshMs: staleAtMs - this.#redis.serverNowMs(), tags: tags.map(({ tag }) => tag) }
  }

  /** Whether an entry may be served: its tags still have their epochs, and its time is not over. */
  async #judge(
    id: string,
    entry: Entry | undefined,
    guess: { readonly tags: readonly string[]; readonly epochs: Promise<readonly (string | null)[]> } | undefined,
  ): Promise<Found | undefined> {
    if (entry === undefined) return undefined
    const { tags } = entry
    if (tags.length > 0 || guess !== undefined) this.#tags.remember(id, tags, guess?.tags)
    if (tags.length > 0) {
      const guessed = guess?.tags.length === tags.length && tags.every(({ tag }, i) => guess.tags[i] === tag)
      const epochs = await (guessed ? guess.epochs : this.#tags.read(tags.map(({ tag }) => tag)))
      if (!TagTable.fresh(tags, epochs)) return undefined
    }
    return this.#inTime(entry)
  }

  /**
   * The values of many ids, in the order asked, each id once. The misses are loaded by one call of `loadMany`, or of `load` each.
   *
   * returns  a Map with every id; `undefined` where there is no value
   * costs    one round trip for the look; two more for what is missing, whatever their number
   */
  getMany(
    ids: Iterable<string>,
    second?: LoadMany<T> | GetOptions,
    third?: SetOptions,
  ): Promise<Map<string, T | undefined>> {
    const wanted = [...new Set(ids)]
    for (const id of wanted) checkId(id)
    const loadMany = typeof second === 'function' ? (second as LoadMany<unknown>) : this.#options.loadMany
    const options = typeof second === 'function' ? third : second
    const work = observedGetMany.run({ cache: this.name, count: wanted.length }, (operation) =>
      this.#getMany(wanted, loadMany, options, (how) => (operation.outcome = how)),
    )
    return unlessAborted(work, options?.signal) as Promise<Map<string, T | undefined>>
  }

  async #getMany(
    ids: readonly string[],
    loadMany: LoadMany<unknown> | undefined,
    options: SetOptions | undefined,
    say: (how: string) => void,
  ): Promise<Map<string, unknown>> {
    const came = momentNow()
    const answers = new Map<string, unknown>(ids.map((id) => [id, undefined]))
    const { load } = this.#options
    let missing: readonly string[]
    let reachable = true
    try {
      missing = await this.#lookMany(ids, answers, (stale) => {
        if (loadMany !== undefined)
          void this.#loadMissing(stale, loadMany, options, true, undefined, came).catch(() => {})
        else if (load !== undefined) for (const id of stale) this.#refreshBehind(id, this.#plan(id, load, options))
      })
    } catch (error) {
      if (this.#options.whenDown === 'throw' || !mayLoadDespite(error)) throw error
      this.#withoutRedis++
      missing = ids
      reachable = false
    }
    say(missing.length === 0 ? 'hit' : missing.length === ids.length ? 'miss' : 'partial')
    this.#misses += missing.length
    if (missing.length === 0) return answers
    if (loadMany !== undefined) await this.#loadMissing(missing, loadMany, options, reachable, answers, came)
    else if (load !== undefined)
      await Promise.all(
        missing.map(async (id) => {
          answers.set(id, await this.#loadOne(id, this.#plan(id, load, options), reachable, came))
        }),
      )
    return answers
  }

  /** Fills `answers` with what memory and Redis have, and answers the ids that are missing. */
  async #lookMany(
    ids: readonly string[],
    answers: Map<string, unknown>,
    onStale: (ids: readonly string[]) => void,
  ): Promise<readonly string[]> {
    this.#checkOpen()
    if (!this.#vetted) this.#vet()
    const asked = this.#memory === undefined ? ids : ids.filter((id) => !this.#fromMemory(id, answers))
    if (asked.length === 0) return []
    const keeps = this.#memory === undefined ? undefined : asked.map((id) => this.#memory?.beginRead(id))
    let frames: readonly (Buffer | null)[]
    try {
      frames = await this.#entries.readMany(asked)
    } catch (error) {
      for (const keep of keeps ?? []) keep?.(undefined)
      throw error
    }
    const missing: string[] = []
    const stale: string[] = []
    await Promise.all(
      frames.map((frame, i) => {
        const id = asked[i] as string
        const entry = frame === null ? undefined : decodeFrame(frame)
        const take = (found: Found | undefined) => {
          keeps?.[i]?.(found === undefined || found.stale || entry === undefined ? undefined : this.#toKeep(entry))
          if (found === undefined) return void missing.push(id)
          if (found.stale) stale.push(id)
          answers.set(id, found.value)
        }
        // Most entries have no tags, and no reason to wait for anything.
        if (entry === undefined) return take(undefined)
        if (entry.tags.length > 0 || this.#options.staleMs > 0)
          return this.#judge(id, entry, undefined).then(take, (error) => {
            keeps?.[i]?.(undefined)
            throw error
          })
        return take({ value: entry.value, stale: false })
      }),
    )
    this.#hitsRedis += asked.length - missing.length - stale.length
    this.#hitsStale += stale.length
    if (stale.length > 0) onStale(stale)
    return missing
  }

  #fromMemory(id: string, answers: Map<string, unknown>): boolean {
    const kept = this.#memory?.get(id)
    if (kept === undefined) return false
    this.#hitsMemory++
    answers.set(id, kept.value)
    return true
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
    const { ttlMs, tags } = this.#plan('', async () => undefined, options)
    return loadBatch(
      this.#room,
      this.#refill,
      missing,
      { loadMany, ttlMs, tags, reachable, behind: answers === undefined, came },
      (id, value) => answers?.set(id, value),
      (id, plan) => this.#through(id, plan, undefined, came),
    )
  }

  async #loadOne(id: string, plan: LoadPlan, reachable: boolean, came: number): Promise<unknown> {
    if (!reachable) return this.#loadWithoutRedis(id, plan, came)
    const flight = this.#refill.flying(id) ?? this.#refill.begin(id, plan, { behind: false, look: false })
    const landed = await flight.board(came)
    return landed === undefined ? this.#through(id, plan, undefined, came) : landed.value
  }

  /** The value of `id` if there is one; never loads. While Redis cannot be asked: `undefined`, or with `whenDown: 'throw'` its error. */
  async peek(id: string, options?: GetOptions): Promise<T | undefined> {
    checkId(id)
    this.#checkOpen()
    try {
      return (await unlessAborted(this.#look(id), options?.signal))?.value as T | undefined
    } catch (error) {
      if (this.#options.whenDown === 'throw' || !isOutage(error)) throw error
      return undefined
    }
  }

  /**
   * Writes a value, and voids a load of it that is under way. With `write` it is persisted first.
   *
   * throws  the error of `persist`, and then nothing is cached; TIMEOUT, CONNECTION_LOST, SERVER_FULL when Redis did not take it
   */
  async set(id: string, value: T, options: SetOptions = {}): Promise<void> {
    checkId(id)
    this.#checkOpen()
    if (value === undefined) throw new ConfigError('value', 'anything but undefined, which means "not there"', value)
    const plan = this.#plan(id, async () => value, options)
    const work = observedSet.run({ cache: this.name, id }, async () => {
      if (this.#options.write !== undefined) await persist(this.#options.write, id, value, options.signal)
      this.#forget(id)
      await this.#store(id, value, plan)
      this.#forget(id)
    })
    await unlessAborted(work, options.signal)
  }

  async #store(id: string, value: unknown, plan: LoadPlan): Promise<void> {
    try {
      const tags = this.#refill.tagsOf(id, value, plan.tags)
      const stamps = tags.length === 0 ? [] : (await this.#tags.begin(tags, plan.ttlMs)).stamps
      const { lifeMs, frame } = this.#refill.frame(value, plan.ttlMs, stamps)
      await this.#entries.put(id, lifeMs, frame)
    } catch (error) {
      // A full server takes no new value, but lets go of the old one, which the caller knows to be out of date.
      if (error instanceof ServerError && error.code === 'SERVER_FULL')
        await this.#entries.remove(id, 'cache.set').catch(() => {})
      throw error
    }
  }

  /** Removes the value of `id`, and voids a load of it that is under way. Rejects when that could not be confirmed. */
  async delete(id: string): Promise<void> {
    checkId(id)
    await this.#invalidate('delete', { id }, async () => {
      this.#forget(id)
      await this.#entries.remove(id, 'cache.delete')
      this.#forget(id)
    })
  }

  /** Makes every value that carries one of these tags stale, at the same cost for one or a million. Rejects when not confirmed. */
  async invalidateTag(tag: string | readonly string[]): Promise<void> {
    const tags = checkTags('tag', typeof tag === 'string' ? [tag] : tag)
    if (tags.length === 0) return
    await this.#invalidate('invalidateTag', { tags }, async () => {
      await this.#tags.invalidate(tags)
      this.#memory?.forgetTags(tags)
    })
  }

  /**
   * Removes every value whose id matches a glob: `*`, `?`, `[a-z]`, and `\` before a literal. Other callers' commands run in between.
   *
   * returns  how many were removed
   * costs    two SCANs over the whole keyspace of each primary: 1.6 ms for each 1,000 keys that the server holds
   */
  async invalidatePattern(pattern: string): Promise<number> {
    if (typeof pattern !== 'string') throw new ConfigError('pattern', 'a glob', pattern)
    return this.#removeMatching('invalidatePattern', pattern)
  }

  /** Removes every value of this cache, and nothing else. */
  async clear(): Promise<void> {
    await this.#removeMatching('clear', '*')
    await removeTags(this.#redis, this.#keys, 'cache.clear')
  }

  async #removeMatching(verb: string, pattern: string): Promise<number> {
    const { matches } = this.#keys.glob(pattern)
    const forget = () => {
      this.#memory?.forgetWhere(matches)
      this.#refill.detachWhere(matches)
    }
    return this.#invalidate(verb, { pattern }, async () => {
      forget()
      const removed = await removeMatching(this.#redis, this.#keys, pattern, `cache.${verb}`)
      forget()
      return removed
    })
  }

  #invalidate<R>(verb: string, fields: Record<string, unknown>, work: () => Promise<R>): Promise<R> {
    this.#checkOpen()
    return observedInvalidate.run({ cache: this.name, verb, ...fields }, work)
  }

  #forget(id: string): void {
    this.#memory?.forget(id)
    this.#refill.detach(id)
  }

  get stats(): CacheStats {
    const { loads, failures, voided, waited } = this.#refill.counts
    return {
      hits: { memory: this.#hitsMemory, redis: this.#hitsRedis, stale: this.#hitsStale },
      misses: this.#misses,
      joined: this.#joined,
      waited,
      loads,
      loadFailures: failures,
      voided,
      withoutRedis: this.#withoutRedis,
      memory: { entries: this.#memory?.size ?? 0, bytes: this.#memory?.bytes ?? 0 },
    }
  }

  #vet(): void {
    this.#vetted = true
    const sample = this.#keys.entry('')
    this.#redis.vet('cache', 'cache', cacheRights(this.#keys), sample, this.#keys.channel).catch(() => {})
  }

  #checkOpen(): void {
    if (this.#closing.signal.aborted) throw new ConnectionError('CONNECTION_CLOSED', 'cache', 'close() was called')
  }

  /** @internal Called by `hf.close()`. */
  close(): void {
    this.#closing.abort()
    this.#room.keeper.stop()
    this.#memory?.close()
  }
}

function checkId(id: unknown): void {
  if (typeof id !== 'string' || id.length > LONGEST_ID)
    throw new ConfigError('id', `a string of at most ${LONGEST_ID} letters`, id)
}
