import type { Node } from '../../redis/node.ts'
import type { Redis } from '../../redis/redis.ts'
import { scanKeys } from '../../redis/scan.ts'
import { LayoutKeys } from '../../redis/shards/layout.ts'
import { KINDS, type Kind, ownerOf } from './kinds.ts'
import { type NamespaceOptions, withServers } from './servers.ts'

/** What a namespace holds. */
export interface NamespaceSurvey {
  readonly namespace: string
  /** Keys of all kinds. */
  readonly keys: number
  /** Those that are there, sorted: by name where many entities share one (`cache product`), else all of a kind together. */
  readonly kinds: readonly KindCount[]
  /** Keys that begin as those of the namespace do, and are of no kind that this version makes. They are not counted in `keys`. */
  readonly unknown: number
}

export interface KindCount {
  readonly kind: Kind
  /** Of the cache, the queue, …; undefined where entities of the kind have one name each. */
  readonly name: string | undefined
  readonly keys: number
}

/**
 * Counts the keys of a namespace, by a scan of every server, in lots. While keys move or come and go the figures are about right.
 *
 * throws  ConfigError; CONNECTION_LOST and the like where not every server can be asked; `signal.reason`
 * costs   1.6 ms of each server for 1,000 keys that it holds, whoever they belong to
 */
export function surveyNamespace(options: NamespaceOptions): Promise<NamespaceSurvey> {
  return withServers(options, async (servers) => {
    const tally = new Tally(options.namespace)
    await onEachServer(servers, async (redis, node) => {
      for await (const found of scanKeys(node, allOf(redis), 'namespace.survey')) {
        options.signal?.throwIfAborted()
        for (const key of found) tally.add(redis, key)
      }
    })
    return tally.survey
  })
}

/** To SCAN for all keys of the namespace, and for some that only look alike. */
export const allOf = (redis: Redis): string => new LayoutKeys(redis.keyspace).all

/** Visits every primary once. */
export async function onEachServer(
  servers: readonly Redis[],
  visit: (redis: Redis, node: Node) => Promise<void>,
): Promise<void> {
  await Promise.all(
    servers.map(async (redis) => {
      await redis.topology.confirm()
      await Promise.all(redis.topology.primaries().map((node) => visit(redis, node)))
    }),
  )
}

class Tally {
  readonly #namespace: string
  readonly #counts = new Map<string, { kind: Kind; name: string | undefined; keys: number }>()
  #unknown = 0

  constructor(namespace: string) {
    this.#namespace = namespace
  }

  add({ keyspace }: Redis, key: string): void {
    const owner = ownerOf(keyspace, key)
    if (owner === undefined) {
      this.#unknown++
      return
    }
    const { kind, names } = owner
    const name = KINDS[kind].length === 2 ? names[0] : undefined
    const id = `${kind} ${name ?? ''}`
    const known = this.#counts.get(id)
    if (known === undefined) this.#counts.set(id, { kind, name, keys: 1 })
    else known.keys++
  }

  get survey(): NamespaceSurvey {
    const kinds = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, counted]) => counted)
    const keys = kinds.reduce((sum, one) => sum + one.keys, 0)
    return { namespace: this.#namespace, keys, kinds, unknown: this.#unknown }
  }
}
