import { analytics } from './checks/analytics.ts'
import { batchPublishing } from './checks/batch-publishing.ts'
import { breaker } from './checks/breaker.ts'
import { cacheAside } from './checks/cache-aside.ts'
import { deadLetters } from './checks/dead-letters.ts'
import { eventLog } from './checks/event-log.ts'
import { geo } from './checks/geo.ts'
import { handOver } from './checks/hand-over.ts'
import { httpCache } from './checks/http-cache.ts'
import { invalidatePattern, invalidateTag } from './checks/invalidation.ts'
import { leader } from './checks/leader.ts'
import { limits } from './checks/limits.ts'
import { lock } from './checks/lock.ts'
import { memoryTier } from './checks/memory-tier.ts'
import { monitoring } from './checks/monitoring.ts'
import { nullCaching } from './checks/null-caching.ts'
import { once } from './checks/once.ts'
import { optimistic } from './checks/optimistic.ts'
import { pipeline } from './checks/pipeline.ts'
import { pool } from './checks/pool.ts'
import { priorityQueue } from './checks/priority-queue.ts'
import { queryCache } from './checks/query-cache.ts'
import { queue } from './checks/queue.ts'
import { quorum } from './checks/quorum.ts'
import { schedules } from './checks/schedules.ts'
import { seats } from './checks/seats.ts'
import { session } from './checks/session.ts'
import { lockSet, rwLock, semaphore } from './checks/shared-locks.ts'
import { stampede } from './checks/stampede.ts'
import { takeover } from './checks/takeover.ts'
import { writeBehind } from './checks/write-behind.ts'
import { writeThrough } from './checks/write-through.ts'
import type { Check } from './stage.ts'

/** Every check, in the order in which they run: the nine patterns that people begin with, and then the rest. */
export const CHECKS: readonly Check[] = [
  ...[cacheAside, writeThrough, lock, optimistic, queue, priorityQueue, pipeline, pool, monitoring],
  ...[invalidateTag, invalidatePattern, memoryTier, stampede, nullCaching, writeBehind, queryCache, httpCache],
  ...[batchPublishing, semaphore, rwLock, lockSet, handOver, leader, once, quorum],
  ...[deadLetters, schedules, takeover, ...limits, session, analytics, geo, breaker, seats, eventLog],
]
