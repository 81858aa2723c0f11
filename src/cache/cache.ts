import { unlessAborted } from '../base/clock.ts'
import { ConfigError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import { validate } from '../base/schema.ts'
import type { Breaker } from '../breaker/breaker.ts'
import type { Redis } from '../redis/redis.ts'
import { demand, type WriteBehind, type WriteLag } from './behind.ts'
import { CallerReads } from './caller-reads.ts'
import type { DeadWrite, DeadWriteSelection, DeadWritesOptions } from './dead-writes.ts'
import { type CacheStats, type Explanation, explain, type Staleness, staleness, statsOf } from './inspect.ts'
import { removeMatching, removeTags } from './invalidation.ts'
import type { CacheKeys } from './keys.ts'
import type { LoadContext } from './load-context.ts'
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
import { RequestLayer, type Requests } from './per-request.ts'
import type { ReadThrough, ReadThroughRoom } from './read-through.ts'
import type { Reader } from './reader.ts'
import type { Refill } from './refill.ts'
import { Warming } from './warming.ts'
import { type WithoutContext, type WrapOptions, type Wrapped, Wraps } from './wrap.ts'
import { writeValue } from './writing.ts'

type Answer<T> = T | undefined | PromiseLike<T | undefined>

const observed = {
  set: new Observed('cache.set'),
  warm: new Observed('cache.warm'),
  mutate: new Observed('cache.mutate'),
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
  readonly #room: ReadThroughRoom
  readonly #reads: ReadThrough
  readonly #callerReads: CallerReads
  readonly #reader: Reader
  readonly #refill: Refill
  readonly #memory: MemoryTier | undefined
  readonly #layer: RequestLayer
  readonly #behind: WriteBehind | undefined
  #wraps: Wraps | undefined
  readonly #closing = new AbortController()

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
    const forget = (id: string) => this.#forget(id)
    const parts = makeParts(redis, name, options, requests, breaker, this.#closing.signal, forget)
    this.#room = parts.room
    this.#keys = parts.room.keys
    this.#memory = parts.memory
    this.#reader = parts.reader
    this.#refill = parts.refill
    this.#reads = parts.reads
    this.#callerReads = new CallerReads(parts.room, parts.reads, parts.reader, parts.memory, this.#layer)
    this.#behind = parts.behind
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
      // A signal that has fired is heeded also where nothing has to be waited for.
      if (kept !== undefined && !(typeof second === 'function' ? third : second)?.signal?.aborted) {
        this.#reader.hits.memory++
        return Promise.resolve(kept.value)
      }
    }
    return this.#callerReads.get(id, second as Load<unknown> | GetOptions | undefined, third)
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
    const how = second as LoadMany<unknown> | GetOptions | undefined
    return this.#callerReads.getMany(ids, how, third) as Promise<Map<string, T | undefined>>
  }

  /**
   * Loads `id` anew and replaces its value, which others are served meanwhile.
   *
   * returns  what was loaded; where the loader gave `undefined`, the old value stays. With `stampede: 'fleet'` who finds another process
   *          loading waits for it, and takes its value if `unless` says that it will do
   * throws   the loader's own error, and then the old value stays; `signal.reason`
   */
  refresh(id: string, load?: Load<T>, options: RefreshOptions<T> = {}): Promise<T | undefined> {
    const how = options as RefreshOptions<unknown>
    return this.#callerReads.refresh(id, load as Load<unknown> | undefined, how) as Promise<T | undefined>
  }

  /** The value of `id` if there is one; never loads. While Redis cannot be asked: `undefined`, or with `whenDown: 'throw'` its error. */
  peek(id: string, options?: GetOptions): Promise<T | undefined> {
    return this.#callerReads.peek(id, options) as Promise<T | undefined>
  }

  /**
   * Writes a value, and voids a load of it that is under way. With `write` it is persisted first, or on record and persisted later.
   *
   * throws  the error of `persist`, and then nothing is cached; TIMEOUT, CONNECTION_LOST, SERVER_FULL when Redis did not take it; with
   *         write-behind WRITE_BEHIND_FULL
   */
  async set(id: string, value: T, options: SetOptions = {}): Promise<void> {
    checkId(id)
    this.#room.enter()
    checkCallOptions(options)
    options.signal?.throwIfAborted()
    if (value === undefined) throw new ConfigError('value', 'anything but undefined, which means "not there"', value)
    const plan = this.#reads.plan(id, async () => value, options)
    const work = observed.set.run({ cache: this.name, id }, async () => {
      const { schema } = this.#options.encoding
      const checked = schema === undefined ? value : await validate(schema, id, value)
      this.#forget(id)
      if (this.#behind !== undefined) await this.#behind.set(id, checked, plan.ttlMs, plan.tags, options.signal)
      else await writeValue(this.#room, this.#refill, id, checked, plan, options.signal)
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
      else await this.#room.entries.remove(id, 'cache.delete')
      this.#forget(id)
    })
  }

  /** Makes every value that carries one of these tags stale, at the same cost for one or a million. Rejects when not confirmed. */
  async invalidateTag(tag: string | readonly string[], options?: GetOptions): Promise<void> {
    const tags = checkTags('tag', typeof tag === 'string' ? [tag] : tag)
    if (tags.length === 0) return
    await this.#invalidate('invalidateTag', { tags }, options, async () => {
      this.#layer.forgetAll()
      await this.#room.tags.invalidate(tags)
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

  /** @internal As `invalidatePattern`, and of what matches those ids alone that are meant: not all can be said by a glob. */
  async invalidateWhere(pattern: string, isMeant: (id: string) => boolean): Promise<number> {
    return this.#invalidate('invalidatePattern', { pattern }, undefined, () => this.#removeMatching(pattern, isMeant))
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
    this.#room.enter()
    const plan = this.#reads.plan('', async () => undefined, options)
    const forget = (id: string) => this.#forget(id)
    const warming = new Warming(this.#room, this.#refill, forget, plan, options)
    return observed.warm.run({ cache: this.name }, () => warming.run(rows))
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
    this.#room.enter()
    const forget = () => wanted.forEach(this.#forget, this)
    const work = observed.mutate.run({ cache: this.name, count: wanted.length }, () =>
      mutate(this.#room, wanted, fn, options, forget),
    )
    return unlessAborted(work, options.signal)
  }

  async #removeMatching(pattern: string, isMeant: (id: string) => boolean = () => true): Promise<number> {
    const glob = this.#keys.glob(pattern)
    const matches = (id: string) => glob.matches(id) && isMeant(id)
    const forget = () => {
      this.#memory?.forgetWhere(matches)
      this.#refill.detachWhere(matches)
      this.#layer.forgetAll()
    }
    forget()
    const removed = await removeMatching(this.#redis, this.#keys, pattern, 'cache.invalidatePattern', isMeant)
    forget()
    return removed
  }

  #invalidate<R>(
    verb: keyof typeof observed,
    fields: Operation,
    options: GetOptions | undefined,
    work: () => Promise<R>,
  ): Promise<R> {
    this.#room.enter()
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
    this.#room.enter()
    return demand(this.#behind, 'flush').flush(options?.signal)
  }

  /** With write-behind: how far the system of record is behind. */
  writeLag(): Promise<WriteLag> {
    this.#room.enter()
    return demand(this.#behind, 'writeLag').lag()
  }

  /** With write-behind: writes that were given up; a later write of an id ends its dead one. */
  async deadWrites(options?: DeadWritesOptions<T>): Promise<readonly DeadWrite<T>[]> {
    this.#room.enter()
    return demand(this.#behind, 'deadWrites').dead.list(options)
  }

  /** With write-behind: has writes that were given up persisted after all, all or those that are chosen. Answers how many. */
  async redriveWrites(which: string | readonly string[] | DeadWriteSelection<T> = {}): Promise<number> {
    this.#room.enter()
    return demand(this.#behind, 'redriveWrites').dead.redrive(which)
  }

  /** With write-behind: forgets writes that were given up, all or those that are chosen. Answers how many. */
  async purgeWrites(which: string | readonly string[] | DeadWriteSelection<T> = {}): Promise<number> {
    this.#room.enter()
    return demand(this.#behind, 'purgeWrites').dead.purge(which)
  }

  /** How it stands with one entry, and why a read of it would miss. Changes nothing; two round trips, for people. */
  async explain(id: string, options?: GetOptions): Promise<Explanation> {
    checkId(id)
    checkCallOptions(options)
    this.#room.enter()
    return unlessAborted(explain(this.#room, this.#memory, id), options?.signal)
  }

  /** How far what this process answers may now be behind an invalidation that was acknowledged elsewhere, and why. */
  staleness(): Staleness {
    return staleness(this.#memory, this.#options.memory?.ttlMs ?? 0)
  }

  get stats(): CacheStats {
    return statsOf(this.#reader, this.#reads.counts, this.#refill.counts, this.#memory, this.#layer.hits)
  }

  /** @internal Called by `hf.close()`: with write-behind, what can be persisted is. */
  async close(): Promise<void> {
    this.#closing.abort()
    await this.#behind?.close()
    this.#room.keeper.stop()
    this.#memory?.close()
  }
}
