import { createHash } from 'node:crypto'
import { membersOf } from '../headers.ts'
import type { RequestView } from './exchange.ts'
import type { ResolvedOptions } from './options.ts'
import type { VaryRecord } from './stored.ts'

/**
 * What things are called in the cache.
 *
 *   https://shop.test/products?page=2                       a response, or the record of what the responses there differ by
 *   https://shop.test/products?page=2 <mark> <whose> <slot>  one of its variants
 *
 * The URL stands as the client wrote it, undecoded: what a handler might tell apart is never put together here. No URL holds a space.
 */
export interface Place {
  readonly id: string
  /** The names by which the variant was chosen; none at the URL itself. */
  readonly record: VaryRecord | undefined
  /** What the request has under those names. */
  readonly select: string
}

/** Longer URLs are cut, with a hash of the whole behind: ids of the cache have an end. */
const LONGEST = 2_000

export const hash = (text: string): string => createHash('sha256').update(text).digest('base64url').slice(0, 27)

/** The id of a URL; undefined for one that cannot be a key. */
export function resourceId(url: string | undefined, query: ReadonlySet<string> | undefined): string | undefined {
  if (url === undefined || /\s/.test(url)) return undefined
  const id = query === undefined ? url : onlyNamed(url, query)
  return id.length <= LONGEST ? id : `${id.slice(0, LONGEST)} ~${hash(id)}`
}

/** A URL or a path with these parameters of its query alone, sorted. */
export function onlyNamed(url: string, names: ReadonlySet<string>): string {
  const at = url.indexOf('?')
  if (at < 0) return url
  const kept = url
    .slice(at + 1)
    .split('&')
    .map((parameter) => [nameOf(parameter), parameter] as const)
    .filter(([name]) => names.has(name))
    // Those of one name keep their order, which may matter.
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return kept.length === 0 ? url.slice(0, at) : `${url.slice(0, at)}?${kept.map(([, text]) => text).join('&')}`
}

function nameOf(parameter: string): string {
  const [name = ''] = parameter.split('=', 1)
  try {
    return decodeURIComponent(name.replaceAll('+', ' '))
  } catch {
    return name
  }
}

/** The place of a request among the variants that `record` tells of. `whose`: the answer of the option `key`. */
export function variantPlace(
  resource: string,
  record: VaryRecord,
  request: RequestView,
  whose: string,
  { cookies, maxVariants }: Pick<ResolvedOptions, 'cookies' | 'maxVariants'>,
): Place {
  const values = record.vary.map((name) =>
    name === 'cookie' && cookies !== undefined
      ? namedCookies(request.header('cookie'), cookies)
      : normalise(name, request.header(name)),
  )
  const owner = whose === '' ? '-' : hash(whose)
  const select = hash(JSON.stringify([record.vary, values, whose]))
  // A bounded number of slots, and not one for each value that a client may think of: what stands there says whose it is.
  const slot = Number.parseInt(createHash('sha256').update(select).digest('hex').slice(0, 12), 16) % maxVariants
  return { id: `${resource} ${record.mark} ${owner} ${slot}`, record, select }
}

/** The same for headers that mean the same. */
function normalise(name: string, value: string | undefined): string | null {
  if (value === undefined) return null
  if (name !== 'accept-encoding') return value.trim().replace(/\s+/g, ' ')
  const codings = membersOf(value).map((member) => {
    const [coding = '', ...parameters] = member.split(';').map((part) => part.trim())
    return parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? `!${coding}` : coding
  })
  return [...new Set(codings)].sort().join(',')
}

function namedCookies(header: string | undefined, names: readonly string[]): string {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim())
  return JSON.stringify(
    names.map((name) => pairs.filter((pair) => pair.startsWith(`${name}=`)).map((pair) => pair.slice(name.length + 1))),
  )
}
