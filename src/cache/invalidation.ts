import { onEveryServer } from '../redis/everywhere.ts'
import type { Key } from '../redis/keyspace.ts'
import { asKey } from '../redis/keyspace.ts'
import type { Node } from '../redis/node.ts'
import type { Redis } from '../redis/redis.ts'
import { scanKeys } from '../redis/scan.ts'
import type { CacheKeys } from './keys.ts'
import { removeScript } from './lua.generated.ts'

/** Keys that are removed at once: less than 0.5 ms of the server. */
const MOST_AT_ONCE = 200

/**
 * Removes every entry whose id matches a glob and is meant, and voids every load of one that is under way.
 *
 * In two passes, and the order is the point. SCAN finds whatever stands from its start to its end, and may miss what comes meanwhile.
 * First all leases: when that pass has ended, no lease that was granted before it stands, so no load that began before can fill any
 * more. Then all entries: what such a load had filled until then stood before this pass began, and is found. Each goes together with its
 * lease: one that was granted between the passes, beside the value that was there, might otherwise renew that value.
 */
export async function removeMatching(
  redis: Redis,
  keys: CacheKeys,
  pattern: string,
  operation: string,
  isMeant: (id: string) => boolean = () => true,
): Promise<number> {
  const glob = keys.glob(pattern)
  const isMatch = (key: string) => {
    const id = keys.idOf(key)
    return id !== undefined && glob.matches(id) && isMeant(id)
  }
  const isLease = (key: string) => isMatch(key.slice('lease:'.length))
  await onEveryServer(redis, (node) => sweep(redis, node, glob.leases, isLease, operation, unlink(redis, operation)))
  const options = { operation, repeat: true }
  const removeEntries = async (lot: readonly Key[]) => {
    const pairs = lot.flatMap((key) => [key, keys.leaseOf(key)])
    return (await removeScript.run(redis, { pairs }, {}, options))[1]
  }
  const removed = await onEveryServer(redis, (node) =>
    sweep(redis, node, glob.entries, isMatch, operation, removeEntries),
  )
  return removed.reduce((sum, count) => sum + count, 0)
}

/** Removes what a cache keeps of its tags: their entries are gone, and a missing epoch means stale. */
export async function removeTags(redis: Redis, keys: CacheKeys, operation: string): Promise<void> {
  const pattern = `${keys.tagPrefix.replace(/tag:$/, '')}*`
  await onEveryServer(redis, (node) => sweep(redis, node, pattern, () => true, operation, unlink(redis, operation)))
}

async function sweep(
  redis: Redis,
  node: Node,
  pattern: string,
  matches: (key: string) => boolean,
  operation: string,
  remove: (lot: readonly Key[]) => Promise<number>,
): Promise<number> {
  let removed = 0
  for await (const found of scanKeys(node, pattern, operation)) {
    const keys = found.filter(matches).map(asKey)
    for (const lot of redis.groupByPlace(keys, (key: Key) => key, MOST_AT_ONCE)) removed += await remove(lot)
  }
  return removed
}

const unlink = (redis: Redis, operation: string) => async (lot: readonly Key[]) =>
  Number(await redis.call(lot[0] as Key, 'UNLINK', lot, { operation, repeat: true, needs: '+unlink' }))
