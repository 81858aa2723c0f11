// Where the queue lives: real servers of each topology, and what can be done to them.
import { openClusterAdmin } from 'holdfast/ops'
import { startCluster, startSentinel, startServer, type TestServer } from 'holdfast/testing'
import { slotOf } from '../../../src/redis/slots.ts'
import type { Chance } from './chance.ts'
import { QUEUE } from './jobs.ts'

export type Topology = 'standalone' | 'sentinel' | 'cluster'

/** Calls wait for so long through a failover: twice the time after which a server is called dead, and more. */
export const TIMEOUT_MS = 10_000

/**
 * A server may hold back what it writes to its file while an earlier flush runs, but never for longer (redis.conf, appendfsync everysec); then
 * what it has acknowledged dies with it.
 */
const EVERYSEC_MS = 2_000
/** Replicas are this far behind at most when their primary is killed, on a machine that is as busy as this one. */
const BEHIND_MS = 1_000

/** `forgets`: around `work` the server may forget what it acknowledged, from so long before it. */
export interface Stage {
  readonly chance: Chance
  forgets(cause: string, beforeMs: number, work: () => Promise<unknown>): Promise<void>
}

/** `kills`: so many workers. */
export type Fault = readonly [name: string, make: (stage: Stage) => Promise<unknown>, kills?: number]

export interface Site {
  readonly url: string
  readonly addressMap?: Readonly<Record<string, string>>
  readonly shards: number
  /** Replicas of each primary. */
  readonly replicas: number
  /** What is done to servers here, and nowhere else. */
  readonly faults: readonly Fault[]
  /** The server that has the shard now. */
  primaryOf(shard: number): Promise<TestServer>
  primaries(): Promise<readonly TestServer[]>
  stop(): Promise<void>
}

export const tagOf = (namespace: string, shard: number): string => `{${namespace}:queue:${QUEUE}:${shard}}`

/** `tag`: the hash tag of each of three shards, those of the queue by default. */
export function openSite(topology: Topology, namespace: string, tag = tagOf): Promise<Site> {
  return { standalone: openStandalone, sentinel: openSentinel, cluster: openCluster }[topology](namespace, tag)
}

async function openStandalone(): Promise<Site> {
  const server = await startServer({ appendOnly: true, config: { appendfsync: 'always' } })
  const revive = async () => {
    await server.kill()
    await server.restart()
  }
  const faults: Fault[] = [
    ['server killed, appendfsync always', revive],
    [
      'server killed, appendfsync everysec',
      async ({ forgets }) => {
        await server.command('CONFIG', 'SET', 'appendfsync', 'everysec')
        await forgets('restart with appendfsync everysec', EVERYSEC_MS, () => server.kill())
        await server.restart()
      },
    ],
  ]
  const site = { url: server.url, shards: 1, replicas: 0, faults, primaryOf: async () => server }
  return { ...site, primaries: async () => [server], stop: () => server.stop() }
}

async function openSentinel(): Promise<Site> {
  const group = await startSentinel()
  const faults: Fault[] = [
    [
      'planned failover',
      async ({ forgets }) => {
        await group.settled()
        // The old primary takes writes until it is told what it is now.
        await forgets('Sentinel failover', 0, async () => {
          await group.failover()
          await group.settled()
        })
      },
    ],
    [
      'primary killed',
      async ({ forgets }) => {
        await group.settled()
        const primary = await group.primary()
        await forgets('primary killed', BEHIND_MS, () => primary.kill())
        // Until it is replaced it must not come back: it has no file, and would be empty.
        while ((await group.primary()) === primary) await new Promise((resolve) => setTimeout(resolve, 50))
        await primary.restart()
        await group.settled()
      },
    ],
  ]
  const primary = () => group.primary()
  const site = { url: group.url, shards: 1, replicas: 2, faults, primaryOf: primary }
  return { ...site, primaries: async () => [await primary()], stop: () => group.stop() }
}

const SHARDS = 3

async function openCluster(namespace: string, tag: typeof tagOf): Promise<Site> {
  const cluster = await startCluster()
  const admin = await openClusterAdmin({ url: cluster.url })
  const address = ({ host, port }: TestServer) => `${host}:${port}`
  const primaryOf = (shard: number) => cluster.primaryOf(tag(namespace, shard))
  const faults: Fault[] = [
    [
      'planned failover',
      async ({ chance }) => {
        await cluster.failover(await primaryOf(chance.below(SHARDS)))
        await cluster.settled()
      },
    ],
    [
      'primary killed',
      async ({ chance, forgets }) => {
        await cluster.settled()
        const shard = chance.below(SHARDS)
        const primary = await primaryOf(shard)
        await forgets('primary killed', BEHIND_MS, () => primary.kill())
        while ((await primaryOf(shard)) === primary) await new Promise((resolve) => setTimeout(resolve, 50))
        await primary.restart()
        await cluster.settled()
      },
    ],
    [
      "a shard's slot moved",
      async ({ chance }) => {
        await cluster.settled()
        const shard = chance.below(SHARDS)
        const from = await primaryOf(shard)
        const others = (await cluster.primaries()).filter((node) => node !== from)
        const to = others[chance.below(others.length)] as TestServer
        await admin.move([slotOf(tag(namespace, shard))], address(from), address(to))
      },
    ],
  ]
  const stop = async () => {
    await admin.close()
    await cluster.stop()
  }
  const site = { url: cluster.url, addressMap: cluster.addressMap, shards: SHARDS, replicas: 1, faults, primaryOf }
  return { ...site, primaries: () => cluster.primaries(), stop }
}
