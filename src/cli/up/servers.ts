import { startCluster, startSentinel, startServer, type TestServer } from '../../testing/index.ts'

/** What to start: one server, where nothing else is asked for. */
export interface PrivateServers {
  readonly cluster?: boolean
  readonly sentinel?: boolean
  readonly shards?: number | undefined
  readonly port?: number | undefined
  readonly replicas?: number | undefined
  readonly spares?: number | undefined
  readonly announce?: boolean
}

/** What runs, and how to reach it. */
export interface Running {
  readonly kind: 'server' | 'cluster' | 'sentinel' | 'shards'
  readonly url: string
  readonly addressMap?: Readonly<Record<string, string>>
  readonly parts: readonly Part[]
  stop(): Promise<void>
}

export interface Part {
  readonly role: string
  readonly server: TestServer
}

/** Private servers on 127.0.0.1, until `stop()` or the end of this process. */
export async function startPrivate(wanted: PrivateServers): Promise<Running> {
  const { cluster, sentinel, shards, port, replicas, spares, announce = false } = wanted
  const common = { ...(port === undefined ? {} : { port }), ...(replicas === undefined ? {} : { replicas }) }
  if (cluster) {
    const group = await startCluster({ ...common, spares: spares ?? 0, announceHostnames: announce })
    const primaries = await group.primaries()
    return {
      kind: 'cluster',
      url: group.url,
      ...(announce ? { addressMap: group.addressMap } : {}),
      parts: [
        ...group.nodes.map((server) => ({ role: primaries.includes(server) ? 'primary' : 'replica', server })),
        ...group.spares.map((server) => ({ role: 'spare', server })),
      ],
      stop: () => group.stop(),
    }
  }
  if (sentinel) {
    const group = await startSentinel(common)
    return {
      kind: 'sentinel',
      url: group.url,
      parts: [
        ...group.servers.map((server, i) => ({ role: i === 0 ? 'primary' : 'replica', server })),
        ...group.sentinels.map((server) => ({ role: 'sentinel', server })),
      ],
      stop: () => group.stop(),
    }
  }
  const servers = await startEach(shards ?? 1, port)
  const stop = async () => void (await Promise.all(servers.map((server) => server.stop())))
  if (shards === undefined)
    return { kind: 'server', url: servers[0]?.url ?? '', parts: [{ role: 'server', server: servers[0]! }], stop }
  const names = servers.map(({ host, port }, i) => `shard${i + 1}=${host}:${port}`)
  const parts = servers.map((server, i) => ({ role: `shard${i + 1}`, server }))
  return { kind: 'shards', url: `redis+shards://${names.join(',')}`, parts, stop }
}

async function startEach(count: number, port: number | undefined): Promise<readonly TestServer[]> {
  const started = await Promise.allSettled(
    Array.from({ length: count }, (_, i) => startServer(port === undefined ? {} : { port: port + i })),
  )
  const failed = started.find((outcome) => outcome.status === 'rejected')
  const servers = started.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  if (failed === undefined) return servers
  await Promise.all(servers.map((server) => server.stop()))
  throw failed.reason
}
