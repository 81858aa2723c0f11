import { hostname } from 'node:os'
import { checkBoolean, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import type { ConnectionSettings } from './connection.ts'

export interface ConnectOptions {
  /** The address, for those who keep all in one object. Not together with `client`. */
  readonly url?: string
  /** Prefix of every key and channel. Default `hf`. Two applications on one server need two. */
  readonly namespace?: string
  /** Deadline of every operation. Default `'1s'`. A lost connection is repaired within it where repeating is safe. */
  readonly timeout?: Duration
  /** Return at once and connect behind. Default false: `connect` rejects when no server answers within `timeout`. */
  readonly lazy?: boolean
  /** Password, or a function that gives one, asked anew for each connection. Stands above the URL's. */
  readonly password?: string | (() => string | Promise<string>)
  /** Options of `tls.connect`; `true` for the defaults. `rediss://` means `true`. */
  readonly tls?: boolean | Record<string, unknown>
  /** The connection's name in CLIENT LIST. Default `holdfast:<host>:<pid>`. */
  readonly name?: string
  /** An ioredis `Redis` of yours: the source of address and credentials. We open connections of our own. */
  readonly client?: unknown
}

export interface Settings {
  readonly namespace: string
  readonly timeoutMs: number
  readonly lazy: boolean
  readonly connection: ConnectionSettings
  /** The address for errors and traces: never with credentials. */
  readonly address: string
}

const KNOWN = ['namespace', 'timeout', 'lazy', 'password', 'tls', 'name', 'client', 'url']
const LONGEST_TIMEOUT_MS = 86_400_000
const DEFAULT_URL = 'redis://127.0.0.1:6379'

/** Everything `connect` was told, as settings; or a ConfigError that names what is wrong, without its secrets. */
export function resolveSettings(first: string | undefined, options: ConnectOptions): Settings {
  checkKnown('', options, KNOWN)
  const timeoutMs = toMs(options.timeout ?? '1s', 'timeout', { min: 10, max: LONGEST_TIMEOUT_MS })
  if (first !== undefined && options.url !== undefined) throw new ConfigError('url', 'one url', 'two')
  const url = first ?? options.url
  if (url !== undefined && options.client !== undefined)
    throw new ConfigError('client', 'either a url or a client', 'both')
  // An environment often has the name without a value.
  const target =
    options.client === undefined ? parseUrl(url ?? (process.env.REDIS_URL || DEFAULT_URL)) : readClient(options.client)
  if (target.tls && options.tls === false)
    throw new ConfigError('tls', 'true or options of tls.connect, since the address asks for TLS', false)
  const tls = resolveTls(options.tls ?? target.tls)
  const password = options.password ?? target.password
  if (password !== undefined && typeof password !== 'string' && typeof password !== 'function')
    throw new ConfigError('password', 'a string or a function that gives one', typeof password)
  const { tls: _tls, password: _password, ...place } = target
  return {
    namespace: options.namespace ?? 'hf',
    timeoutMs,
    lazy: checkBoolean('lazy', options.lazy ?? false),
    address: place.path ?? `${place.host.includes(':') ? `[${place.host}]` : place.host}:${place.port}`,
    connection: {
      ...place,
      ...(tls === undefined ? {} : { tls }),
      ...(password === undefined ? {} : { password: password as string }),
      name: checkConnectionName(options.name ?? `holdfast:${hostname().replace(/[^!-~]/g, '_')}:${process.pid}`),
      // A server that is there answers a handshake in milliseconds; each attempt must leave room for another.
      openTimeoutMs: Math.max(100, Math.min(timeoutMs, 2_000)),
    },
  }
}

type Target = Omit<ConnectionSettings, 'name' | 'openTimeoutMs' | 'tls'> & {
  readonly tls?: boolean | Record<string, unknown> | undefined
}

const NO_HOST = 'socket.invalid'

/** `redis[s]://[user:pass@]host[:port][/db]` or `unix:///path[?db=n]`. */
export function parseUrl(text: string): Target {
  const shown = () => redact(text)
  if (typeof text !== 'string') throw new ConfigError('url', 'a text such as redis://127.0.0.1:6379', text)
  let url: URL
  try {
    // A URL may have no credentials without a host, and a socket has no host.
    url = new URL(text.replace(/^\s*unix:\/\/([^/?#]*@)\//i, `unix://$1${NO_HOST}/`))
  } catch {
    throw new ConfigError('url', 'redis://, rediss:// or unix:// and an address', shown())
  }
  const credentials = {
    ...(url.username === '' ? {} : { username: decode(url.username, shown) }),
    ...(url.password === '' ? {} : { password: decode(url.password, shown) }),
  }
  switch (url.protocol) {
    case 'redis:':
    case 'rediss:': {
      const port = url.port === '' ? 6379 : Number(url.port)
      if (port === 0) throw new ConfigError('url', 'a port of 1 to 65535', shown())
      const db = parseDb(url.pathname.replace(/^\//, '') || url.searchParams.get('db'), shown)
      const host = decode(url.hostname, shown).replace(/^\[|\]$/g, '') || '127.0.0.1'
      return { host, port, db, tls: url.protocol === 'rediss:' ? true : undefined, ...credentials }
    }
    case 'unix:': {
      const path = decode(url.pathname, shown)
      if (path.length < 2 || !['', NO_HOST].includes(url.hostname))
        throw new ConfigError('url', 'unix:///path, the absolute path of a socket', shown())
      return { host: '', port: 0, path, db: parseDb(url.searchParams.get('db'), shown), ...credentials }
    }
    default:
      throw new ConfigError('url', 'redis://, rediss:// or unix://', shown())
  }
}

function parseDb(text: string | null | undefined, shown: () => string): number {
  if (text === null || text === undefined || text === '') return 0
  if (!/^\d{1,5}$/.test(text)) throw new ConfigError('url', 'a database number after the last slash', shown())
  return Number(text)
}

function decode(text: string, shown: () => string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw new ConfigError('url', 'percent-encoded credentials', shown())
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
  const shown = /^[^/]*:(?!\d{1,5}(?:[,/\]]|$)|[\da-f:.]*\])/i.test(place) ? '…' : place
  return `${scheme[0].trim()}${at < 0 ? '' : '…@'}${shown}`
}

/** Address and credentials of a user's ioredis instance; its other options and its connections stay its own. */
function readClient(client: unknown): Target {
  const options = (client as { options?: Record<string, unknown> } | null)?.options
  if (typeof options !== 'object' || options === null || typeof options.host !== 'string')
    throw new ConfigError('client', 'an ioredis Redis', typeof client === 'string' ? redact(client) : client)
  if (options.keyPrefix)
    throw new ConfigError(
      'client.keyPrefix',
      'no prefix: keys are prefixed by `namespace`, and a prefix would break hash tags',
      options.keyPrefix,
    )
  if (options.password && typeof options.password !== 'string')
    throw new ConfigError('client.password', 'a string; a function goes in `password`', typeof options.password)
  if (options.sentinels) throw new ConfigError('client', 'a client of a single server', 'a Sentinel client')
  const { host, port, path, db, username, password, tls } = options as unknown as Target
  return {
    host,
    port,
    db: db ?? 0,
    ...(path ? { path } : {}),
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(tls ? { tls } : {}),
  }
}

function resolveTls(tls: unknown): Record<string, unknown> | undefined {
  if (tls === undefined || tls === false) return undefined
  if (tls === true) return {}
  if (typeof tls !== 'object' || tls === null) throw new ConfigError('tls', 'true or options of tls.connect', tls)
  return tls as Record<string, unknown>
}

function checkConnectionName(name: unknown): string {
  // CLIENT SETNAME takes no spaces or newlines.
  if (typeof name !== 'string' || !/^[!-~]{0,200}$/.test(name))
    throw new ConfigError('name', 'up to 200 visible ASCII characters', name)
  return name
}
