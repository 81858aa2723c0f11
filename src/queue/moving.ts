import type { Redis } from '../redis/redis.ts'
import { bellPrefix, type ShardKeys } from '../stream/keys.ts'
import { moveScript } from '../stream/lua.generated.ts'
import { parentOf } from './keys.ts'

/**
 * Changes the priority of a job that waits in no lane, or takes it away. False where it is none of those.
 *
 * priority  the new one; '' takes the job away
 */
export async function moveJob(
  redis: Redis,
  shard: ShardKeys,
  id: string,
  priority: string,
  operation: string,
): Promise<boolean> {
  const { state, delayed, ids, bodies, ranked, grouped, parked, idle, wake } = shard
  const keys = {
    state,
    delayed,
    ids,
    bodies,
    ranked,
    grouped,
    parked,
    idle,
    wake,
    family: shard.family(id),
    kin: shard.family(parentOf(id)),
  }
  const args = { id, priority, channel: bellPrefix(redis.keyspace) }
  return (await moveScript.run(redis, keys, args, { operation, repeat: false }))[0] === 'moved'
}
