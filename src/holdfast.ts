import { Analytics, type AnalyticsOptions } from './analytics/index.ts'
import { type ResolvedAnalyticsOptions, resolveAnalyticsOptions } from './analytics/options.ts'
import { checkKnown, checkName } from './base/check.ts'
import { type Duration, toMs } from './base/duration.ts'
import { ConfigError, ConnectionError } from './base/errors.ts'
import { Named } from './base/named.ts'
import { Breaker, type BreakerOptions } from './breaker/index.ts'
import { type ResolvedBreakerOptions, resolveBreakerOptions } from './breaker/options.ts'
import { Cache, type CacheOptions, type SureLoad } from './cache/index.ts'
import { type ResolvedCacheOptions, resolveCacheOptions } from './cache/options.ts'
import { Requests } from './cache/per-request.ts'
import { Geo, type GeoOptions } from './geo/index.ts'
import { resolveSplit } from './geo/options.ts'
import { Limiter, type LimiterOptions } from './limit/index.ts'
import { type ResolvedLimiterOptions, resolveLimiterOptions } from './limit/options.ts'
import {
  Leader,
  type LeaderOptions,
  Lock,
  type LockOptions,
  LockSet,
  type OnceOptions,
  Quorum,
  type QuorumOptions,
  RwLock,
  Semaphore,
  type SemaphoreOptions,
  type Term,
} from './lock/index.ts'
import { Once } from './lock/once.ts'
import { LockRoom } from './lock/room.ts'
import { Log, type LogOptions } from './log/index.ts'
import { type ResolvedLogOptions, resolveLogOptions } from './log/options.ts'
import { Monitor, type MonitorOptions } from './monitor/index.ts'
import { type ResolvedMonitorOptions, resolveMonitorOptions } from './monitor/options.ts'
import type { Queue, QueueOptions } from './queue/index.ts'
import { resolveQueueOptions } from './queue/options.ts'
import { QueueRoom } from './queue/room.ts'
import type { Pool } from './redis/pool/pool.ts'
import { Redis } from './redis/redis.ts'
import type { ConnectOptions as RedisOptions } from './redis/settings.ts'
import { resolveSettings } from './redis/settings.ts'
import { Events } from './seats/events.ts'
import { Seats, type SeatsOptions } from './seats/index.ts'
import { Sessions, type SessionsOptions } from './session/index.ts'
import type { InstanceFigures } from './telemetry/figures.ts'
import { listen } from './telemetry/listen.ts'
import { Value, type ValueOptions } from './value/index.ts'
import { ValueStore } from './value/store.ts'

export interface ConnectOptions extends RedisOptions {
  /** `hf.monitor`, and whether the library's own figures are written to Redis. */
  readonly monitor?: MonitorOptions
}

export interface PerRequestOptions {
  /** How old an answer may grow before Redis is asked again. Default: until the request ends. */
  readonly maxAge?: Duration
}

/**
 * One connection to Redis and everything that is done with it: builds each part when it is first asked for, and
 * closes what it built. Made by `connect`.
 */
export class Holdfast implements AsyncDisposable {
  readonly #redis: Redis
  #closed = false
  readonly #caches = new Named<Cache<unknown>, ResolvedCacheOptions>('cache')
  readonly #requests = new Requests()
  readonly #limiters = new Named<Limiter, ResolvedLimiterOptions>('limiter')
  readonly #logs = new Named<Log, ResolvedLogOptions>('log')
  readonly #breakers = new Named<Breaker, ResolvedBreakerOptions>('breaker')
  readonly #analytics = new Named<Analytics, ResolvedAnalyticsOptions>('analytics')
  #events: Events | undefined
  #values: ValueStore | undefined
  #locks: LockRoom | undefined
  #once: Once | undefined
  #queues: QueueRoom | undefined
  readonly #quorums = new Set<Quorum>()
  readonly #monitoring: ResolvedMonitorOptions
  #monitor: Monitor | undefined
  #stopListening: (() => void) | undefined

  /** @internal */
  constructor(redis: Redis, monitoring = resolveMonitorOptions(undefined)) {
    this.#redis = redis
    this.#monitoring = monitoring
    if (monitoring.publish) this.#publish()
  }

  #publish(): void {
    const { monitor } = this
    let told = 0
    monitor.addSource(() => {
      const hits = this.#caches.all.reduce((sum, { stats }) => sum + stats.hits.memory, 0)
      const anew = hits - told
      told = hits
      return [['holdfast.cache.memoryHits', anew]]
    })
    this.#stopListening = listen({
      ended: (name, { error }, ms) => monitor.observe(`holdfast.${name}`, error === undefined ? ms : undefined),
    })
  }

  /** @internal The way to Redis, for what is built on an instance beside its own parts. */
  static redisOf(hf: Holdfast): Redis {
    return hf.#redis
  }

  /** @internal The counts of every part that was made, for what exports them. */
  static figuresOf(hf: Holdfast): InstanceFigures {
    return {
      redis: hf.#redis.stats,
      pool: hf.#redis.pool.stats,
      caches: hf.#caches.map(({ stats }) => stats),
      limiters: hf.#limiters.map(({ stats }) => stats),
      breakers: hf.#breakers.map(({ stats }) => stats),
      analytics: hf.#analytics.map(({ stats }) => stats),
      monitorLost: hf.#monitor?.lost ?? 0,
    }
  }

  /**
   * Values by id, read through Redis. The same name with the same options is the same instance.
   *
   * name     any string of at most 512 bytes; one name holds one kind of value
   * options  `ttl` is required; see CacheOptions for all
   * throws   ConfigError for wrong options, or when the name is in use with others
   */
  cache<T = unknown>(name: string, options: CacheOptions<T> & { readonly load: SureLoad<T> }): Cache<T, T>
  cache<T = unknown>(name: string, options: CacheOptions<T>): Cache<T>
  cache<T>(name: string, options: CacheOptions<T>): Cache<T> {
    this.#refuseWhenClosed('cache')
    const resolved = resolveCacheOptions(options)
    const make = () =>
      new Cache<unknown>(this.#redis, name, resolved, this.#requests, this.#loaderBreaker(name, resolved.breaker))
    return this.#caches.get(name, resolved, options, make) as Cache<T>
  }

  /** A cache's own breaker is one of `hf.breaker` as well: told by figures, and to be had by its name. */
  #loaderBreaker(cache: string, breaker: ResolvedCacheOptions['breaker']): Breaker | undefined {
    if (breaker === undefined || breaker instanceof Breaker) return breaker
    const name = `cache:${cache}`
    return this.#breakers.get(name, breaker, breaker, () => new Breaker(this.#redis, name, breaker))
  }

  #refuseWhenClosed(operation: string): void {
    if (this.#closed) throw new ConnectionError('CONNECTION_CLOSED', operation, 'close() was called')
  }

  /**
   * Runs `work` as one request: within it, and all that it awaits, each id of a cache is asked of Redis once, and then answered by what was
   * read. What this process writes or invalidates meanwhile is seen at once, what others do by the next request, or after `maxAge`.
   * Nothing of it is left when what `work` answers has settled. Loaders run outside of it; called within a request it is part of that.
   *
   * maxAge   how old an answer may grow. Default: until the request ends
   * costs    from the first use on every promise of the process is slower, up to Node 22: it takes AsyncLocalStorage
   */
  async perRequest<R>(work: () => Promise<R> | R, options: PerRequestOptions = {}): Promise<R> {
    if (typeof work !== 'function') throw new ConfigError('work', 'a function', work)
    checkKnown('options', options, ['maxAge'])
    const { maxAge } = options
    return this.#requests.run(
      work,
      maxAge === undefined ? Number.POSITIVE_INFINITY : toMs(maxAge, 'maxAge', { min: 0 }),
    )
  }

  /**
   * The seats of one event, kept under one hash tag: hold, confirm, release, and a map that everybody can follow.
   *
   * id       any string of at most 512 bytes
   * options  see SeatsOptions
   */
  seats(id: string, options?: SeatsOptions): Seats {
    this.#events ??= new Events(this.#redis)
    return new Seats(this.#events, id, options)
  }

  /**
   * Sessions of users: fields of data behind ids that cannot be guessed, listed and revoked by user.
   *
   * options  `idle` '30m' and `absolute` '7d' by default; see SessionsOptions for all
   * throws   ConfigError for wrong options
   */
  sessions<T extends object = Record<string, unknown>>(options?: SessionsOptions): Sessions<T> {
    return new Sessions<T>(this.#redis, options)
  }

  /**
   * How much each id may, by one or many rules, for the whole fleet. The same name with the same options is the same instance.
   *
   * name     any string of at most 512 bytes
   * options  `rules` is required; see LimiterOptions for all
   * throws   ConfigError for wrong options, or when the name is in use with others
   */
  limiter(name: string, options: LimiterOptions): Limiter {
    const resolved = resolveLimiterOptions(options)
    return this.#limiters.get(name, resolved, options, () => new Limiter(this.#redis, name, resolved))
  }

  /**
   * A durable log of events for any number of groups of readers. The same name with the same options is the same instance.
   *
   * name     any string of at most 512 bytes
   * options  without `retention` nothing is ever removed; see LogOptions
   * throws   ConfigError for wrong options, or when the name is in use with others
   */
  log<T = unknown>(name: string, options?: LogOptions<T>): Log<T> {
    this.#refuseWhenClosed('log')
    const resolved = resolveLogOptions(options)
    return this.#logs.get(name, resolved, options, () => new Log(this.#redis, name, resolved)) as Log<T>
  }

  /**
   * Stops calling what fails, and tries again by one call at a time; with `shared`, for the whole fleet. The same name with the same options is
   * the same instance.
   *
   * name     any string of at most 512 bytes
   * options  5 failures in a row and a cooldown of '10s' by default; see BreakerOptions for all
   * throws   ConfigError for wrong options, or when the name is in use with others
   */
  breaker(name: string, options?: BreakerOptions): Breaker {
    const resolved = resolveBreakerOptions(options)
    return this.#breakers.get(name, resolved, options, () => new Breaker(this.#redis, name, resolved))
  }

  /**
   * What happens on a site: hits with their top items and visitors, events with their sums. The same name with the same options is the same
   * instance.
   *
   * name     any string of at most 512 bytes
   * options  see AnalyticsOptions
   * throws   ConfigError for wrong options, or when the name is in use with others
   */
  analytics(name: string, options?: AnalyticsOptions): Analytics {
    this.#refuseWhenClosed('analytics')
    const resolved = resolveAnalyticsOptions(options)
    return this.#analytics.get(name, resolved, options, () => new Analytics(this.#redis, name, resolved))
  }

  /**
   * Places on the earth by id, and which of them are near.
   *
   * name     any string of at most 512 bytes
   * options  see GeoOptions
   */
  geo(name: string, options?: GeoOptions): Geo {
    return new Geo(this.#redis, checkName('name', name), resolveSplit(options))
  }

  /**
   * One value that many processes change: `get`, `set`, `delete`, and `update`, which compares and sets.
   *
   * name     any string of at most 512 bytes; `Entry` is what its log holds
   * options  see ValueOptions
   */
  value<T, Entry = unknown>(name: string, options?: ValueOptions): Value<T, Entry> {
    this.#values ??= new ValueStore(this.#redis)
    return new Value<T, Entry>(this.#values, name, options)
  }

  /**
   * One holder at a time in the whole fleet, with a fence, first come first served.
   *
   * name     any string of at most 512 bytes
   * options  see LockOptions
   */
  lock(name: string, options?: LockOptions): Lock {
    return new Lock(this.#lockRoom, name, options)
  }

  /** Any number of readers, or one writer: `hf.rwLock(name).read()` and `.write()`, each with `run`, `acquire` and `tryAcquire`. */
  rwLock(name: string, options?: LockOptions): RwLock {
    return new RwLock(this.#lockRoom, name, options)
  }

  /** So many holders at a time in the whole fleet, first come first served. */
  semaphore(name: string, options: SemaphoreOptions): Semaphore {
    return new Semaphore(this.#lockRoom, name, options)
  }

  /** Several locks at once, all of them or none; what is held has the fence of each. */
  locks(names: readonly string[], options?: LockOptions): LockSet {
    return new LockSet(this.#lockRoom, names, options)
  }

  /** Stand for leader in the fleet, from now until its `close()`. */
  leader(name: string, options: LeaderOptions): Leader {
    return new Leader(this.#lockRoom, name, options)
  }

  /**
   * Run `work` once for this key in the whole fleet; everyone who asks gets its result, until `ttl` has passed.
   *
   * work    told `fence` and `signal`; what it returns must be storable, as a cache's values are
   * throws  what `work` throws, to the one who ran it: the next caller runs it again, unless `keepErrors`; LockTimeoutError after `wait`;
   *         OnceConflictError for another fingerprint; LockLostError when another may have run it too
   */
  once<T>(key: string, work: (term: Term) => Promise<T> | T, options: OnceOptions): Promise<T> {
    this.#once ??= new Once(this.#lockRoom)
    return this.#once.run(key, work, options)
  }

  /**
   * Jobs that are kept until they are done, in the whole fleet. The same name with the same options is the same instance.
   *
   * name     any string of at most 512 bytes; `T` is what its payloads are
   * options  see QueueOptions
   * throws   ConfigError for wrong options, or when the name is in use with others
   */
  queue<T = unknown>(name: string, options?: QueueOptions<T>): Queue<T> {
    this.#refuseWhenClosed('queue')
    this.#queues ??= new QueueRoom(this.#redis)
    return this.#queues.queue<T>(name, resolveQueueOptions(options), options)
  }

  /** Locks on at least 3 servers that know nothing of each other; closed with this instance, or by itself. */
  quorum(urls: readonly string[], options?: QuorumOptions): Quorum {
    this.#refuseWhenClosed('quorum')
    const quorum = new Quorum(urls, this.#redis.keyspace.namespace, options)
    this.#quorums.add(quorum)
    return quorum
  }

  get #lockRoom(): LockRoom {
    this.#locks ??= new LockRoom(this.#redis)
    return this.#locks
  }

  /** How often things happen, how long they take and how often they fail, in the whole fleet. */
  get monitor(): Monitor {
    this.#monitor ??= new Monitor(this.#redis, this.#monitoring)
    return this.#monitor
  }

  /** Connections of one's own, for WATCH, MULTI and EXEC, and for commands that block: `hf.pool.use(fn)`. */
  get pool(): Pool {
    return this.#redis.pool
  }

  /** Figures of this instance: calls under way, repeats, connections. */
  get stats() {
    return this.#redis.stats
  }

  /** What is known of the server. */
  get server() {
    return this.#redis.facts
  }

  /** Lets the commands under way, and for `timeout` those who use a connection of their own, end, then closes every connection; who waits for a loader is told CONNECTION_CLOSED. Calls made later reject with CONNECTION_CLOSED. */
  async close(): Promise<void> {
    this.#closed = true
    this.#stopListening?.()
    await this.#queues?.close()
    const parts = [this.#caches, this.#logs, this.#analytics, this.#quorums].flatMap((named) =>
      [...('all' in named ? named.all : named)].map((part) => part.close()),
    )
    await Promise.all([this.#monitor?.close(), this.#events?.close(), this.#locks?.close(), ...parts])
    await this.#redis.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

/**
 * Connects to Redis or Valkey.
 *
 * url      `redis://[user:pass@]host[:port][/db]`, `rediss://…`, `unix:///path`; default `REDIS_URL`, then `redis://127.0.0.1:6379`
 * returns  when the server has answered; with `{ lazy: true }` at once
 * throws   ConfigError for a wrong option; within `timeout`: TIMEOUT, CONNECTION_LOST, AUTH_FAILED or SERVER_UNFIT
 */
export function connect(url?: string | URL, options?: ConnectOptions): Promise<Holdfast>
export function connect(options?: ConnectOptions): Promise<Holdfast>
export async function connect(first?: string | URL | ConnectOptions, second?: ConnectOptions): Promise<Holdfast> {
  if (first instanceof URL) return connect(first.href, second)
  if (first !== undefined && typeof first !== 'string' && (typeof first !== 'object' || first === null))
    throw new ConfigError('url', 'a URL or an object of options', first)
  const url = typeof first === 'string' ? first : undefined
  const { monitor, ...options } = (typeof first === 'object' ? first : second) ?? {}
  const monitoring = resolveMonitorOptions(monitor)
  const settings = resolveSettings(url, options)
  const redis = new Redis(settings)
  if (!settings.lazy) await redis.connect()
  return new Holdfast(redis, monitoring)
}
