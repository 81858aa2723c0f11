import { unlessAborted } from '../base/clock.ts'
import { ConfigError, ConnectionError, ServerError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import { LeaseKeeper } from '../lease/lease.ts'
import { isOutage, type Redis } from '../redis/redis.ts'
import { aclRule, type Rights } from '../redis/rights.ts'
import { Entries, LEASE_MS } from './entries.ts'
import { decodeFrame } from './frame.ts'
import { type CacheStats, cacheStats } from './inspect.ts'
import { removeMatching, removeTags } from './invalidation.ts'
import { CacheKeys } from './keys.ts'
import type { LoadPlan } from './load-plan.ts'
import { MemoryTier } from './memory.ts'
import {
  checkCallOptions,
  checkTags,
  type GetOptions,
  type Load,
  type LoadMany,
  type ResolvedCacheOptions,
  type SetOptions,
  type SureLoad,
} from './options.ts'
import type { Party } from './party.ts'
import { RequestLayer, type Requests } from './per-request.ts'
import { ReadThrough, type ReadThroughRoom } from './read-through.ts'
import { Reader } from './reader.ts'
import { Refill } from './refill.ts'
import { cacheRights } from './rights.ts'
import { TagTable } from './tags.ts'
import { FillBell } from './waiting.ts'
import { type WithoutContext, type WrapOptions, type Wrapped, Wraps } from './wrap.ts'
import { writeThrough } from './writing.ts'

const LONGEST_ID = 4096

type Answer<T> = T | undefined | PromiseLike<T | undefined>

const observedGet = new Observed('cache.get')
const observedGetMany = new Observed('cache.getMany')
const observedSet = new Observed('cache.set')
const observedPeek = new Observed('cache.peek')
const observed = {
  delete: new Observed('cache.delete'),
  invalidateTag: new Observed('cache.invalidateTag'),
  invalidatePattern: new Observed('cache.invalidatePattern'),
  clear: new Observed('cache.clear'),
}

/**
 * Values by id, read through Redis, with one load for many callers. Made by `hf.cache(name, options)`.
 *
 * promise  no value that was loaded before an invalidation of its key, tag, pattern or of all is served after that invalidation was
 *          acknowledged; with `memory`, not later than the stated bound after it
 */
export class Cache<T, Got = T | undefined> {
  readonly name: string
  readonly #redis: Redis
  readonly #options: ResolvedCacheOptions
  readonly #keys: CacheKeys
  readonly #rights: Rights
  readonly #entries: Entries
  readonly #tags: TagTable
  readonly #keeper: LeaseKeeper
  readonly #reads: ReadThrough
  readonly #reader: Reader
  readonly #refill: Refill
  readonly #memory: MemoryTier | undefined
  readonly #layer: RequestLayer
  #wraps: Wraps | undefined
  readonly #closing = new AbortController()
  #vetted = false

  /** @internal Made by `hf.cache`. */
  constructor(redis: Redis, name: string, options: ResolvedCacheOptions, requests: Requests) {
    this.name = name
    this.#layer = new RequestLayer(requests)
    this.#redis = redis
    this.#options = options
    this.#keys = new CacheKeys(redis.keyspace, name)
    this.#rights = cacheRights(this.#keys, options.fleet || options.memory !== undefined)
    this.#entries = new Entries(redis, this.#keys, options.fleet, aclRule(this.#rights))
    // Twice the longest entry, so that an epoch outlives every entry that may carry it, also between two renewals.
    this.#tags = new TagTable(redis, this.#keys, 2 * Math.max(options.ttlMs + options.staleMs, 86_400_000))
    this.#memory =
      options.memory === undefined ? undefined : new MemoryTier(options.memory, redis.listeners, this.#keys)
    this.#keeper = new LeaseKeeper(redis, LEASE_MS, 'cache.renew')
    const room: ReadThroughRoom = {
      name,
      redis,
      keys: this.#keys,
      options,
      entries: this.#entries,
      tags: this.#tags,
      bell: new FillBell(redis, this.#keys),
      keeper: this.#keeper,
      signal: this.#closing.signal,
      requests,
      enter: () => this.#enter(),
      present: async (id, frame) => {
        const entry = decodeFrame(frame)
        const found = entry === undefined ? undefined : await this.#reader.judge(id, entry)
        if (entry === undefined || found === undefined) return undefined
        return { value: found.value, stale: found.stale, staleAtMs: entry.staleAtMs, tags: entry.tags }
      },
    }
    this.#reader = new Reader(redis, options, this.#entries, this.#tags, this.#memory)
    this.#refill = new Refill(room)
    this.#reads = new ReadThrough(room, this.#reader, this.#refill)
  }

  /**
   * The value of `id`: from memory, from Redis, or loaded by the cache's loader or by this call's.
   *
   * returns  T; `undefined` when there is neither a value nor a loader, or the loader gave none
   * throws   the loader's own error; with `whenDown: 'throw'` TIMEOUT or CONNECTION_LOST; `signal.reason`
   * costs    a hit: no round trip from memory, else one; a miss: three (two while nearly all miss)
   */
  get(id: string, options?: GetOptions): Promise<Got>
  get(id: string, load: SureLoad<T>, options?: SetOptions): Promise<T>
  get(id: string, load: Load<T>, options?: SetOptions): Promise<T | undefined>
  get(id: string, second?: Load<T> | GetOptions, third?: SetOptions): Promise<unknown> {
    if (this.#memory !== undefined && !observedGet.heard) {
      const kept = this.#memory.get(id)
      if (kept !== undefined) {
        this.#reader.hits.memory++
        return Promise.resolve(kept.value)
      }
    }
    return this.#get(id, second, third)
  }

  #get(id: string, second?: Load<T> | GetOptions, third?: SetOptions): Promise<unknown> {
    const load = typeof second === 'function' ? (second as Load<unknown>) : this.#options.load
    const options = typeof second === 'function' ? third : second
    let plan: LoadPlan | undefined
    try {
      checkId(id)
      checkCallOptions(options)
      options?.signal?.throwIfAborted()
      plan = load === undefined ? undefined : this.#reads.plan(id, load, options)
    } catch (error) {
      return Promise.reject(error)
    }
    const request = this.#layer.current
    const signal = options?.signal
    if (request === undefined && signal === undefined && !observedGet.heard) return this.#reads.one(id, plan)
    return observedGet.run({ cache: this.name, id }, (operation) => {
      const say = (how: string) => {
        operation.outcome = how
      }
      const read = (party?: Party) => this.#reads.one(id, plan, say, undefined, party)
      return this.#layer.one(request, id, plan !== undefined, signal, read, say)
    })
  }

  /**
   * The values of many ids, in the order asked, each id once. The misses are loaded by one call of `loadMany`, or of `load` each.
   *
   * returns  a Map with every id; `undefined` where there is no value
   * costs    one round trip for the look; two more for what is missing, whatever their number
   */
  async getMany(
    ids: Iterable<string>,
    second?: LoadMany<T> | GetOptions,
    third?: SetOptions,
  ): Promise<Map<string, T | undefined>> {
    if (typeof ids !== 'object' || ids === null || typeof ids[Symbol.iterator] !== 'function')
      throw new ConfigError('ids', 'an iterable of strings', ids)
    const wanted = [...new Set(ids)]
    for (const id of wanted) checkId(id)
    const loadMany = typeof second === 'function' ? (second as LoadMany<unknown>) : this.#options.loadMany
    const options = typeof second === 'function' ? third : second
    checkCallOptions(options)
    options?.signal?.throwIfAborted()
    const request = this.#layer.current
    const loads = loadMany !== undefined || this.#options.load !== undefined
    const work = observedGetMany.run({ cache: this.name, count: wanted.length }, (operation) => {
      const read = (ids: readonly string[], party?: Party) =>
        this.#reads.many(ids, loadMany, options, (how) => (operation.outcome = how), party)
      return this.#layer.many(request, wanted, loads, options?.signal, read)
    })
    return work as Promise<Map<string, T | undefined>>
  }

  /** The value of `id` if there is one; never loads. While Redis cannot be asked: `undefined`, or with `whenDown: 'throw'` its error. */
  async peek(id: string, options?: GetOptions): Promise<T | undefined> {
    checkId(id)
    checkCallOptions(options)
    this.#enter()
    options?.signal?.throwIfAborted()
    const request = this.#layer.current
    const look = observedPeek.run({ cache: this.name, id }, (operation) => {
      const read = async () => {
        const found = await this.#reader.look(id, true)
        operation.outcome = found === undefined ? 'miss' : found.stale ? 'stale' : 'hit'
        return found?.value
      }
      return this.#layer.one(request, id, false, undefined, read, (how) => (operation.outcome = how))
    })
    try {
      return (await unlessAborted(look, options?.signal)) as T | undefined
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
    this.#enter()
    checkCallOptions(options)
    options.signal?.throwIfAborted()
    if (value === undefined) throw new ConfigError('value', 'anything but undefined, which means "not there"', value)
    const plan = this.#reads.plan(id, async () => value, options)
    const work = observedSet.run({ cache: this.name, id }, async () => {
      const { write } = this.#options
      this.#forget(id)
      const store = (token?: string) => this.#store(id, value, plan, token)
      if (write === undefined) await store()
      else await writeThrough(this.#entries, this.#keeper, write, id, value, options.signal, store)
      this.#forget(id)
    })
    await unlessAborted(work, options.signal)
  }

  /** Writes an entry; with a token, only while its lease stands. */
  async #store(id: string, value: unknown, plan: LoadPlan, token?: string): Promise<boolean> {
    try {
      const tags = this.#refill.tagsOf(id, value, plan.tags)
      const stamps = tags.length === 0 ? [] : (await this.#tags.begin(tags, plan.ttlMs)).stamps
      const { lifeMs, frame } = this.#refill.frame(value, plan.ttlMs, stamps)
      if (token !== undefined) return await this.#entries.fillOne(token, id, lifeMs, frame)
      await this.#entries.put(id, lifeMs, frame)
      return true
    } catch (error) {
      // A full server takes no new value, but lets go of the old one, which the caller knows to be out of date.
      if (error instanceof ServerError && error.code === 'SERVER_FULL')
        await this.#entries.remove(id, 'cache.set').catch(() => {})
      throw error
    }
  }

  /**
   * A function whose answers are cached here, under its name and its arguments: `cache.wrap(runQuery)`. Callers of the same share one call.
   *
   * options  `key`: what of the arguments counts, default all; `name`, `ttl`, `tags`; `withContext`: pass the loader's context last
   * returns  the function, with its parameters and `key`, `peek`, `delete` and `with`; it is called without a `this`
   * throws   ConfigError for a name that another function has in this cache, or where there is none; KEY_UNSTABLE, when called, with the
   *          path of an argument that no key can be made of
   */
  wrap<F extends (...args: never) => Answer<T>>(
    fn: F,
    options: WrapOptions<WithoutContext<F>> & { readonly withContext: true },
  ): Wrapped<WithoutContext<F>, Awaited<ReturnType<F>>>
  wrap<F extends (...args: never) => Answer<T>>(
    fn: F,
    options?: WrapOptions<Parameters<F>>,
  ): Wrapped<Parameters<F>, Awaited<ReturnType<F>>>
  wrap(fn: (...args: never) => unknown, options?: object): unknown {
    this.#wraps ??= new Wraps({
      get: (id, load, given) => this.get(id, load as Load<T>, given),
      peek: (id) => this.peek(id),
      delete: (id) => this.delete(id),
      expectTags: () => this.#refill.expectTags(),
    })
    return this.#wraps.wrap(fn, options)
  }

  /** Removes the value of `id`, and voids a load of it that is under way. Rejects when that could not be confirmed. */
  async delete(id: string, options?: GetOptions): Promise<void> {
    checkId(id)
    await this.#invalidate('delete', { id }, options, async () => {
      this.#forget(id)
      await this.#entries.remove(id, 'cache.delete')
      this.#forget(id)
    })
  }

  /** Makes every value that carries one of these tags stale, at the same cost for one or a million. Rejects when not confirmed. */
  async invalidateTag(tag: string | readonly string[], options?: GetOptions): Promise<void> {
    const tags = checkTags('tag', typeof tag === 'string' ? [tag] : tag)
    if (tags.length === 0) return
    await this.#invalidate('invalidateTag', { tags }, options, async () => {
      this.#layer.forgetAll()
      await this.#tags.invalidate(tags)
      this.#memory?.forgetTags(tags)
      this.#layer.forgetAll()
    })
  }

  /**
   * Removes every value whose id matches a glob: `*`, `?`, `[a-z]`, and `\` before a literal. Other callers' commands run in between.
   *
   * returns  how many were removed
   * costs    two SCANs over the whole keyspace of each primary: 1.6 ms for each 1,000 keys that the server holds
   */
  async invalidatePattern(pattern: string, options?: GetOptions): Promise<number> {
    if (typeof pattern !== 'string') throw new ConfigError('pattern', 'a glob', pattern)
    return this.#invalidate('invalidatePattern', { pattern }, options, () => this.#removeMatching(pattern))
  }

  /** Removes every value of this cache, and nothing else. */
  async clear(options?: GetOptions): Promise<void> {
    await this.#invalidate('clear', {}, options, async () => {
      await this.#removeMatching('*')
      await removeTags(this.#redis, this.#keys, 'cache.clear')
    })
  }

  async #removeMatching(pattern: string): Promise<number> {
    const { matches } = this.#keys.glob(pattern)
    const forget = () => {
      this.#memory?.forgetWhere(matches)
      this.#refill.detachWhere(matches)
      this.#layer.forgetAll()
    }
    forget()
    const removed = await removeMatching(this.#redis, this.#keys, pattern, 'cache.invalidatePattern')
    forget()
    return removed
  }

  #invalidate<R>(
    verb: keyof typeof observed,
    fields: Operation,
    options: GetOptions | undefined,
    work: () => Promise<R>,
  ): Promise<R> {
    this.#enter()
    checkCallOptions(options)
    options?.signal?.throwIfAborted()
    return unlessAborted(observed[verb].run({ cache: this.name, ...fields }, work), options?.signal)
  }

  #forget(id: string): void {
    this.#memory?.forget(id)
    this.#refill.detach(id)
    this.#layer.forget(id)
  }

  get stats(): CacheStats {
    return cacheStats(this.#reader.hits, this.#reads.counts, this.#refill.counts, this.#layer.hits, this.#memory)
  }

  #vet(): void {
    this.#vetted = true
    const sample = this.#keys.entry('')
    this.#redis.vet('cache', 'cache', this.#rights, sample, this.#keys.channel).catch(() => {})
  }

  /** Every use comes through here: refused once closed; the first has the server looked at. */
  #enter(): void {
    if (this.#closing.signal.aborted) throw new ConnectionError('CONNECTION_CLOSED', 'cache', 'close() was called')
    if (!this.#vetted) this.#vet()
  }

  /** @internal Called by `hf.close()`. */
  close(): void {
    this.#closing.abort()
    this.#keeper.stop()
    this.#memory?.close()
  }
}

function checkId(id: unknown): void {
  if (typeof id !== 'string' || id.length > LONGEST_ID)
    throw new ConfigError('id', `a string of at most ${LONGEST_ID} letters`, id)
}
