import { checkFunction } from '../base/check.ts'
import { unlessAborted } from '../base/clock.ts'
import { ConfigError, ConnectionError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import { validate } from '../base/schema.ts'
import type { Breaker } from '../breaker/breaker.ts'
import type { LeaseKeeper } from '../lease/lease.ts'
import { isOutage, type Redis } from '../redis/redis.ts'
import type { Rights } from '../redis/rights.ts'
import { demand, WriteBehind, type WriteLag } from './behind.ts'
import type { DeadWrite, DeadWriteSelection, DeadWritesOptions } from './dead-writes.ts'
import type { Entries } from './entries.ts'
import { type CacheStats, type Explanation, explain, type Staleness, staleness, statsOf } from './inspect.ts'
import { removeMatching, removeTags } from './invalidation.ts'
import type { CacheKeys } from './keys.ts'
import type { LoadContext } from './load-context.ts'
import type { LoadPlan } from './load-plan.ts'
import type { MemoryTier } from './memory.ts'
import { mutate } from './mutating.ts'
import {
  checkCallOptions,
  checkId,
  checkIds,
  checkMutation,
  checkTags,
  checkWarmOptions,
  type GetOptions,
  type Load,
  type LoadMany,
  type MutateOptions,
  type RefreshOptions,
  type ResolvedCacheOptions,
  type SetOptions,
  type SureLoad,
  type WarmOptions,
  type WarmResult,
} from './options.ts'
import { makeParts } from './parts.ts'
import type { Party } from './party.ts'
import { RequestLayer, type Requests } from './per-request.ts'
import type { ReadThrough, ReadThroughRoom } from './read-through.ts'
import type { Reader } from './reader.ts'
import type { Refill } from './refill.ts'
import type { TagTable } from './tags.ts'
import { Warming } from './warming.ts'
import { type WithoutContext, type WrapOptions, type Wrapped, Wraps } from './wrap.ts'
import { storeValue, writeThrough } from './writing.ts'

type Answer<T> = T | undefined | PromiseLike<T | undefined>

const observedGet = new Observed('cache.get')
const observedGetMany = new Observed('cache.getMany')
const observedSet = new Observed('cache.set')
const observedMutate = new Observed('cache.mutate')
const observedWarm = new Observed('cache.warm')
const observedPeek = new Observed('cache.peek')
const observed = {
  refresh: new Observed('cache.refresh'),
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
  readonly #room: ReadThroughRoom
  readonly #reads: ReadThrough
  readonly #reader: Reader
  readonly #refill: Refill
  readonly #memory: MemoryTier | undefined
  readonly #layer: RequestLayer
  readonly #behind: WriteBehind | undefined
  #wraps: Wraps | undefined
  readonly #closing = new AbortController()
  #vetted = false

  /** @internal Made by `hf.cache`. */
  constructor(
    redis: Redis,
    name: string,
    options: ResolvedCacheOptions,
    requests: Requests,
    breaker: Breaker | undefined,
  ) {
    this.name = name
    this.#layer = new RequestLayer(requests)
    this.#redis = redis
    this.#options = options
    const parts = makeParts(redis, name, options, requests, breaker, this.#closing.signal, () => this.#enter())
    this.#room = parts.room
    this.#keys = parts.keys
    this.#rights = parts.rights
    this.#entries = parts.entries
    this.#tags = parts.tags
    this.#memory = parts.memory
    this.#keeper = parts.keeper
    this.#reader = parts.reader
    this.#refill = parts.refill
    this.#reads = parts.reads
    const { write, encoding } = options
    if (write?.behind === undefined) return
    this.#behind = new WriteBehind({
      ...{ name, redis, encoding, keys: parts.keys, tags: parts.tags, refill: parts.refill },
      ...{ channel: options.fleet ? parts.keys.channel : '', write: { ...write, behind: write.behind } },
      forget: (id) => this.#forget(id),
    })
    this.#entries.unpersisted = this.#behind
  }

  /** @internal What it was made with, every default in place. */
  get settings(): ResolvedCacheOptions {
    return this.#options
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
    if (this.#memory !== undefined) {
      // Counted and not reported: a report would take longer than the answer.
      const kept = this.#memory.good(id)
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

  /**
   * Loads `id` anew and replaces its value, which others are served meanwhile.
   *
   * returns  what was loaded; where the loader gave `undefined`, the old value stays. With `stampede: 'fleet'` who finds another process
   *          loading waits for it, and takes its value if `unless` says that it will do
   * throws   the loader's own error, and then the old value stays; `signal.reason`
   */
  async refresh(id: string, load?: Load<T>, options: RefreshOptions<T> = {}): Promise<T | undefined> {
    const { unless = () => false, ...rest } = options
    checkId(id)
    checkFunction('unless', unless)
    checkCallOptions(rest)
    rest.signal?.throwIfAborted()
    const how = load ?? this.#options.load
    if (how === undefined) throw new ConfigError('load', 'a loader, of the cache or of this call', load)
    const work = observed.refresh.run({ cache: this.name, id }, async () => {
      // Nothing that could be loaded is as new as what is not persisted.
      if ((await this.#behind?.frameOf(id)) != null) return this.peek(id)
      const plan = this.#reads.plan(id, how as Load<unknown>, rest)
      const value = await this.#reads.renew(id, plan, unless as (value: unknown) => boolean)
      this.#memory?.forget(id)
      return value as T | undefined
    })
    return unlessAborted(work, rest.signal)
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
        if (found === undefined) this.#reads.counts.misses++
        return found?.value
      }
      const say = (how: string) => {
        operation.outcome = how
      }
      return this.#layer.one(request, id, false, undefined, read, say)
    })
    try {
      return (await unlessAborted(look, options?.signal)) as T | undefined
    } catch (error) {
      if (this.#options.whenDown === 'throw' || !isOutage(error)) throw error
      return undefined
    }
  }

  /**
   * Writes a value, and voids a load of it that is under way. With `write` it is persisted first, or on record and persisted later.
   *
   * throws  the error of `persist`, and then nothing is cached; TIMEOUT, CONNECTION_LOST, SERVER_FULL when Redis did not take it; with
   *         write-behind WRITE_BEHIND_FULL
   */
  async set(id: string, value: T, options: SetOptions = {}): Promise<void> {
    checkId(id)
    this.#enter()
    checkCallOptions(options)
    options.signal?.throwIfAborted()
    if (value === undefined) throw new ConfigError('value', 'anything but undefined, which means "not there"', value)
    const plan = this.#reads.plan(id, async () => value, options)
    const work = observedSet.run({ cache: this.name, id }, async () => {
      const { write, encoding } = this.#options
      const checked = encoding.schema === undefined ? value : await validate(encoding.schema, id, value)
      this.#forget(id)
      const store = (token?: string) => storeValue(this.#entries, this.#tags, this.#refill, id, checked, plan, token)
      if (this.#behind !== undefined) await this.#behind.set(id, checked, plan.ttlMs, plan.tags, options.signal)
      else if (write === undefined) await store()
      else await writeThrough(this.#entries, this.#keeper, write, id, checked, options.signal, store)
      this.#forget(id)
    })
    await unlessAborted(work, options.signal)
  }

  /**
   * A function whose answers are cached here, under its name and its arguments: `cache.wrap(runQuery)`. Callers of the same share one call.
   *
   * options  `key`: what of the arguments counts, default all; `name`, `ttl`, `tags`; `withContext`: pass the loader's context last
   * returns  the function, with its parameters and `key`, `peek`, `delete` and `with`; it is called without a `this`
   * throws   ConfigError for wrong options, for a name that another function or the same with other options has, or where there is none;
   *          KEY_UNSTABLE, when called, with the path of an argument that no key can be made of
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

  /**
   * Removes the value of `id`, and voids a load of it that is under way. Rejects when that could not be confirmed. With write-behind it is
   * to be deleted from the system of record too, and reads as `null` until it is.
   */
  async delete(id: string, options?: GetOptions): Promise<void> {
    checkId(id)
    await this.#invalidate('delete', { id }, options, async () => {
      this.#forget(id)
      if (this.#behind !== undefined) await this.#behind.delete(id, options?.signal)
      else await this.#entries.remove(id, 'cache.delete')
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

  /**
   * Writes many rows, such as those of a batch job, in batches; the source is asked for more as they are taken. Each is as one `set`, but
   * is never persisted by `write`. One that cannot be written is reported with its id, and does not stop the others.
   *
   * rows     pairs of an id and a value, at any pace
   * returns  how many were written, how many not, and why
   * throws   the error of the source or of a callback, as it is; TIMEOUT, CONNECTION_LOST when Redis cannot be asked for the tags at
   *          the beginning; `signal.reason`; in all of these what was written stays
   */
  async warm(
    rows: Iterable<readonly [string, T]> | AsyncIterable<readonly [string, T]>,
    options: WarmOptions = {},
  ): Promise<WarmResult> {
    checkWarmOptions(options)
    options.signal?.throwIfAborted()
    this.#enter()
    const plan = this.#reads.plan('', async () => undefined, options)
    const forget = (id: string) => this.#forget(id)
    const warming = new Warming(this.#room, this.#refill, forget, plan, options)
    return observedWarm.run({ cache: this.name }, () => warming.run(rows))
  }

  /**
   * Runs `fn`, which changes the system of record, and has no older value served once that is done. The entries are removed first and
   * stay closed meanwhile: readers load, and nothing is stored. They are removed again when `fn` has ended, however it ended.
   *
   * ids      the entries that the change concerns, of any number and in any places
   * returns  what `fn` returns
   * throws   the error of `fn`, as it is; before `fn` is called, TIMEOUT, CONNECTION_LOST when Redis cannot be asked; after it,
   *          MUTATION_UNCONFIRMED when Redis was away for so long that nobody can say what is cached; `signal.reason`
   * costs    two round trips beside `fn`
   */
  async mutate<R>(
    ids: string | readonly string[],
    fn: (context: Pick<LoadContext, 'signal'>) => Promise<R> | R,
    options: MutateOptions = {},
  ): Promise<R> {
    const wanted = checkIds(ids)
    checkMutation(fn, options)
    options.signal?.throwIfAborted()
    this.#enter()
    const forget = () => wanted.forEach(this.#forget, this)
    const work = observedMutate.run({ cache: this.name, count: wanted.length }, () =>
      mutate(this.#room, wanted, fn, options, forget),
    )
    return unlessAborted(work, options.signal)
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
    verb: Exclude<keyof typeof observed, 'refresh'>,
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

  /** With write-behind: persists all that is written by now, also what waits for its next try. Throws the first error of `persist`. */
  async flush(options?: GetOptions): Promise<void> {
    checkCallOptions(options, ['signal'])
    this.#enter()
    return demand(this.#behind, 'flush').flush(options?.signal)
  }

  /** With write-behind: how far the system of record is behind. */
  writeLag(): Promise<WriteLag> {
    this.#enter()
    return demand(this.#behind, 'writeLag').lag()
  }

  /** With write-behind: writes that were given up; a later write of an id ends its dead one. */
  async deadWrites(options?: DeadWritesOptions<T>): Promise<readonly DeadWrite<T>[]> {
    this.#enter()
    return demand(this.#behind, 'deadWrites').dead.list(options)
  }

  /** With write-behind: has writes that were given up persisted after all, all or those that are chosen. Answers how many. */
  async redriveWrites(which: string | readonly string[] | DeadWriteSelection<T> = {}): Promise<number> {
    this.#enter()
    return demand(this.#behind, 'redriveWrites').dead.redrive(which)
  }

  /** With write-behind: forgets writes that were given up, all or those that are chosen. Answers how many. */
  async purgeWrites(which: string | readonly string[] | DeadWriteSelection<T> = {}): Promise<number> {
    this.#enter()
    return demand(this.#behind, 'purgeWrites').dead.purge(which)
  }

  /** How it stands with one entry, and why a read of it would miss. Changes nothing; two round trips, for people. */
  async explain(id: string, options?: GetOptions): Promise<Explanation> {
    checkId(id)
    checkCallOptions(options)
    this.#enter()
    return unlessAborted(explain(this.#room, this.#memory, id), options?.signal)
  }

  /** How far what this process answers may now be behind an invalidation that was acknowledged elsewhere, and why. */
  staleness(): Staleness {
    return staleness(this.#memory, this.#options.memory?.ttlMs ?? 0)
  }

  get stats(): CacheStats {
    return statsOf(this.#reader, this.#reads.counts, this.#refill.counts, this.#memory, this.#layer.hits)
  }

  #vet(): void {
    this.#vetted = true
    const sample = this.#keys.entry('')
    // What is not persisted must not be evicted.
    const [room, role] =
      this.#behind === undefined ? (['cache', 'cache'] as const) : (['write-behind', 'state'] as const)
    this.#redis.vet(room, role, this.#rights, sample, this.#keys.channel).catch(() => {})
  }

  /** Every use comes through here: refused once closed; the first has the server looked at. */
  #enter(): void {
    if (this.#closing.signal.aborted) throw new ConnectionError('CONNECTION_CLOSED', 'cache', 'close() was called')
    if (!this.#vetted) this.#vet()
  }

  /** @internal Called by `hf.close()`: with write-behind, what can be persisted is. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#behind?.close()
    this.#keeper.stop()
    this.#memory?.close()
  }
}
