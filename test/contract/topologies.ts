import {
  startCluster,
  startSentinel,
  startServer,
  type TestCluster,
  type TestSentinel,
  type TestServer,
} from 'holdfast/testing'
import { SLOTS } from '../../src/redis/slots.ts'
import type { Variant } from './variants.ts'

/** Servers that run, as far as another process must know them. Nothing about them changes while they do. */
export interface Running {
  /** In the library's form, without credentials. */
  readonly url: string
  readonly addressMap: Readonly<Record<string, string>>
  /** Ports of the servers whose keys are ours, in the order of the shards' names. */
  readonly primaries: readonly number[]
  readonly replicas: readonly number[]
  readonly sentinels: readonly number[]
  /** Which of the primaries owns which slots of a Cluster: the first slot, the last, and the port. */
  readonly slots: readonly (readonly [first: number, last: number, port: number])[]
}

/** The names of the shards, in the order of `primaries`. */
export const SHARDS = ['a', 'b', 'c']

/**
 * No server of these suites is ever away; a machine with too much to do must not make one look so, for the primaries are taken to
 * stay what they are.
 */
const PATIENCE = '60s'

/** Starts the servers of one topology. What cannot start rejects: that is a failure, and nothing is skipped. */
export async function startTopology({
  kind,
  product,
}: Variant): Promise<{ readonly running: Running; stop(): Promise<void> }> {
  const binary = `${product}-server`
  const group = { binary, appendOnly: false, timeout: '60s' } as const
  switch (kind) {
    case 'standalone': {
      const server = await startServer({ binary })
      return { running: describe(server.url, [server]), stop: () => server.stop() }
    }
    case 'shards': {
      const servers = await Promise.all(SHARDS.map(() => startServer({ binary })))
      const places = servers.map(({ host, port }, i) => `${SHARDS[i]}=${host}:${port}`)
      return {
        running: describe(`redis+shards://${places.join(',')}`, servers),
        stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
      }
    }
    case 'sentinel': {
      const sentinel = await startSentinel({ ...group, replicas: 2, sentinels: 3, downAfter: PATIENCE })
      return { running: await describeSentinel(sentinel), stop: () => sentinel.stop() }
    }
    case 'cluster': {
      // Names that never resolve: whatever does not go through the address map fails.
      const cluster = await startCluster({ ...group, announceHostnames: true, nodeTimeout: PATIENCE })
      return { running: await describeCluster(cluster), stop: () => cluster.stop() }
    }
  }
}

const ports = (servers: readonly TestServer[]): readonly number[] => servers.map(({ port }) => port)

function describe(url: string, primaries: readonly TestServer[]): Running {
  return { url, addressMap: {}, primaries: ports(primaries), replicas: [], sentinels: [], slots: [] }
}

async function describeSentinel(group: TestSentinel): Promise<Running> {
  const primary = await group.primary()
  return {
    ...describe(group.url, [primary]),
    replicas: ports(group.servers.filter((server) => server !== primary)),
    sentinels: ports(group.sentinels),
  }
}

async function describeCluster(cluster: TestCluster): Promise<Running> {
  const primaries = await cluster.primaries()
  const rows = await (primaries[0] as TestServer).command<[number, number, [string, number]][]>('CLUSTER', 'SLOTS')
  const slots = rows.map(([first, last, [, port]]) => [first, last, port] as const)
  const owned = slots.reduce((sum, [first, last]) => sum + last - first + 1, 0)
  if (owned !== SLOTS) throw new Error(`the cluster shows the owners of ${owned} slots, of ${SLOTS}`)
  return {
    ...describe(cluster.url, primaries),
    addressMap: cluster.addressMap,
    replicas: ports(cluster.nodes.filter((node) => !primaries.includes(node))),
    slots,
  }
}
