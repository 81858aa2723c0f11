/** What the house stands on: a server of the user's, or servers of our own that live as long as we do. */

import type { Duration } from 'holdfast'
import { startCluster, startSentinel, startServer, type TestCluster, type TestSentinel } from 'holdfast/testing'
import { canFailOver, type RedisAddress } from './address.ts'

/** What is started where no server is given. */
export type Layout = 'server' | 'cluster' | 'sentinel'

export interface Ground {
  readonly address: RedisAddress
  /** For people: which servers hold the seats. */
  readonly words: string
  /** Deadline of one request. */
  readonly timeout: Duration
  /** The group that we started, which a storm may break; undefined for anything else. */
  readonly group: TestCluster | TestSentinel | undefined
  /** False: somebody else's, never flushed, configured or killed, and left without a key of ours. */
  readonly isOurs: boolean
  stop(): Promise<void>
}

const TIMEOUT = '3s'
/** Outlasts a failover, and a second one on its heels: both groups notice a death after a second. */
const GROUP_TIMEOUT = '10s'
/** How long a group may take to come to rest, on a machine that is busy otherwise. */
const SETTLE = '60s'

const FORMS: readonly (readonly [form: RegExp, words: string])[] = [
  [/\+cluster:/i, 'the Cluster of REDIS_URL'],
  [/\+sentinel:/i, 'the Sentinel group of REDIS_URL'],
  [/\+shards:/i, 'the shards of REDIS_URL'],
]

export async function openGround(given: RedisAddress | undefined, layout: Layout): Promise<Ground> {
  if (given !== undefined)
    return {
      address: given,
      words: FORMS.find(([form]) => form.test(given.url))?.[1] ?? 'the Redis server of REDIS_URL',
      timeout: canFailOver(given) ? GROUP_TIMEOUT : TIMEOUT,
      group: undefined,
      isOurs: false,
      stop: async () => {},
    }
  if (layout === 'cluster') return clusterGround()
  if (layout === 'sentinel') return sentinelGround()
  const server = await startServer()
  return {
    address: { url: server.url },
    words: `a private ${server.kind} ${server.version}`,
    timeout: TIMEOUT,
    group: undefined,
    isOurs: true,
    stop: () => server.stop(),
  }
}

async function clusterGround(): Promise<Ground> {
  // Names that do not resolve: as behind NAT or in containers, nothing is reached without the map.
  const cluster = await startCluster({ announceHostnames: true, timeout: SETTLE })
  const [first] = cluster.nodes
  return {
    address: { url: cluster.url, addressMap: cluster.addressMap },
    words:
      `a private Cluster of ${first?.kind} ${first?.version}, 3 primaries and 3 replicas, ` +
      'under names that do not resolve, by an address map',
    timeout: GROUP_TIMEOUT,
    group: cluster,
    isOurs: true,
    stop: () => cluster.stop(),
  }
}

async function sentinelGround(): Promise<Ground> {
  const group = await startSentinel({ timeout: SETTLE })
  const [first] = group.servers
  return {
    address: { url: group.url },
    words: `a private Sentinel group of ${first?.kind} ${first?.version}, 1 primary, 2 replicas, 3 Sentinels`,
    timeout: GROUP_TIMEOUT,
    group,
    isOurs: true,
    stop: () => group.stop(),
  }
}
