/**
 * Plain clients to whatever holds the seats: one server, a Sentinel group, a Cluster or shards. They share nothing with
 * the library, its reading of addresses included, so that a mistake there is not repeated by who looks for it.
 */

import { Cluster, Redis } from 'ioredis'
import type { RedisAddress } from '../servers/address.ts'

export type RawReader = Pick<Redis, 'hgetall' | 'get' | 'zrange' | 'xrange'>

export interface RawServers {
  /** The client that reads this key. */
  readerOf(key: string): Promise<RawReader>
  /** One client for each server that holds keys of its own. */
  primaries(): Promise<readonly Redis[]>
  close(): void
}

/** A server that does not answer is a fault here, at once: nothing is tried again. */
const ONCE = { lazyConnect: true, maxRetriesPerRequest: 1, retryStrategy: () => null }

/** Connected clients; the caller closes them. */
export async function openRaw(address: RedisAddress): Promise<RawServers> {
  const place = readUrl(address.url)
  if (place.form === '+cluster') return openCluster(place, address)
  const clients =
    place.form === '+sentinel' ? [sentinelClient(place, address)] : place.hosts.map((at) => client(place, at))
  const close = () => {
    for (const one of clients) one.disconnect()
  }
  try {
    await Promise.all(clients.map((one) => one.connect()))
  } catch (error) {
    close()
    throw error
  }
  return {
    async readerOf(key) {
      const having = await Promise.all(clients.map((one) => one.exists(key)))
      const found = clients.filter((_, i) => having[i] === 1)
      if (found.length > 1) throw new Error(`${key} lies on ${found.length} servers`)
      return found[0] ?? (clients[0] as Redis)
    },
    primaries: async () => clients,
    close,
  }
}

function client(place: Place, at: Host): Redis {
  const options = { ...ONCE, ...place.login, db: place.db }
  return quiet(
    new Redis(at.path === undefined ? { ...options, host: at.host, port: at.port } : { ...options, path: at.path }),
  )
}

function sentinelClient(place: Place, address: RedisAddress): Redis {
  const { query } = place
  const [sentinelUsername, sentinelPassword] = [query.get('sentinelUsername'), query.get('sentinelPassword')]
  return quiet(
    new Redis({
      ...ONCE,
      ...place.login,
      db: place.db,
      sentinels: place.hosts.map(({ host, port }) => ({ host, port })),
      name: place.name,
      natMap: natMapOf(address),
      sentinelRetryStrategy: () => null,
      ...(sentinelUsername === null ? {} : { sentinelUsername }),
      ...(sentinelPassword === null ? {} : { sentinelPassword }),
    }),
  )
}

async function openCluster(place: Place, address: RedisAddress): Promise<RawServers> {
  const options = {
    lazyConnect: true,
    clusterRetryStrategy: () => null,
    natMap: natMapOf(address),
    slotsRefreshTimeout: 5_000,
    redisOptions: { maxRetriesPerRequest: 1, ...place.login },
  }
  const seeds = place.hosts.map(({ host, port }) => ({ host, port }))
  const cluster = quiet(new Cluster(seeds, options))
  try {
    await cluster.connect()
  } catch (error) {
    cluster.disconnect()
    throw error
  }
  return {
    readerOf: async () => cluster,
    primaries: async () => cluster.nodes('master'),
    close: () => cluster.disconnect(),
  }
}

/** What goes wrong is told by the calls. */
function quiet<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => {})
  return client
}

function natMapOf({ addressMap = {} }: RedisAddress) {
  return (announced: string) => {
    const { host, port } = hostOf(announced, 0)
    const target = addressMap[announced] ?? addressMap[host]
    return target === undefined ? null : hostOf(target, port)
  }
}

interface Host {
  readonly host: string
  readonly port: number
  readonly path?: string
}

interface Place {
  readonly form: string
  readonly hosts: readonly Host[]
  /** Of the primary, among the Sentinels. */
  readonly name: string
  readonly db: number
  readonly login: { readonly username?: string; readonly password?: string; readonly tls?: Record<string, never> }
  readonly query: URLSearchParams
}

const URL_FORM = /^\s*(redis|rediss|unix)(\+\w+)?:\/\/(?:([^@/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?/i

/** The addresses of docs/connecting.md; the library has refused what is none of them. */
function readUrl(url: string): Place {
  const match = URL_FORM.exec(url)
  if (match === null) throw new Error('the address has none of the forms that are described')
  const [, scheme = '', form = '', login, hosts = '', path = '', search = ''] = match
  const query = new URLSearchParams(search)
  const [username, password] = (login ?? '').split(/:(.*)/s, 2).map(decodeURIComponent)
  const isUnix = scheme.toLowerCase() === 'unix'
  const names = path.split('/')
  const kind = form.toLowerCase()
  const db = (kind === '+sentinel' ? names[1] : isUnix ? '' : names[0]) || query.get('db')
  return {
    form: kind,
    hosts: isUnix
      ? [{ host: '', port: 0, path: `/${decodeURIComponent(path)}` }]
      : (hosts || '127.0.0.1').split(',').map((part) =>
          // A shard may have a name before its address.
          hostOf(decodeURIComponent(part.trim().replace(/^[^=]*=/, '')), kind === '+sentinel' ? 26_379 : 6_379),
        ),
    name: decodeURIComponent(names[0] ?? ''),
    db: Number(db ?? 0),
    login: {
      ...(username ? { username } : {}),
      ...(password ? { password } : {}),
      ...(scheme.toLowerCase() === 'rediss' ? { tls: {} } : {}),
    },
    query,
  }
}

/** `host`, `host:port`, `[v6]:port` or a bare v6. */
function hostOf(text: string, port: number): Host {
  const match = /^(?:\[(.+)\]|([^:]+))(?::(\d+))?$/.exec(text)
  return { host: match?.[1] ?? match?.[2] ?? text, port: Number(match?.[3] ?? port) }
}
