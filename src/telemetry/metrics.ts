/** One metric: as Prometheus names it, and what stands in docs/telemetry.md. */
export interface MetricFacts {
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly help: string
}

const counter = (labels: string, help: string): MetricFacts => ({ type: 'counter', labels: split(labels), help })
const gauge = (labels: string, help: string): MetricFacts => ({ type: 'gauge', labels: split(labels), help })
const histogram = (labels: string, help: string): MetricFacts => ({ type: 'histogram', labels: split(labels), help })
const split = (labels: string) => (labels === '' ? [] : labels.split(' '))

/** Every metric of the library itself. Keys, ids and users are never labels. */
export const METRICS = {
  holdfast_operations_total: counter('operation outcome', 'Operations of this process that have ended'),
  holdfast_operation_duration_seconds: histogram('operation', 'How long operations took'),
  holdfast_cache_requests_total: counter('cache result', 'Reads of a cache: memory, redis, stale, request, miss'),
  holdfast_cache_misses_total: counter('cache reason', 'Misses by what Redis had, or why it could not be served'),
  holdfast_cache_loads_total: counter('cache', 'Loads that were begun'),
  holdfast_cache_load_failures_total: counter('cache', 'Loads that failed'),
  holdfast_cache_load_timeouts_total: counter('cache', 'Loads that took longer than loader.hardTimeout'),
  holdfast_cache_loads_refused_total: counter('cache', 'Loads that were not begun, since loader.breaker was open'),
  holdfast_cache_joined_total: counter(
    'cache',
    'Reads answered by a load that another caller of this process had begun',
  ),
  holdfast_cache_waited_total: counter('cache', 'Reads answered by the load of another process'),
  holdfast_cache_voided_total: counter('cache', 'Loads whose value was not kept, since it was invalidated meanwhile'),
  holdfast_cache_without_redis_total: counter('cache', 'Reads answered without Redis, because it could not be asked'),
  holdfast_cache_memory_misses_total: counter('cache reason', 'Why the tier in memory could not answer'),
  holdfast_cache_memory_entries: gauge('cache', 'Entries in memory'),
  holdfast_cache_memory_bytes: gauge('cache', 'What entries in memory take, about'),
  holdfast_limit_decisions_total: counter('limiter decision', 'Turns that were allowed or refused'),
  holdfast_limit_remembered_total: counter('limiter', 'Turns refused without asking, since a refusal was remembered'),
  holdfast_limit_without_redis_total: counter('limiter', 'Turns answered without Redis, because it could not be asked'),
  holdfast_breaker_state: gauge('breaker state', '1 for the state that a breaker is in'),
  holdfast_breaker_calls_total: counter('breaker result', 'Calls that succeeded, failed, or were refused'),
  holdfast_breaker_opened_total: counter('breaker', 'Times that a breaker opened'),
  holdfast_analytics_pending_marks: gauge('analytics', 'Marks that wait to be sent'),
  holdfast_analytics_flushed_total: counter('analytics', 'Marks that Redis has counted'),
  holdfast_analytics_dropped_total: counter(
    'analytics',
    'Calls that were not counted: no room here, or of no time that is kept',
  ),
  holdfast_analytics_crowded_total: counter('analytics', 'Marks that a bucket of Redis had no room for'),
  holdfast_redis_pending_calls: gauge('', 'Calls to Redis without an answer yet'),
  holdfast_redis_retries_total: counter('', 'Calls sent again after a broken connection or a refusal for now'),
  holdfast_redis_redirects_total: counter('', 'Calls sent on to another server, because it has the key now'),
  holdfast_redis_failovers_total: counter('', 'Times that another server took over'),
  holdfast_redis_connections_total: counter('', 'Connections for commands that were opened'),
  holdfast_redis_ready: gauge('', '1 while every server that holds keys has a connection'),
  holdfast_pool_connections: gauge('state', 'Connections of the pool that are idle or in use'),
  holdfast_pool_waiting: gauge('', 'Callers that wait for a connection of the pool'),
  holdfast_pool_opened_total: counter('', 'Connections of the pool that were opened'),
  holdfast_pool_evicted_total: counter('', 'Connections of the pool that were closed because nobody used them'),
  holdfast_pool_discarded_total: counter('', 'Connections of the pool that were given up'),
  holdfast_pool_timeouts_total: counter('', 'Callers of the pool that waited in vain'),
  holdfast_monitor_lost_total: counter('', 'Values of hf.monitor that were given up'),
} as const satisfies Readonly<Record<string, MetricFacts>>

export type MetricName = keyof typeof METRICS

/** Upper bounds of the buckets of durations, in seconds: the stable ones of OpenTelemetry, and finer below. */
export const DURATION_BOUNDS = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
]
