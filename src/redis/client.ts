import { ConfigError } from '../base/errors.ts'
import { type Address, type AddressMap, parseAddress } from './address.ts'
import { redact, type Target } from './url.ts'

type Options = Readonly<Record<string, unknown>>

/** Address and credentials of a user's ioredis instance; its other options and its connections stay its own. */
export function readClient(client: unknown): Target {
  const { options, isCluster } = (client ?? {}) as { options?: Options; isCluster?: boolean }
  if (typeof options !== 'object' || options === null) throw refuse(client)
  const own = isCluster
    ? { ...(options.redisOptions as Options | undefined), ...pick(options, ['keyPrefix']) }
    : options
  if (own.keyPrefix)
    throw new ConfigError(
      'client.keyPrefix',
      'no prefix: keys are prefixed by `namespace`, and a prefix would break hash tags',
      own.keyPrefix,
    )
  if (own.password && typeof own.password !== 'string')
    throw new ConfigError('client.password', 'a string; a function goes in `password`', typeof own.password)
  const common = { db: Number(own.db ?? 0), ...pick(own, ['username', 'password', 'tls']) } as Omit<Target, 'place'>
  if (isCluster) return { ...common, db: 0, ...readCluster(client, options) }
  if (options.sentinels) return { ...common, ...readSentinels(client, options) }
  const { host, port, path } = options as { host?: string; port?: number; path?: string }
  if (typeof host !== 'string') throw refuse(client)
  return { ...common, place: { kind: 'single', host, port: Number(port), ...(path ? { path } : {}) } }
}

function readCluster(client: unknown, options: Options): Pick<Target, 'place' | 'addressMap'> {
  const { startupNodes } = client as { startupNodes?: readonly unknown[] }
  const seeds = (startupNodes ?? []).map((node) => readAddress(node, 6_379))
  if (seeds.length === 0) throw refuse(client)
  return { place: { kind: 'cluster', seeds }, ...readMap(options.natMap) }
}

function readSentinels(client: unknown, options: Options): Pick<Target, 'place' | 'addressMap'> {
  const { name: primaryName, sentinels } = options as { name?: string; sentinels?: readonly unknown[] }
  if (typeof primaryName !== 'string' || !Array.isArray(sentinels) || sentinels.length === 0) throw refuse(client)
  const login = {
    ...(options.sentinelUsername ? { username: String(options.sentinelUsername) } : {}),
    ...(options.sentinelPassword ? { password: String(options.sentinelPassword) } : {}),
  }
  const addresses = sentinels.map((sentinel) => readAddress(sentinel, 26_379))
  return { place: { kind: 'sentinel', sentinels: addresses, primaryName, login }, ...readMap(options.natMap) }
}

/** A start-up node: a URL, `host:port`, a port, or an object of both. */
function readAddress(node: unknown, port: number): Address {
  if (typeof node === 'number') return { host: '127.0.0.1', port: node }
  if (typeof node === 'string') {
    const parsed = parseAddress(node.replace(/^rediss?:\/\/(?:[^@/]*@)?/, '').replace(/[/?].*$/, ''))
    if (parsed !== undefined) return { port, ...parsed }
  }
  const { host = '127.0.0.1', port: own = port } = (node ?? {}) as { host?: string; port?: number | string }
  if (typeof node === 'object' && typeof host === 'string' && Number(own) > 0) return { host, port: Number(own) }
  throw new ConfigError('client', 'an ioredis client whose nodes have a host and a port', typeof node)
}

/** The client's own map, whose targets are objects where ours are texts. */
function readMap(natMap: unknown): { readonly addressMap?: AddressMap } {
  if (natMap === undefined || natMap === null) return {}
  if (typeof natMap === 'function')
    return {
      addressMap: (host, port) => (natMap as (key: string) => Address | undefined)(`${host}:${port}`) ?? undefined,
    }
  const entries = Object.entries(natMap as Record<string, Address>)
  return { addressMap: Object.fromEntries(entries.map(([from, { host, port }]) => [from, `${host}:${port}`])) }
}

const pick = (options: Options, names: readonly string[]): Options =>
  Object.fromEntries(names.filter((name) => options[name]).map((name) => [name, options[name]]))

const refuse = (client: unknown) =>
  new ConfigError('client', 'an ioredis Redis or Cluster', typeof client === 'string' ? redact(client) : client)
