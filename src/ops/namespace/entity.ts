import { asKey, type Key } from '../../redis/keyspace.ts'
import { isOutage, type Redis } from '../../redis/redis.ts'
import { scanKeys } from '../../redis/scan.ts'
import { slotOf } from '../../redis/slots.ts'
import type { Reply } from '../../redis/wire.ts'
import { checkChoice, isOf, type Kind, ownerOf, patternOf, tagOf } from './kinds.ts'
import { type NamespaceOptions, withServers } from './servers.ts'
import { onEachServer } from './survey.ts'

export interface FindKeysOptions extends NamespaceOptions {
  /** Of what: `cache`, `lock`, `queue`, … */
  readonly kind: string
  /** As the program has them, from the first on: `['product', '42']`, `['product']`. Default none: all of the kind. */
  readonly names?: readonly string[]
  /** The search ends with so many. Default 1,000. */
  readonly limit?: number
}

export interface FoundKeys {
  readonly namespace: string
  readonly kind: Kind
  readonly names: readonly string[]
  /**
   * The key of the entity, whose hash tag every key of it has, whether there is any or not; undefined where not all names are given. Entries
   * of a cache with write-behind have other tags.
   */
  readonly key: string | undefined
  /** Of that key, on a Cluster or elsewhere. */
  readonly slot: number | undefined
  readonly keys: readonly FoundKey[]
  /** False: there may be more. */
  readonly complete: boolean
}

export interface FoundKey {
  readonly key: string
  readonly type: string
  /** When it ends by itself; undefined where it never does. */
  readonly endsInMs: number | undefined
  /** Memory that it takes, from a sample of its parts; undefined where the server's user may not ask. */
  readonly bytes: number | undefined
  readonly server: string
}

/**
 * Looks for the keys of an entity, or of all that have a name or a kind, by a scan of every server. Changes nothing.
 *
 * throws  ConfigError for a kind that there is not, and for too many names; else as `surveyNamespace`
 * costs   as `surveyNamespace`, and three commands for each key that is found
 */
export async function findKeys(options: FindKeysOptions): Promise<FoundKeys> {
  const { kind, names = [], limit = 1_000, ...place } = options
  const choice = checkChoice(kind, names)
  return withServers(place, async (servers) => {
    const found = new Map<string, FoundKey>()
    let complete = true
    await onEachServer(servers, async (redis, node) => {
      for await (const lot of scanKeys(node, patternOf(redis.keyspace, choice), 'keys.find')) {
        place.signal?.throwIfAborted()
        const own = lot.filter((key) => {
          const owner = ownerOf(redis.keyspace, key)
          return owner !== undefined && isOf(choice, owner) && !found.has(key)
        })
        const looked = await Promise.all(own.map((key) => look(redis, asKey(key), node.address)))
        for (const one of looked) {
          if (one === undefined || found.has(one.key)) continue
          if (found.size >= limit) complete = false
          else found.set(one.key, one)
        }
        if (!complete) return
      }
    })
    const tag = tagOf((servers[0] as Redis).keyspace, choice)
    const keys = [...found.values()].sort((a, b) => (a.key < b.key ? -1 : 1))
    return { namespace: place.namespace, ...choice, key: tag, slot: tag && slotOf(tag), keys, complete }
  })
}

/** Undefined where it has ended meanwhile. */
async function look(redis: Redis, key: Key, server: string): Promise<FoundKey | undefined> {
  const options = { operation: 'keys.find', repeat: true }
  const [type, ttl, bytes] = await Promise.all([
    redis.call(key, 'TYPE', [key], { ...options, needs: '+type' }),
    redis.call(key, 'PTTL', [key], { ...options, needs: '+pttl' }),
    redis.call(key, 'MEMORY', ['USAGE', key], options).catch((error): Reply => {
      if (isOutage(error)) throw error
      return null
    }),
  ])
  if (type === 'none') return undefined
  const endsInMs = Number(ttl) < 0 ? undefined : Number(ttl)
  return { key, type: String(type), endsInMs, bytes: bytes === null ? undefined : Number(bytes), server }
}
