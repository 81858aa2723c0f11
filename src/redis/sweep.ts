import { onEveryServer } from './everywhere.ts'
import { asKey, type Key } from './keyspace.ts'
import type { Node } from './node.ts'
import { isOutage, type Redis } from './redis.ts'
import { scanKeys } from './scan.ts'
import { LayoutKeys } from './shards/layout.ts'

/** Keys of one UNLINK: about 0.2 ms of the server. */
const MOST_PER_UNLINK = 250

/** Removes every key that matches `pattern` and is there when this is called, beside other callers' commands: all servers are looked through. */
export async function removeMatching(redis: Redis, pattern: string, operation: string): Promise<void> {
  await onEveryServer(redis, async (node) => {
    for await (const found of scanKeys(node, pattern, operation))
      for (const lot of redis.groupByPlace(found.map(asKey), (key: Key) => key, MOST_PER_UNLINK))
        await redis.call(lot[0] as Key, 'UNLINK', lot, { operation, repeat: true })
  })
}

/** Whether there is any key of the instance's namespace, beside the list of shards, which an instance writes by itself. */
export async function holdsKeys(redis: Redis, operation: string): Promise<boolean> {
  const keys = new LayoutKeys(redis.keyspace)
  const found = await onEveryServer(redis, async (node) => {
    for await (const lot of scanKeys(node, keys.all, operation)) if (lot.some((key) => keys.isOwn(key))) return true
    return false
  })
  return found.includes(true)
}

/**
 * Removes every key of the instance's namespace, each where it was found: also those that are of a server and not of its keys. For
 * namespaces that were made for a while, and that nobody uses any more. Answers how many.
 */
export async function removeNamespace(redis: Redis, operation: string): Promise<number> {
  const { all } = new LayoutKeys(redis.keyspace)
  const removed = await onEveryServer(redis, async (node) => {
    let count = 0
    for await (const found of scanKeys(node, all, operation))
      count += (await Promise.all(found.map((key) => unlink(node, key, operation)))).filter(Boolean).length
    return count
  })
  return removed.reduce((sum, count) => sum + count, 0)
}

/** One by one: those of one server may be of many slots. */
async function unlink(node: Node, key: string, operation: string): Promise<boolean> {
  return (await node.call('UNLINK', [key], { operation, repeat: true, needs: '+unlink' })) === 1
}

/** How many keys there are on all servers together, of whatever namespace; undefined where the user may not ask. */
export async function countAllKeys(redis: Redis, operation: string): Promise<number | undefined> {
  try {
    const ask = async (node: Node) => Number(await node.call('DBSIZE', [], { operation, repeat: true }))
    return (await onEveryServer(redis, ask)).reduce((sum, count) => sum + count, 0)
  } catch (error) {
    if (isOutage(error)) throw error
    return undefined
  }
}
