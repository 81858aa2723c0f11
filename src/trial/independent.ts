import type { ConnectOptions } from '../holdfast.ts'

/** The addresses of shards one by one, which know nothing of each other; none for any other topology, or behind an address map. */
export function independentServers({ url = process.env.REDIS_URL, addressMap }: ConnectOptions): readonly string[] {
  const isMapped = typeof addressMap === 'function' || Object.keys(addressMap ?? {}).length > 0
  const parts = /^(rediss?)\+shards:\/\/(.*@)?([^/?]+)(\/\d*)?/.exec(url ?? '')
  if (parts === null || isMapped) return []
  const [, scheme, login = '', hosts = '', db = ''] = parts
  return hosts.split(',').map((host) => `${scheme}://${login}${host.slice(host.indexOf('=') + 1)}${db}`)
}
