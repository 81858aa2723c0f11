import { HoldfastError, ServerError } from '../../base/errors.ts'
import { onEveryServer } from '../../redis/everywhere.ts'
import { asKey, type Key } from '../../redis/keyspace.ts'
import type { Node } from '../../redis/node.ts'
import type { Redis } from '../../redis/redis.ts'
import { scanKeys } from '../../redis/scan.ts'
import { LayoutKeys } from '../../redis/shards/layout.ts'
import { ownerOf } from './kinds.ts'
import { type NamespaceOptions, withServers } from './servers.ts'
import { allOf } from './survey.ts'

export interface RemoveNamespaceOptions extends NamespaceOptions {
  /** Told after each lot how many keys are gone. */
  readonly onProgress?: (removed: number) => void
}

export interface NamespaceRemoval {
  readonly namespace: string
  readonly removed: number
}

const OPERATION = 'namespace.remove'
/** Keys of one UNLINK: about 0.2 ms of the server. */
const MOST_PER_UNLINK = 250

/**
 * Removes every key of a namespace, of each kind that this version makes, and none of another: in lots, beside other callers' commands.
 * What a program writes into it meanwhile may stay: stop it first.
 *
 * throws  CHANGE_REFUSED while shards are being moved; else as `surveyNamespace`. What was removed by then stays removed
 * costs   as `surveyNamespace`, and 1 µs for each key
 */
export function removeNamespace(options: RemoveNamespaceOptions): Promise<NamespaceRemoval> {
  const { onProgress, ...place } = options
  const { namespace, signal } = place
  return withServers(place, async (servers) => {
    await Promise.all(servers.map(refuseWhileMoving))
    let removed = 0
    const sweep = (redis: Redis) =>
      onEveryServer(redis, async (node) => {
        for await (const found of scanKeys(node, allOf(redis), OPERATION)) {
          const own = found.filter((key) => ownerOf(redis.keyspace, key) !== undefined).map(asKey)
          for (const lot of lotsOf(redis, own)) {
            signal?.throwIfAborted()
            const gone = await Promise.all(lot.map((keys) => unlink(redis, node, keys)))
            // Not `+= await`: servers are gone through side by side.
            removed += gone.reduce((sum, n) => sum + n, 0)
            onProgress?.(removed)
          }
        }
      })
    await Promise.all(servers.map(sweep))
    return { namespace, removed }
  })
}

/** A list of shards that is taken from under a move would leave keys where nobody looks for them. */
async function refuseWhileMoving(redis: Redis): Promise<void> {
  const { mover } = new LayoutKeys(redis.keyspace)
  const options = { operation: OPERATION, repeat: true, needs: needsOf(redis) }
  if ((await redis.call(mover, 'EXISTS', [mover], options)) === 0) return
  const why = `the shards of '${redis.keyspace.namespace}' are being moved; wait until that has ended`
  throw new HoldfastError('CHANGE_REFUSED', `${OPERATION}: ${why}`, { retryable: true })
}

/** What is removed at a time: commands whose keys are of one slot each. */
function* lotsOf(redis: Redis, keys: readonly Key[]): Generator<readonly (readonly Key[])[]> {
  let open: (readonly Key[])[] = []
  let size = 0
  for (const lot of redis.groupByPlace(keys, (key) => key, MOST_PER_UNLINK)) {
    open.push(lot)
    size += lot.length
    if (size < MOST_PER_UNLINK) continue
    yield open
    open = []
    size = 0
  }
  if (open.length > 0) yield open
}

/** Where they were found; or, where a slot is on its way, one by one wherever each is. */
async function unlink(redis: Redis, node: Node, keys: readonly Key[]): Promise<number> {
  const options = { operation: OPERATION, repeat: true, needs: needsOf(redis) }
  try {
    return Number(await node.call('UNLINK', keys, options))
  } catch (error) {
    if (!(error instanceof ServerError) || !/^(MOVED|ASK)$/.test(error.reply)) throw error
    const each = await Promise.all(keys.map((key) => redis.call(key, 'UNLINK', [key], options)))
    return each.reduce<number>((sum, n) => sum + Number(n), 0)
  }
}

const needsOf = (redis: Redis): string => `+scan +unlink +exists ~${allOf(redis)}`
