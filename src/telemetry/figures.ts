import type { MetricName } from './metrics.ts'

/** The counts that one instance keeps, each room's by name. */
export interface InstanceFigures {
  readonly redis: {
    readonly pending: number
    readonly repeats: number
    readonly redirects: number
    readonly failovers: number
    readonly connections: number
    readonly ready: boolean
  }
  readonly pool: {
    readonly idle: number
    readonly inUse: number
    readonly waiting: number
    readonly opened: number
    readonly evicted: number
    readonly discarded: number
    readonly timeouts: number
  }
  readonly caches: ReadonlyMap<string, CacheFigures>
  readonly limiters: ReadonlyMap<
    string,
    {
      readonly allowed: number
      readonly refused: number
      readonly remembered: number
      readonly withoutRedis: number
    }
  >
  readonly breakers: ReadonlyMap<
    string,
    {
      readonly state: string
      readonly succeeded: number
      readonly failed: number
      readonly refused: number
      readonly opened: number
    }
  >
  readonly analytics: ReadonlyMap<
    string,
    { readonly pending: number; readonly flushed: number; readonly dropped: number; readonly crowded: number }
  >
  readonly monitorLost: number
}

interface CacheFigures {
  readonly hits: Readonly<Record<'memory' | 'redis' | 'stale' | 'request', number>>
  readonly misses: number
  readonly missesBy: object
  readonly loads: number
  readonly loadFailures: number
  readonly loadTimeouts: number
  readonly loadsRefused: number
  readonly joined: number
  readonly waited: number
  readonly voided: number
  readonly withoutRedis: number
  readonly memory: { readonly entries: number; readonly bytes: number; readonly misses: object }
}

/** One number of one metric. */
export interface Sample {
  readonly metric: MetricName
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** What an instance counted, as samples of the registry. */
export function samplesOf(figures: InstanceFigures): readonly Sample[] {
  const samples: Sample[] = []
  const add = (metric: MetricName, value: number, labels: Readonly<Record<string, string>> = {}) =>
    void samples.push({ metric, labels, value })
  const { redis, pool } = figures
  add('holdfast_redis_pending_calls', redis.pending)
  add('holdfast_redis_retries_total', redis.repeats)
  add('holdfast_redis_redirects_total', redis.redirects)
  add('holdfast_redis_failovers_total', redis.failovers)
  add('holdfast_redis_connections_total', redis.connections)
  add('holdfast_redis_ready', redis.ready ? 1 : 0)
  add('holdfast_pool_connections', pool.idle, { state: 'idle' })
  add('holdfast_pool_connections', pool.inUse, { state: 'used' })
  add('holdfast_pool_waiting', pool.waiting)
  add('holdfast_pool_opened_total', pool.opened)
  add('holdfast_pool_evicted_total', pool.evicted)
  add('holdfast_pool_discarded_total', pool.discarded)
  add('holdfast_pool_timeouts_total', pool.timeouts)
  for (const [cache, stats] of figures.caches) addCache(add, cache, stats)
  for (const [limiter, stats] of figures.limiters) {
    add('holdfast_limit_decisions_total', stats.allowed, { limiter, decision: 'allowed' })
    add('holdfast_limit_decisions_total', stats.refused, { limiter, decision: 'refused' })
    add('holdfast_limit_remembered_total', stats.remembered, { limiter })
    add('holdfast_limit_without_redis_total', stats.withoutRedis, { limiter })
  }
  for (const [breaker, stats] of figures.breakers) {
    for (const state of ['closed', 'open', 'half-open'])
      add('holdfast_breaker_state', stats.state === state ? 1 : 0, { breaker, state })
    for (const result of ['succeeded', 'failed', 'refused'] as const)
      add('holdfast_breaker_calls_total', stats[result], { breaker, result })
    add('holdfast_breaker_opened_total', stats.opened, { breaker })
  }
  for (const [analytics, stats] of figures.analytics) {
    add('holdfast_analytics_pending_marks', stats.pending, { analytics })
    add('holdfast_analytics_flushed_total', stats.flushed, { analytics })
    add('holdfast_analytics_dropped_total', stats.dropped, { analytics })
    add('holdfast_analytics_crowded_total', stats.crowded, { analytics })
  }
  add('holdfast_monitor_lost_total', figures.monitorLost)
  return samples
}

type Add = (metric: MetricName, value: number, labels: Readonly<Record<string, string>>) => void

function addCache(add: Add, cache: string, stats: CacheFigures): void {
  for (const result of ['memory', 'redis', 'stale', 'request'] as const)
    add('holdfast_cache_requests_total', stats.hits[result], { cache, result })
  add('holdfast_cache_requests_total', stats.misses, { cache, result: 'miss' })
  for (const [reason, count] of Object.entries(stats.missesBy))
    add('holdfast_cache_misses_total', count as number, { cache, reason })
  add('holdfast_cache_loads_total', stats.loads, { cache })
  add('holdfast_cache_load_failures_total', stats.loadFailures, { cache })
  add('holdfast_cache_load_timeouts_total', stats.loadTimeouts, { cache })
  add('holdfast_cache_loads_refused_total', stats.loadsRefused, { cache })
  add('holdfast_cache_joined_total', stats.joined, { cache })
  add('holdfast_cache_waited_total', stats.waited, { cache })
  add('holdfast_cache_voided_total', stats.voided, { cache })
  add('holdfast_cache_without_redis_total', stats.withoutRedis, { cache })
  add('holdfast_cache_memory_entries', stats.memory.entries, { cache })
  add('holdfast_cache_memory_bytes', stats.memory.bytes, { cache })
  for (const [reason, count] of Object.entries(stats.memory.misses))
    add('holdfast_cache_memory_misses_total', count as number, { cache, reason })
}
