import { hostname } from 'node:os'
import { checkBoolean, checkKnown, checkOneOf } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { type AddressMap, type MapAddress, resolveAddressMap, showAddress } from './address.ts'
import { readClient } from './client.ts'
import type { ConnectionSettings } from './connection.ts'
import { type PoolOptions, type PoolSettings, resolvePoolOptions } from './pool/options.ts'
import { type PlaceSettings, parseUrl, type Target } from './url.ts'

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
  /**
   * Where to reach servers that announce an address of their own. By announced `host`, `host:port` or block such as `172.30.0.0/24`; or a
   * function of both. Default: as announced.
   */
  readonly addressMap?: AddressMap
  /**
   * What caches without a memory tier read from, unless they say otherwise. `'replica'`: what a replica has, which may be behind.
   * Default `'primary'`.
   */
  readonly readFrom?: 'primary' | 'replica'
  /** Connections of one's own, for `hf.pool`. */
  readonly pool?: PoolOptions
  /** An ioredis `Redis` or `Cluster` of yours: the source of address and credentials. We open connections of our own. */
  readonly client?: unknown
}

export interface Settings {
  readonly namespace: string
  readonly timeoutMs: number
  readonly lazy: boolean
  /** How to log in, and the server that is named first. */
  readonly connection: ConnectionSettings
  readonly place: PlaceSettings
  readonly mapAddress: MapAddress
  readonly readFrom: 'primary' | 'replica'
  readonly pool: PoolSettings
  /** The address for errors and traces: never with credentials. */
  readonly address: string
}

const KNOWN = [
  ...['namespace', 'timeout', 'lazy', 'password', 'tls', 'name', 'client', 'url'],
  // `monitor` is not for us; who misspells an option is told of it too.
  ...['addressMap', 'readFrom', 'pool', 'monitor'],
]
const LONGEST_TIMEOUT_MS = 86_400_000
const DEFAULT_URL = 'redis://127.0.0.1:6379'

/** Everything `connect` was told, as settings; or a ConfigError that names what is wrong, without its secrets. */
export function resolveSettings(text: string | undefined, options: ConnectOptions): Settings {
  checkKnown('', options, KNOWN)
  const timeoutMs = toMs(options.timeout ?? '1s', 'timeout', { min: 10, max: LONGEST_TIMEOUT_MS })
  if (text !== undefined && options.url !== undefined) throw new ConfigError('url', 'one url', 'two')
  const url = text ?? options.url
  if (url !== undefined && options.client !== undefined)
    throw new ConfigError('client', 'either a url or a client', 'both')
  // An environment often has the name without a value.
  const target: Target =
    options.client === undefined ? parseUrl(url ?? (process.env.REDIS_URL || DEFAULT_URL)) : readClient(options.client)
  if (target.tls && options.tls === false)
    throw new ConfigError('tls', 'true or options of tls.connect, since the address asks for TLS', false)
  const tls = resolveTls(options.tls ?? target.tls)
  const password = options.password ?? target.password
  if (password !== undefined && typeof password !== 'string' && typeof password !== 'function')
    throw new ConfigError('password', 'a string or a function that gives one', typeof password)
  const { place, db, username } = target
  const first = firstAddress(place)
  return {
    namespace: options.namespace ?? 'hf',
    timeoutMs,
    lazy: checkBoolean('lazy', options.lazy ?? false),
    place,
    mapAddress: resolveAddressMap(options.addressMap ?? target.addressMap),
    readFrom: checkOneOf('readFrom', options.readFrom ?? 'primary', ['primary', 'replica']),
    pool: resolvePoolOptions(options.pool, timeoutMs),
    address: first.path ?? showAddress(first),
    connection: {
      ...first,
      db,
      ...(username === undefined ? {} : { username }),
      ...(tls === undefined ? {} : { tls }),
      ...(password === undefined ? {} : { password: password as string }),
      name: checkConnectionName(options.name ?? `holdfast:${hostname().replace(/[^!-~]/g, '_')}:${process.pid}`),
      // A server that is there answers a handshake in milliseconds; each attempt must leave room for another.
      openTimeoutMs: Math.max(100, Math.min(timeoutMs, 2_000)),
    },
  }
}

function firstAddress(place: PlaceSettings): { readonly host: string; readonly port: number; readonly path?: string } {
  const [{ host, port } = NOWHERE] =
    place.kind === 'single'
      ? [place]
      : place.kind === 'sentinel'
        ? place.sentinels
        : place.kind === 'cluster'
          ? place.seeds
          : place.shards
  return { host, port, ...(place.kind === 'single' && place.path !== undefined ? { path: place.path } : {}) }
}

const NOWHERE = { host: '', port: 0 }

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

export { redact } from './url.ts'
