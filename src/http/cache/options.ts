import { checkFunction, checkInteger, checkKnown, checkName } from '../../base/check.ts'
import { type Duration, toMs } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'
import type { ResponseStore } from './store.ts'

/** `Native`: what the framework calls a request. */
export interface CacheResponseOptions<Native> {
  /** How long a response is fresh that says nothing of it itself. Default: such a response is not stored. */
  readonly ttl?: Duration
  /** What else holds for responses that live by `ttl`. */
  readonly stale?: {
    /** How long after its ttl a response is still served while it is made anew behind. Default 0. */
    readonly whileRevalidate?: Duration
    /** How long after its ttl a response is still served if the handler fails. Default 0. */
    readonly ifError?: Duration
  }
  /** Request headers that every response depends on, beside those that it names in Vary itself. */
  readonly vary?: readonly string[]
  /**
   * The cookies that responses depend on: they belong to the key, and all others are taken to change nothing. Default: any cookie may
   * change anything, so a request with cookies is given, and leaves, only what says `public` or `s-maxage`.
   */
  readonly cookies?: readonly string[]
  /** The query's parameters that responses depend on. Default: the whole query, as it is written. */
  readonly query?: readonly string[]
  /**
   * What responses depend on beside all this, such as the user's id. Given it, requests with Authorization and cookies are cached like
   * any: what sets users apart is what you answer. `undefined`: this request is none of the cache's.
   */
  readonly key?: (request: Native) => string | undefined | Promise<string | undefined>
  /** Tags of a response, for `cache.invalidateTag`. */
  readonly tags?: (
    request: Native,
    response: { readonly status: number; readonly headers: Headers },
  ) => readonly string[]
  /**
   * How long a request waits for another's run of the handler before it goes on by itself; counted from the beginning of the run. One that
   * has not begun to answer after six times as long is not stored. Default 10 s.
   */
  readonly maxWait?: Duration
  /** The largest body that is stored, in bytes. Default 1 MiB. */
  readonly maxBytes?: number
  /** Most variants by request headers and cookies that are stored of one URL, for each answer of `key`. Default 128. */
  readonly maxVariants?: number
  /** What a POST, PUT, PATCH, DELETE or any other that is not safe does to what is stored of its URL. Default `'invalidate'`. */
  readonly unsafe?: 'invalidate' | 'ignore'
  /** The name of this cache in the Cache-Status header; `false`: no such header. Default `'Holdfast'`. */
  readonly cacheStatus?: string | false
}

export interface ResolvedOptions {
  readonly ttlMs: number | undefined
  readonly swrMs: number
  readonly sieMs: number
  readonly vary: readonly string[]
  readonly cookies: readonly string[] | undefined
  readonly query: ReadonlySet<string> | undefined
  readonly key: ((request: unknown) => string | undefined | Promise<string | undefined>) | undefined
  readonly tags: ((request: unknown, response: { status: number; headers: Headers }) => readonly string[]) | undefined
  readonly maxWaitMs: number
  readonly maxBytes: number
  readonly maxVariants: number
  readonly invalidates: boolean
  readonly name: string | false
}

const KNOWN = [
  ...['ttl', 'stale', 'vary', 'cookies', 'query', 'key', 'tags'],
  ...['maxWait', 'maxBytes', 'maxVariants', 'unsafe', 'cacheStatus'],
]
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/

export function resolveOptions<Native>(options: CacheResponseOptions<Native> = {}): ResolvedOptions {
  if (typeof options !== 'object' || options === null) throw new ConfigError('options', 'an object of options', options)
  checkKnown('', options, KNOWN)
  const { stale = {}, unsafe = 'invalidate', cacheStatus = 'Holdfast' } = options
  checkKnown('stale', stale, ['whileRevalidate', 'ifError'])
  if (options.stale !== undefined && options.ttl === undefined)
    throw new ConfigError('ttl', 'a duration, since `stale` is for responses that live by it', undefined)
  if (unsafe !== 'invalidate' && unsafe !== 'ignore')
    throw new ConfigError('unsafe', "'invalidate' or 'ignore'", unsafe)
  if (cacheStatus !== false && (typeof cacheStatus !== 'string' || !TOKEN.test(cacheStatus)))
    throw new ConfigError('cacheStatus', 'a name of letters, digits, - and _, or false', cacheStatus)
  return {
    ttlMs: options.ttl === undefined ? undefined : toMs(options.ttl, 'ttl'),
    swrMs: toMs(stale.whileRevalidate ?? 0, 'stale.whileRevalidate', { min: 0 }),
    sieMs: toMs(stale.ifError ?? 0, 'stale.ifError', { min: 0 }),
    vary: checkTokens('vary', options.vary ?? []).map((name) => name.toLowerCase()),
    cookies: options.cookies === undefined ? undefined : checkTokens('cookies', options.cookies),
    query: options.query === undefined ? undefined : new Set(checkNames('query', options.query)),
    key: checkFunction('key', options.key) as ResolvedOptions['key'],
    tags: checkFunction('tags', options.tags) as ResolvedOptions['tags'],
    maxWaitMs: toMs(options.maxWait ?? 10_000, 'maxWait'),
    maxBytes: checkInteger('maxBytes', options.maxBytes ?? 1024 * 1024, 1, 256 * 1024 * 1024),
    maxVariants: checkInteger('maxVariants', options.maxVariants ?? 128, 1, 1_000_000),
    invalidates: unsafe === 'invalidate',
    name: cacheStatus,
  }
}

export function checkStore(cache: unknown): ResponseStore {
  const verbs = ['peek', 'get', 'refresh', 'set', 'delete', 'invalidateWhere', 'invalidateTag'] as const
  const isStore =
    typeof cache === 'object' && cache !== null && verbs.every((verb) => typeof (cache as never)[verb] === 'function')
  if (!isStore) throw new ConfigError('cache', 'a cache made by hf.cache(…)', cache)
  checkSettings((cache as ResponseStore).settings)
  return cache as ResponseStore
}

/** What a cache beneath does by itself would be done to responses beside what HTTP says of them. */
function checkSettings({ load, loadMany, staleMs, early, write }: ResponseStore['settings']): void {
  const wrong = {
    ...{ load: load ?? loadMany, 'expiry.stale': staleMs || undefined, 'expiry.early': early || undefined, write },
  }
  for (const [option, value] of Object.entries(wrong))
    if (value !== undefined) throw new ConfigError('cache', `a cache without \`${option}\``, value)
}

/** As the cache beneath takes them. */
export function checkTags(tags: unknown): readonly string[] {
  if (!Array.isArray(tags) || tags.length > 64) throw new ConfigError('tags', 'an array of at most 64 strings', tags)
  tags.forEach((tag, i) => {
    checkName(`tags[${i}]`, tag)
  })
  return tags
}

function checkNames(option: string, names: unknown): readonly string[] {
  if (!Array.isArray(names)) throw new ConfigError(option, 'an array of strings', names)
  names.forEach((name, i) => {
    checkName(`${option}[${i}]`, name)
  })
  return names
}

function checkTokens(option: string, names: unknown): readonly string[] {
  checkNames(option, names).forEach((name, i) => {
    if (!TOKEN.test(name)) throw new ConfigError(`${option}[${i}]`, 'a name, without spaces', name)
  })
  return [...new Set(names as readonly string[])].sort()
}
