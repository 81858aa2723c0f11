import { ConfigError } from '../../base/errors.ts'
import { Redis } from '../../redis/redis.ts'
import { type ConnectOptions, resolveSettings, type Settings } from '../../redis/settings.ts'

/** Where a namespace is. */
export interface NamespaceOptions extends Omit<ConnectOptions, 'namespace' | 'lazy' | 'readFrom' | 'pool'> {
  /** That of the program. It has no default: who means `hf` says so. */
  readonly namespace: string
  /** Stops the work between two of its steps, with `signal.reason`. */
  readonly signal?: AbortSignal
}

/**
 * Runs `work` with connections to all that has keys of the namespace: one to a server, a Sentinel group or a Cluster; and to shards one
 * each, which look into them as they are and write no list of shards by themselves.
 */
export async function withServers<T>(
  { signal, ...options }: NamespaceOptions,
  work: (servers: readonly Redis[]) => Promise<T>,
): Promise<T> {
  if (typeof options.namespace !== 'string') throw new ConfigError('namespace', 'a string', options.namespace)
  signal?.throwIfAborted()
  const servers = apart(resolveSettings(undefined, options)).map((settings) => new Redis(settings))
  try {
    await Promise.all(servers.map((redis) => redis.connect()))
    return await work(servers)
  } finally {
    await Promise.all(servers.map((redis) => redis.close()))
  }
}

function apart(settings: Settings): readonly Settings[] {
  const { place, connection, mapAddress } = settings
  if (place.kind !== 'shards') return [settings]
  return place.shards.map(({ name, host, port }) => {
    const real = mapAddress(host, port)
    return {
      ...settings,
      place: { kind: 'single', ...real },
      connection: { ...connection, ...real },
      address: `${name}=${real.host}:${real.port}`,
    }
  })
}
