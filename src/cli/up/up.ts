import { setInterval } from 'node:timers'
import { ConfigError, HoldfastError } from '../../base/errors.ts'
import { startCluster, startSentinel, startServer, type TestServer } from '../../testing/index.ts'
import type { Context } from '../context.ts'
import type { OutputFlags } from '../flags.ts'
import type { Terminal } from '../terminal/terminal.ts'

export interface UpFlags extends OutputFlags {
  readonly cluster: boolean
  readonly sentinel: boolean
  readonly shards?: number | undefined
  readonly port?: number | undefined
  readonly replicas?: number | undefined
  readonly spares?: number | undefined
  readonly announce: boolean
}

/** What runs, and how to reach it. */
interface Running {
  readonly kind: 'server' | 'cluster' | 'sentinel' | 'shards'
  readonly url: string
  readonly addressMap?: Readonly<Record<string, string>>
  readonly parts: readonly Part[]
  stop(): Promise<void>
}

interface Part {
  readonly role: string
  readonly server: TestServer
}

const LOOK_MS = 250
/** Width of the labels. */
const LABEL = 12

export async function up(this: Context, flags: UpFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const signal = this.interruption.handle()
  checkFlags(flags)
  const running = await start(flags)
  try {
    if (signal.aborted) return
    if (flags.json) terminal.json(described(running))
    else tell(terminal, running)
    await untilStopped(terminal, running, signal)
  } finally {
    await running.stop()
    if (!flags.json) terminal.note('Stopped, and the data is gone.')
  }
}

function checkFlags({ cluster, sentinel, shards, replicas, spares, announce }: UpFlags): void {
  const kinds = [cluster && '--cluster', sentinel && '--sentinel', shards !== undefined && '--shards'].filter(Boolean)
  if (kinds.length > 1) throw new ConfigError('up', 'one kind of servers at most', kinds.join(' and '))
  if (replicas !== undefined && !cluster && !sentinel)
    throw new ConfigError('--replicas', '--cluster or --sentinel beside it', 'neither')
  if ((spares !== undefined || announce) && !cluster)
    throw new ConfigError(announce ? '--announce' : '--spares', '--cluster beside it', 'none')
}

async function start({ cluster, sentinel, shards, port, replicas, spares, announce }: UpFlags): Promise<Running> {
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

function described({ kind, url, addressMap, parts }: Running) {
  const servers = parts.map(({ role, server: { host, port, pid, version } }) => ({ role, host, port, pid, version }))
  return { kind, url, ...(addressMap === undefined ? {} : { addressMap }), servers }
}

const TITLES = { server: 'A server', cluster: 'A cluster', sentinel: 'A Sentinel group', shards: 'A group of shards' }

function tell(terminal: Terminal, { kind, url, addressMap, parts }: Running): void {
  const { paint } = terminal
  const [first] = parts
  const processes = parts.length === 1 ? '1 process' : `${parts.length} processes`
  const roles = new Map<string, number[]>()
  for (const { role, server } of parts) roles.set(role, [...(roles.get(role) ?? []), server.port])
  const options = addressMap === undefined ? '' : ', { addressMap }'
  const lines = [
    `${paint('green', `${TITLES[kind]} is up`)}: ${processes}, ${first?.server.kind} ${first?.server.version}, on 127.0.0.1`,
    '',
    ...[...roles].map(([role, ports]) => `  ${paint('dim', role.padEnd(LABEL))}${ports.join(' ')}`),
    `  ${paint('dim', 'url'.padEnd(LABEL))}${paint('bold', url)}`,
    `  ${paint('dim', 'in code'.padEnd(LABEL))}const hf = await connect('${url}'${options})`,
    ...(addressMap === undefined ? [] : [`  ${paint('dim', 'addressMap'.padEnd(LABEL))}${JSON.stringify(addressMap)}`]),
  ]
  terminal.data(lines.join('\n'))
  terminal.note('\nTheir data is in a private folder and goes with them. Ctrl-C stops them.')
}

/** Until the signal, or until the last server has ended by itself. Says who ends: someone may kill one on purpose. */
function untilStopped(terminal: Terminal, { parts }: Running, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const ended = new Set<Part>()
    // The servers do not keep this process alive: this does.
    const timer = setInterval(() => {
      for (const part of parts) {
        if (part.server.pid !== undefined || ended.has(part)) continue
        ended.add(part)
        terminal.note(`${part.role} ${part.server.host}:${part.server.port} has ended.`)
      }
      if (ended.size < parts.length) return
      clearInterval(timer)
      reject(new HoldfastError('CONNECTION_LOST', 'up: every server has ended by itself'))
    }, LOOK_MS)
    const stop = () => {
      clearInterval(timer)
      resolve()
    }
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
}
