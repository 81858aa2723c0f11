import { ConfigError } from '../base/errors.ts'
import { type Address, type AddressMap, parseAddress, showAddress } from './address.ts'

/** Where keys live, as an address says it. */
export type PlaceSettings =
  | { readonly kind: 'single'; readonly host: string; readonly port: number; readonly path?: string }
  | {
      readonly kind: 'sentinel'
      readonly sentinels: readonly Address[]
      readonly primaryName: string
      /** How to log in to the Sentinels, which have passwords of their own. */
      readonly login: { readonly username?: string; readonly password?: string }
    }
  | { readonly kind: 'cluster'; readonly seeds: readonly Address[] }
  | { readonly kind: 'shards'; readonly shards: readonly ShardAddress[] }

export interface ShardAddress extends Address {
  readonly name: string
}

export interface Target {
  readonly place: PlaceSettings
  readonly db: number
  readonly username?: string
  readonly password?: string
  readonly tls?: boolean | Record<string, unknown> | undefined
  /** The map of a user's client. */
  readonly addressMap?: AddressMap
}

const FORMS =
  'redis://host, rediss://host, unix:///path, redis+sentinel://host,host/name, redis+cluster://host,host or redis+shards://name=host,name=host'
const SENTINEL_PORT = 26_379
const PORT = 6_379

/**
 * An address in one of the documented forms, taken apart. Each part is percent-decoded after the text was cut, so that no
 * character of a password can be taken for a border.
 *
 * throws  ConfigError, which shows the address without its credentials
 */
export function parseUrl(text: string): Target {
  if (typeof text !== 'string') throw new ConfigError('url', 'a text such as redis://127.0.0.1:6379', text)
  const parts = new UrlParts(text)
  const { scheme } = parts
  const secure = scheme.startsWith('rediss')
  const common = { ...parts.login, ...(secure ? { tls: true } : {}) }
  switch (scheme.replace('rediss', 'redis')) {
    case 'redis': {
      const { host, port } = parts.address(parts.hosts || '127.0.0.1', PORT)
      return { place: { kind: 'single', host, port }, db: parts.db(parts.path || parts.query.get('db')), ...common }
    }
    case 'unix': {
      const path = parts.decode(`/${parts.path}`)
      if (path.length < 2 || parts.hosts !== '') throw parts.refuse('unix:///path, the absolute path of a socket')
      return { place: { kind: 'single', host: '', port: 0, path }, db: parts.db(parts.query.get('db')), ...common }
    }
    case 'redis+sentinel': {
      const [name = '', db] = parts.path.split('/')
      if (name === '')
        throw parts.refuse('redis+sentinel://host,host/name, with the name by which the Sentinels know the primary')
      const [username, password] = [parts.query.get('sentinelUsername'), parts.query.get('sentinelPassword')]
      const login = { ...(username ? { username } : {}), ...(password ? { password } : {}) }
      const sentinels = parts.addresses(SENTINEL_PORT)
      const place = { kind: 'sentinel', sentinels, primaryName: parts.decode(name), login } as const
      return { place, db: parts.db(db || parts.query.get('db')), ...common }
    }
    case 'redis+cluster': {
      if (parts.db(parts.path || parts.query.get('db')) !== 0)
        throw parts.refuse('database 0, the only one of a Cluster')
      return { place: { kind: 'cluster', seeds: parts.addresses(PORT) }, db: 0, ...common }
    }
    case 'redis+shards': {
      const db = parts.db(parts.path || parts.query.get('db'))
      return { place: { kind: 'shards', shards: parts.shards() }, db, ...common }
    }
    default:
      throw parts.refuse(FORMS)
  }
}

/** `scheme://[user[:password]@]hosts[/path][?query]`, cut but not judged. The URL class knows no lists of hosts. */
class UrlParts {
  readonly scheme: string
  readonly hosts: string
  readonly path: string
  readonly query: URLSearchParams
  readonly login: { readonly username?: string; readonly password?: string }
  readonly #text: string

  constructor(text: string) {
    this.#text = text
    const found = /^\s*([a-z+]+):\/\/(?:([^/?#]*)@)?([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?\s*$/i.exec(text)
    if (found === null) throw this.refuse(`${FORMS}, credentials percent-encoded`)
    const [, scheme = '', login, hosts = '', path = '', query = ''] = found
    this.scheme = scheme.toLowerCase()
    this.hosts = hosts.trim()
    this.path = path.trim()
    this.query = new URLSearchParams(query)
    const colon = login?.indexOf(':') ?? -1
    const [user, password] = colon < 0 ? [login ?? '', ''] : [login?.slice(0, colon), login?.slice(colon + 1)]
    this.login = {
      ...(user ? { username: this.decode(user) } : {}),
      ...(password ? { password: this.decode(password) } : {}),
    }
  }

  refuse(expected: string): ConfigError {
    return new ConfigError('url', expected, redact(this.#text))
  }

  decode(text: string): string {
    try {
      return decodeURIComponent(text)
    } catch {
      throw this.refuse('percent-encoded credentials, names and paths')
    }
  }

  db(text: string | null | undefined): number {
    if (text === null || text === undefined || text === '') return 0
    if (!/^\d{1,5}$/.test(text)) throw this.refuse('a database number after the last slash')
    return Number(text)
  }

  address(text: string, port: number): Address {
    const address = parseAddress(this.decode(text))
    if (address === undefined) throw this.refuse('hosts, each with a port of 1 to 65535 or none')
    return { host: address.host, port: address.port ?? port }
  }

  addresses(port: number): readonly Address[] {
    const addresses = this.hosts.split(',').map((host) => this.address(host.trim(), port))
    const seen = new Set(addresses.map(showAddress))
    if (seen.size < addresses.length) throw this.refuse('each host once')
    return addresses
  }

  /** `name=host:port`; a shard without a name is called by its address. */
  shards(): readonly ShardAddress[] {
    const shards = this.hosts.split(',').map((part) => {
      const cut = part.indexOf('=')
      const address = this.address(part.slice(cut + 1).trim(), PORT)
      const name = cut < 0 ? showAddress(address) : this.decode(part.slice(0, cut).trim())
      if (name === '') throw this.refuse('a name before each = of redis+shards://name=host')
      return { name, ...address }
    })
    if (new Set(shards.map(({ name }) => name)).size < shards.length)
      throw this.refuse('each shard under a name of its own')
    if (new Set(shards.map(showAddress)).size < shards.length) throw this.refuse('each shard on a server of its own')
    return shards
  }
}

/** A URL without its credentials, for messages. What is not a URL at all may hold a secret anywhere. */
export function redact(text: unknown): string {
  if (typeof text !== 'string') return typeof text
  const scheme = /^\s*([a-z+]+):\/\//i.exec(text)
  if (scheme === null) return 'a text that is no URL'
  const rest = text.slice(scheme[0].length)
  const at = rest.lastIndexOf('@')
  const place = rest.slice(at + 1).replace(/[?#].*$/s, '')
  // `redis://user:secret`, with the host forgotten, looks like a host and its port.
  const hosts = place.replace(/\/.*$/s, '').split(',')
  const isShown = hosts.every((host) => !/:(?!\d{1,5}$|[\da-f:.]*\])/i.test(host))
  return `${scheme[0].trim()}${at < 0 ? '' : '…@'}${isShown ? place : '…'}`
}
