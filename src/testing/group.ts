import { randomBytes } from 'node:crypto'
import { checkBoolean, checkInteger } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import type { Directive } from './config.ts'
import { OWN_USER, type ServerOptions, type TestServer } from './server.ts'
import { NotYet } from './settle.ts'

/** What every group of servers can be given. */
export interface GroupOptions {
  /** Keep an append-only file, so that data outlives `kill()` and `restart()`. Default true. */
  readonly appendOnly?: boolean
  /** Password of the default user, on every server. Default none. */
  readonly password?: string
  /** Further users by name with their ACL rules, on every server: `{ app: 'on >secret ~app:* +@read' }`. */
  readonly users?: Readonly<Record<string, string>>
  /** Any setting of redis.conf, on every server: `{ maxmemory: '10mb' }`. */
  readonly config?: Readonly<Record<string, string | number>>
  /** Port of the first server on 127.0.0.1; each other has the next. Default free ones. */
  readonly port?: number
  /** The program: a name on the PATH, or a path. Default `redis-server`, then `valkey-server`. */
  readonly binary?: string
  /** How long the start, `settled()` and `failover()` may take. Default 20 s. */
  readonly timeout?: Duration
}

export const GROUP_OPTIONS = ['appendOnly', 'password', 'users', 'config', 'port', 'binary', 'timeout'] as const

/** What members of one group have in common, from its options. */
export interface Ground {
  readonly timeoutMs: number
  /** For each server that holds data. */
  readonly server: ServerOptions
  /** Port of the first server; undefined where each takes a free one. */
  readonly firstPort: number | undefined
  /** Password of `OWN_USER`; undefined where everybody may come in. */
  readonly ownPassword: string | undefined
}

export function groundOf(options: GroupOptions): Ground {
  const { appendOnly = true, password, users, config, port, binary, timeout = '20s' } = options
  return {
    timeoutMs: toMs(timeout, 'timeout'),
    firstPort: port === undefined ? undefined : checkInteger('port', port, 1, 65_535),
    server: {
      appendOnly: checkBoolean('appendOnly', appendOnly),
      timeout,
      ...defined({ password, users, config, binary }),
    },
    ownPassword: password === undefined && users === undefined ? undefined : newPassword(),
  }
}

/** The options of the server with this number, 0 for the first. */
export function memberOptions({ server, firstPort }: Ground, number: number): ServerOptions {
  return firstPort === undefined ? server : { ...server, port: firstPort + number }
}

/** Of no character that a config file or a server that rewrites it could take amiss. */
export function newPassword(): string {
  return randomBytes(16).toString('hex')
}

/** The config lines of a server that replicates, or may have to. */
export function replicationDirectives({ ownPassword }: Ground): Directive[] {
  return [
    // Wait for no further replica: a full sync begins when it is asked for.
    ['repl-diskless-sync', 'yes'],
    ['repl-diskless-sync-delay', 0],
    // A replica that has received nothing yet is not shown to clients: the first ping ends that.
    ['repl-ping-replica-period', 1],
    ...(ownPassword === undefined
      ? []
      : [
          ['masteruser', OWN_USER],
          ['masterauth', ownPassword],
        ]),
  ]
}

/** Start them at once. The first failure is thrown when all of them have started or failed. */
export async function startAll(servers: readonly TestServer[]): Promise<void> {
  const outcomes = await Promise.allSettled(servers.map((server) => server.restart()))
  const failed = outcomes.find((outcome) => outcome.status === 'rejected')
  if (failed) throw failed.reason
}

/** Bring back those that were paused or killed. */
export async function healAll(servers: readonly TestServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.heal()))
}

export async function stopAll(servers: readonly TestServer[]): Promise<void> {
  await Promise.all(servers.map((server) => server.stop()))
}

/** True for one that answers when asked: it runs and is not paused. */
export function isAwake(server: TestServer): boolean {
  return server.pid !== undefined && !server.paused
}

/** Refuses a server of somebody else. */
export function checkMember(option: string, server: TestServer, members: readonly TestServer[]): void {
  if (!members.includes(server)) throw new ConfigError(option, 'a server of this group', server)
}

/** `INFO replication`, field by field. */
async function replicationOf(server: TestServer): Promise<Map<string, string>> {
  const text = await server.command<string>('INFO', 'replication')
  return new Map(text.split('\r\n').map((line) => line.split(/:(.*)/s, 2) as [string, string]))
}

/** Throws NotYet unless every replica's link to its primary is up, on both ends. */
export async function expectLinked(primary: TestServer, replicas: readonly TestServer[]): Promise<void> {
  const [above, ...below] = await Promise.all([primary, ...replicas].map(replicationOf))
  if (above?.get('role') !== 'master') throw new NotYet(`${primary.port} is no primary`)
  below.forEach((fields, i) => {
    const [port, link] = [fields.get('master_port'), fields.get('master_link_status')]
    if (port !== String(primary.port) || link !== 'up')
      throw new NotYet(`${replicas[i]?.port} replicates ${port ?? 'nobody'} (link ${link}), not yet ${primary.port}`)
  })
  const online = [...above].filter(([name, value]) => /^slave\d+$/.test(name) && value.includes('state=online'))
  for (const { port } of replicas)
    if (!online.some(([, value]) => value.includes(`port=${port},`)))
      throw new NotYet(`${port} is not online for its primary ${primary.port}`)
}

function defined<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never
}
