import { backoffMs } from '../base/backoff.ts'
import { monotonicMs } from '../base/clock.ts'
import type { Node } from './node.ts'
import { isOutage, type Redis } from './redis.ts'

/**
 * Visits every server that holds keys of ours, so that a key which stands from the start to the end is met at least once, also when
 * it goes to another server meanwhile.
 *
 * Where nothing moves, one pass over all servers is enough, and that nothing has moved is read from them before and after. Else
 * there is a second pass: a key that moves once was on its old server throughout the first, or is on its new one throughout the
 * second. A pass that a failover breaks is begun anew, as long as no pass has failed for a whole timeout.
 *
 * answers what every visit answered, of all passes
 */
export async function onEveryServer<T>(redis: Redis, visit: (node: Node) => Promise<T>): Promise<readonly T[]> {
  const { topology, timeoutMs } = redis
  const answers: T[] = []
  let failingSinceMs: number | undefined
  let whole = 0
  for (let attempt = 0; whole < 2; attempt++) {
    try {
      const before = await topology.confirm()
      answers.push(...(await Promise.all(topology.primaries().map(visit))))
      whole++
      failingSinceMs = undefined
      if ((await topology.confirm()) === before) break
    } catch (error) {
      const nowMs = monotonicMs()
      failingSinceMs ??= nowMs
      if (!isOutage(error) || !topology.canMove || nowMs - failingSinceMs > timeoutMs) throw error
      whole = 0
      await new Promise((resolve) => setTimeout(resolve, backoffMs(attempt, 20, 200)))
    }
  }
  return answers
}
