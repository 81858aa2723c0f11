import { type HeaderList, headerOf, membersOf } from '../headers.ts'
import type { Directives } from './directives.ts'
import type { Lifetime } from './freshness.ts'
import type { StoredResponse } from './stored.ts'

/** Statuses that live by the option `ttl`: those that HTTP calls cacheable by default, without the errors of a server. */
const BY_DEFAULT = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414])
/** Statuses whose meaning this cache knows, for `must-understand`. */
const UNDERSTOOD = new Set([...BY_DEFAULT, 302, 303, 307, 400, 403, 500, 501, 502, 503, 504])

export interface Candidate {
  readonly status: number
  readonly headers: HeaderList
  readonly directives: Directives
  readonly lifetime: Lifetime
  readonly open: StoredResponse['open']
}

/** What a request brings that makes its response its own. */
export interface Credentials {
  readonly authorization: boolean
  readonly cookies: boolean
}

/** Why a response may not be stored in a cache that many share (RFC 9111, 3); undefined where it may. */
export function whyNotStored(
  { status, headers, directives, lifetime, open }: Candidate,
  credentials: Credentials,
): string | undefined {
  if (status < 200 || status === 206 || status === 304) return `status-${status}`
  const understands = directives.has('must-understand') && UNDERSTOOD.has(status)
  if (directives.has('must-understand') && !understands) return 'must-understand'
  if (directives.has('no-store') && !understands) return 'no-store'
  if (directives.get('private') === '') return 'private'
  if (!mayBeGiven(open, credentials)) return credentials.authorization ? 'authorization' : 'cookie'
  if (headerOf(headers, 'set-cookie') !== undefined && !namedFields(directives).has('set-cookie')) return 'set-cookie'
  // Its trailers would be lost.
  if (headerOf(headers, 'trailer') !== undefined) return 'trailer'
  if (membersOf(headerOf(headers, 'vary')).includes('*')) return 'vary-all'
  if (/^text\/event-stream\b/i.test(headerOf(headers, 'content-type') ?? '')) return 'event-stream'
  if (!lifetime.explicit && !BY_DEFAULT.has(status)) return `status-${status}`
  const { freshMs, ageMs, rule, swrMs, sieMs } = lifetime
  if (freshMs > ageMs && rule !== 'no-cache') return undefined
  const asks = headerOf(headers, 'etag') !== undefined || headerOf(headers, 'last-modified') !== undefined
  const isOfUse =
    (lifetime.explicit && asks && status === 200) ||
    (rule !== 'must' && rule !== 'no-cache' && swrMs + sieMs > 0 && freshMs > 0)
  return isOfUse ? undefined : lifetime.explicit ? 'expired' : 'no-lifetime'
}

/** Whether requests that carry credentials may be given it. */
export const mayBeGiven = (open: StoredResponse['open'], { authorization, cookies }: Credentials): boolean =>
  cookies ? open === 'all' : !authorization || open !== ''

/** RFC 9111, 3.5, for Authorization. A cookie is as personal, and `must-revalidate` says nothing of it. */
export function openness(directives: Directives): StoredResponse['open'] {
  if (directives.has('public') || directives.has('s-maxage')) return 'all'
  return directives.has('must-revalidate') ? 'authorization' : ''
}

/** Headers that `private="…"` and `no-cache="…"` keep out of the cache, while the rest is stored. */
export const namedFields = (directives: Directives): ReadonlySet<string> =>
  new Set([...membersOf(directives.get('private')), ...membersOf(directives.get('no-cache'))])
