import {
  checkBoolean,
  checkFraction,
  checkFunction,
  checkInteger,
  checkKnown,
  checkName,
  checkOneOf,
  checkSignal,
} from '../base/check.ts'
import { LONGEST_TIMER_MS } from '../base/clock.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError, describe } from '../base/errors.ts'
import { Breaker } from '../breaker/breaker.ts'
import { type BreakerOptions, type ResolvedBreakerOptions, resolveBreakerOptions } from '../breaker/options.ts'
import { Encoding, type EncodingOptions, PLAIN } from './encoding.ts'
import type { LoadContext, LoadManyContext } from './load-context.ts'
import { type ResolvedWrite, resolveWrite, type WriteOptions } from './write-options.ts'

/** Gives the value of one id; `undefined` means "not there" and is not cached. */
export type Load<T> = (id: string, context: LoadContext) => Promise<T | undefined> | T | undefined
/** A loader that always has a value: what it is given to then never answers `undefined`. */
export type SureLoad<T> = (id: string, context: LoadContext) => Promise<T> | T
export type LoadMany<T> = (
  ids: readonly string[],
  context: LoadManyContext,
) => Promise<ReadonlyMap<string, T> | readonly T[]> | ReadonlyMap<string, T> | readonly T[]

/** Answers for one id in place of a load that failed or was not begun. */
export type Fallback = (id: string, error: unknown) => unknown

export interface CacheOptions<T> {
  /** How long a value is fresh. Required. */
  readonly ttl: Duration
  /** Loads the value of one id on a miss; default: `loadMany` of one. `null` is cached with `nullTtl`, `undefined` is not cached. */
  readonly load?: Load<T>
  /** Loads many at once, for `getMany`: a Map, or an array in the order of the ids. Default: `load` for each. */
  readonly loadMany?: LoadMany<T>
  /** Tags of every value, or of one: to be invalidated together. */
  readonly tags?: readonly string[] | ((value: T, id: string) => readonly string[])
  /** Keep values in this process too, fed by the server's invalidation stream. Default false. */
  readonly memory?: false | MemoryOptions
  /** Who loads a missing value: one caller of each process (default), or one of the whole fleet. */
  readonly stampede?: 'process' | 'fleet'
  /**
   * What answers reads that never load: `peek`, and `get` and `getMany` without a loader. `'replica'` may be behind, also behind an
   * invalidation, and cannot be had together with `memory`. Loads, leases and fills are the primary's in any case.
   * Default: that of `connect`.
   */
  readonly readFrom?: 'primary' | 'replica'
  readonly expiry?: ExpiryOptions
  readonly loader?: LoaderOptions<NoInfer<T>>
  /** How values are written, and what they must be. Default: as JSON, and anything. */
  readonly encoding?: EncodingOptions<T>
  /** While Redis cannot be asked: answer from the loader (default), or throw. Writes and invalidations always throw. */
  readonly whenDown?: 'load' | 'throw'
  /** Make `set` write to the system of record too. */
  readonly write?: WriteOptions<T>
}

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

export interface RefreshOptions<T> extends SetOptions {
  /** Asked of a value that another process has put there meanwhile: will it do? Default: no. */
  readonly unless?: (value: T) => boolean
}

export interface MutateOptions extends GetOptions {
  /**
   * How long the entries stay closed when this process dies: longer than what a dead one has begun may still take to become visible
   * in the system of record. Renewed while the change runs, however long that takes. Default `'10s'`.
   */
  readonly fence?: Duration
}

export interface WarmOptions extends SetOptions {
  /** Most batches of up to 128 rows under way at once. Default 4. */
  readonly concurrency?: number
  /** Begin no more batches after the first row that could not be written. Default false. */
  readonly stopOnFailure?: boolean
  /** Called after each batch. */
  readonly onProgress?: (so: WarmProgress) => void
  /** Called for each row that could not be written. */
  readonly onFailure?: (failure: WarmFailure) => void
}

export interface WarmProgress {
  /** Rows taken from the source. */
  readonly read: number
  readonly written: number
  readonly failed: number
  /** Of what was written, as it is stored. */
  readonly bytes: number
}

export interface WarmFailure {
  /** What came as the id. */
  readonly id: string
  /** `'fenced'`: `mutate` is changing it. `'invalidated'`: one of its tags was, since the warming began. */
  readonly reason: 'error' | 'fenced' | 'invalidated'
  readonly error?: unknown
}

export interface WarmResult extends WarmProgress {
  /** The first 1,000 rows that could not be written. */
  readonly failures: readonly WarmFailure[]
  /** True when the source was read to its end. */
  readonly complete: boolean
}

export interface MemoryOptions {
  /** Most values kept. Default 10,000. */
  readonly maxEntries?: number
  /** Most bytes that what is kept takes of the process, about. Default 64 MiB. */
  readonly maxBytes?: number
  /** Longest time a value is kept here. Default: the value's own ttl. */
  readonly ttl?: Duration
}

export interface ExpiryOptions {
  /** How long a value may be served after its ttl, while it is refreshed behind or the loader fails. Default 0: never. */
  readonly stale?: Duration
  /** How long `null` is cached. Default: the ttl, but at most 30 s. */
  readonly nullTtl?: Duration
  /** Share of the ttl, 0 to 1, by which each entry's life is cut at random, so that they do not all end at once. Default 0. */
  readonly jitter?: number
  /**
   * Refresh a value behind before its ttl is over, the sooner the longer its load takes, by one caller of the fleet; the others are
   * served the present value. `true`: as the research says (XFetch, beta 1); a number: beta, up to 1,000, the more the earlier.
   * Default false. With it an entry costs 4 bytes more.
   */
  readonly early?: boolean | number
}

export interface LoaderOptions<T = unknown> {
  /**
   * Where there is a stale value (`expiry.stale`): how long to wait for a fresh one before the stale one is served and the load goes on
   * behind. No longer than `hardTimeout`. Default 0: the stale value is served at once.
   */
  readonly softTimeout?: Duration
  /**
   * The longest that callers wait for a load, be it another process's: then they are told LOAD_TIMEOUT, and the loader's signal fires.
   * What it brings later is kept all the same while its lease stands: for 1 to 3 s, unless it is invalidated. Default: no bound.
   */
  readonly hardTimeout?: Duration
  /** Most loads at work at once in this process; others wait their turn, but for loads begun by a load. Default: no bound. */
  readonly concurrency?: number
  /**
   * Refuses loads while they fail, by a breaker of its own, or by one of `hf.breaker` that several caches share. While it is open callers are
   * served what is stale, or else what `fallback` answers, or are told BREAKER_OPEN. Default: none.
   */
  readonly breaker?: BreakerOptions | Breaker
  /**
   * Answers in place of a load that failed, took longer than `hardTimeout`, or was refused by the breaker, where there is no stale value.
   * What it answers is not kept. Default: callers are told the error.
   */
  readonly fallback?: (id: string, error: unknown) => T | PromiseLike<T>
}

/** The options with every default in place and every duration in ms. */
export interface ResolvedCacheOptions {
  readonly ttlMs: number
  readonly staleMs: number
  readonly nullTtlMs: number
  readonly jitter: number
  /** XFetch's beta; 0: off. */
  readonly early: number
  /** 0: a stale value is served at once. */
  readonly softMs: number
  readonly hardMs: number | undefined
  readonly load: Load<unknown> | undefined
  readonly loadMany: LoadMany<unknown> | undefined
  readonly staticTags: readonly string[]
  readonly dynamicTags: ((value: unknown, id: string) => readonly string[]) | undefined
  readonly memory: { readonly maxEntries: number; readonly maxBytes: number; readonly ttlMs: number } | undefined
  readonly fleet: boolean
  /** Undefined: what `connect` says. */
  readonly readFrom: 'primary' | 'replica' | undefined
  readonly concurrency: number | undefined
  readonly breaker: Breaker | ResolvedBreakerOptions | undefined
  readonly fallback: Fallback | undefined
  readonly encoding: Encoding
  readonly whenDown: 'load' | 'throw'
  readonly write: ResolvedWrite | undefined
}

const KNOWN = [
  ...['ttl', 'load', 'loadMany', 'tags', 'memory', 'stampede', 'expiry', 'loader', 'whenDown', 'write'],
  ...['readFrom', 'encoding'],
]
const LONGEST_NULL_MS = 30_000

export function resolveCacheOptions<T>(options: CacheOptions<T>): ResolvedCacheOptions {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError('options', 'an object with at least { ttl }', options)
  checkKnown('', options, KNOWN)
  if (options.ttl === undefined) throw new ConfigError('ttl', "a duration such as '10m'", undefined)
  const ttlMs = toMs(options.ttl, 'ttl')
  const { expiry = {}, loader = {}, tags } = options
  checkKnown('expiry', expiry, ['stale', 'nullTtl', 'jitter', 'early'])
  if (typeof loader === 'function')
    throw new ConfigError('loader', 'how a load is bounded; the function that loads is `load`', loader)
  checkKnown('loader', loader, ['concurrency', 'softTimeout', 'hardTimeout', 'breaker', 'fallback'])
  const staleMs = toMs(expiry.stale ?? 0, 'expiry.stale', { min: 0 })
  return {
    ttlMs,
    staleMs,
    nullTtlMs: toMs(expiry.nullTtl ?? Math.min(ttlMs, LONGEST_NULL_MS), 'expiry.nullTtl'),
    jitter: checkFraction('expiry.jitter', expiry.jitter ?? 0),
    early: resolveEarly(expiry.early ?? false),
    ...resolveTimeouts(loader, staleMs),
    load: checkFunction('load', options.load as Load<unknown> | undefined) ?? loadOneOf(options.loadMany),
    loadMany: checkFunction('loadMany', options.loadMany as LoadMany<unknown> | undefined),
    staticTags: typeof tags === 'function' || tags === undefined ? [] : checkTags('tags', tags),
    dynamicTags: typeof tags === 'function' ? (tags as (value: unknown, id: string) => readonly string[]) : undefined,
    memory: resolveMemory(options.memory, ttlMs),
    fleet: checkOneOf('stampede', options.stampede ?? 'process', ['process', 'fleet']) === 'fleet',
    readFrom: resolveReadFrom(options),
    concurrency:
      loader.concurrency === undefined
        ? undefined
        : checkInteger('loader.concurrency', loader.concurrency, 1, 1_000_000),
    breaker: resolveBreaker(loader.breaker),
    fallback: checkFunction('loader.fallback', loader.fallback as Fallback | undefined),
    encoding: options.encoding === undefined ? PLAIN : new Encoding(options.encoding as EncodingOptions),
    whenDown: checkOneOf('whenDown', options.whenDown ?? 'load', ['load', 'throw']),
    write: resolveWrite(options.write),
  }
}

function resolveBreaker(breaker: BreakerOptions | Breaker | undefined): Breaker | ResolvedBreakerOptions | undefined {
  if (breaker === undefined || breaker instanceof Breaker) return breaker
  if (typeof breaker !== 'object' || breaker === null)
    throw new ConfigError('loader.breaker', 'options of a breaker, or one of hf.breaker', breaker)
  return resolveBreakerOptions(breaker, 'loader.breaker')
}

function resolveTimeouts({ softTimeout = 0, hardTimeout }: LoaderOptions, staleMs: number) {
  const softMs = toMs(softTimeout, 'loader.softTimeout', { min: 0 })
  const hardMs = hardTimeout === undefined ? undefined : toMs(hardTimeout, 'loader.hardTimeout')
  // Neither would ever come to anything.
  if (softMs > 0 && staleMs === 0)
    throw new ConfigError('loader.softTimeout', 'expiry.stale beside it: what else is to be served', softTimeout)
  if (hardMs !== undefined && softMs > hardMs)
    throw new ConfigError('loader.softTimeout', `no more than the hardTimeout of ${hardMs} ms`, softTimeout)
  return {
    softMs: Math.min(LONGEST_TIMER_MS, softMs),
    hardMs: hardMs === undefined ? undefined : Math.min(LONGEST_TIMER_MS, hardMs),
  }
}

function resolveEarly(early: unknown): number {
  if (typeof early === 'boolean') return Number(early)
  if (typeof early !== 'number' || !(early >= 0 && early <= 1_000))
    throw new ConfigError('expiry.early', 'true, false or a number of 0 to 1000', early)
  return early
}

/** A loader of many as one of one, for `get`. */
function loadOneOf(loadMany: LoadMany<unknown> | undefined): Load<unknown> | undefined {
  return loadMany && ((id, context) => loadAsOne(id, loadMany, context))
}

export async function loadAsOne(id: string, loadMany: LoadMany<unknown>, context: LoadContext): Promise<unknown> {
  const many: LoadManyContext = {
    get signal() {
      return context.signal
    },
    setTtl: (_, ttl) => context.setTtl(ttl),
    setTags: (_, tags) => context.setTags(tags),
    skip: () => context.skip(),
  }
  return inOrder([id], await loadMany([id], many))[0]
}

/** What a loader of many answered, in the order of the ids. */
export function inOrder(ids: readonly string[], loaded: unknown): readonly unknown[] {
  if (loaded instanceof Map) return ids.map((id) => loaded.get(id))
  if (Array.isArray(loaded) && loaded.length === ids.length) return loaded
  const received = Array.isArray(loaded) ? `an array of ${loaded.length}` : describe(loaded)
  throw new ConfigError('loadMany', `a Map by id, or an array of ${ids.length} in the order of the ids`, received)
}

/** Refuses options of one call that do not exist, and a signal that is none. */
export function checkCallOptions(options: unknown, known: readonly string[] = CALL_OPTIONS): void {
  if (options === undefined) return
  checkKnown('options', options, known)
  checkSignal((options as GetOptions).signal)
}

/** Checks the options of one call before it: those that calls are given later. */
export function checkSetOptions(options: SetOptions): void {
  checkCallOptions(options)
  if (options?.ttl !== undefined) toMs(options.ttl, 'ttl')
  if (options?.tags !== undefined) checkTags('tags', options.tags)
}
const CALL_OPTIONS = ['signal', 'ttl', 'tags']

const LONGEST_ID = 4096

export function checkId(id: unknown): void {
  if (typeof id !== 'string' || id.length > LONGEST_ID)
    throw new ConfigError('id', `a string of at most ${LONGEST_ID} letters`, id)
}

/** One id or many, each once. */
export function checkIds(ids: string | readonly string[]): readonly string[] {
  const wanted = typeof ids === 'string' ? [ids] : ids
  if (!Array.isArray(wanted)) throw new ConfigError('ids', 'a string or an array of strings', ids)
  for (const id of wanted) checkId(id)
  return [...new Set(wanted)]
}

/** Checks what `mutate` is given. */
export function checkMutation(fn: unknown, options: MutateOptions): void {
  if (typeof fn !== 'function') throw new ConfigError('fn', 'a function that makes the change', fn)
  checkCallOptions(options, ['signal', 'fence'])
  fenceMsOf(options)
}

export const fenceMsOf = ({ fence = '10s' }: MutateOptions): number => toMs(fence, 'fence', { min: 1_000 })

/** Checks the options of `warm`. */
export function checkWarmOptions(options: WarmOptions): void {
  checkCallOptions(options, [...CALL_OPTIONS, 'concurrency', 'stopOnFailure', 'onProgress', 'onFailure'])
  if (options.concurrency !== undefined) checkInteger('concurrency', options.concurrency, 1, 1_000)
  if (options.stopOnFailure !== undefined) checkBoolean('stopOnFailure', options.stopOnFailure)
  checkFunction('onProgress', options.onProgress)
  checkFunction('onFailure', options.onFailure)
}

/** Distinct tags: each a string of at most 512 bytes, at most 64 of them. */
export function checkTags(option: string, tags: unknown): readonly string[] {
  if (!Array.isArray(tags)) throw new ConfigError(option, 'an array of strings', tags)
  if (tags.length > 64) throw new ConfigError(option, 'at most 64 tags', tags)
  tags.forEach((tag, i) => {
    checkName(`${option}[${i}]`, tag)
  })
  return tags.length < 2 ? tags : [...new Set(tags)]
}

function resolveReadFrom({
  readFrom,
  memory,
}: Pick<CacheOptions<unknown>, 'readFrom' | 'memory'>): 'primary' | 'replica' | undefined {
  if (readFrom === undefined) return undefined
  checkOneOf('readFrom', readFrom, ['primary', 'replica'])
  // What is kept in memory is trusted by the primary's news of it; a replica may be behind that news.
  if (readFrom === 'replica' && memory) throw new ConfigError('readFrom', "'primary', since there is memory", readFrom)
  return readFrom
}

function resolveMemory(memory: unknown, ttlMs: number): ResolvedCacheOptions['memory'] {
  if (memory === undefined || memory === false) return undefined
  if (typeof memory !== 'object' || memory === null)
    throw new ConfigError('memory', 'false or { maxEntries, maxBytes, ttl }', memory)
  checkKnown('memory', memory, ['maxEntries', 'maxBytes', 'ttl'])
  const { maxEntries = 10_000, maxBytes = 64 * 1024 * 1024, ttl = ttlMs } = memory as MemoryOptions
  return {
    maxEntries: checkInteger('memory.maxEntries', maxEntries, 1, 10_000_000),
    maxBytes: checkInteger('memory.maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER),
    ttlMs: toMs(ttl, 'memory.ttl'),
  }
}
