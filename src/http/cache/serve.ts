import { formatHttpDate, type HeaderList, headerOf, membersOf, withHeader } from '../headers.ts'
import { headersOf304, isKnown } from './conditional.ts'
import type { Exchange, Produced, Reply } from './exchange.ts'
import { ageOf } from './freshness.ts'
import type { ResolvedOptions } from './options.ts'
import { type Handling, withStatus } from './status.ts'
import { bytesOf, type StoredResponse } from './stored.ts'

type Naming = Pick<ResolvedOptions, 'name'>

/** A stored response as the answer to a request: whole, without its body, or 304 where the client has it already. */
export function serveStored(
  { request }: Exchange,
  { name }: Naming,
  stored: StoredResponse,
  handling: Handling,
  instead?: Produced,
): Reply {
  const nowMs = Date.now()
  const ageMs = ageOf(stored, nowMs)
  const ttl = Math.floor((stored.freshMs - ageMs) / 1_000)
  const aged = withHeader(stored.headers, 'age', String(Math.floor(ageMs / 1_000)))
  const headers = withStatus(aged, name, handling.hit ? { ...handling, ttl } : handling)
  return whole(request.method, stored.status, headers, bytesOf(stored), isKnown(request, headers, stored.atMs), instead)
}

/** What the handler has just answered, read to its end. */
export function serveProduced({ request }: Exchange, produced: Produced, headers: HeaderList, body: Uint8Array): Reply {
  return whole(request.method, produced.status, headers, body, isKnownFresh(request, headers), produced)
}

/** What the handler answers, as it comes. */
export function servePassing(exchange: Exchange, produced: Produced, headers: HeaderList): Reply {
  // Its conditions were taken from the request before the handler saw it.
  if (produced.status === 200 && isKnownFresh(exchange.request, headers))
    return { kind: 'whole', status: 304, headers: headersOf304(headers), body: undefined, instead: produced }
  return { kind: 'pass', produced, headers }
}

const isKnownFresh = (request: Exchange['request'], headers: HeaderList): boolean =>
  (headerOf(headers, 'etag') !== undefined || headerOf(headers, 'last-modified') !== undefined) &&
  isKnown(request, headers, Date.now())

function whole(
  method: string,
  status: number,
  headers: HeaderList,
  body: Uint8Array,
  known: boolean,
  instead: Produced | undefined,
): Reply {
  if (status === 200 && known)
    return { kind: 'whole', status: 304, headers: headersOf304(headers), body: undefined, instead }
  if (status === 204) return { kind: 'whole', status, headers, body: undefined, instead }
  const measured = withHeader(headers, 'content-length', String(body.length))
  return { kind: 'whole', status, headers: measured, body: method === 'HEAD' ? undefined : body, instead }
}

/** Nothing is stored that may be given, and the client wants nothing else (RFC 9111, 5.2.1.7). */
export function refuseUncached({ name }: Naming): Reply {
  const headers = withStatus([['content-length', '0']], name, { fwd: 'miss', detail: 'only-if-cached' })
  return { kind: 'whole', status: 504, headers, body: undefined, instead: undefined }
}

/** With a Vary that names these too, for the caches behind this one. */
export function withVary(headers: HeaderList, names: readonly string[]): HeaderList {
  const said = headerOf(headers, 'vary')
  const known = new Set(membersOf(said))
  const more = names.filter((name) => !known.has(name))
  if (more.length === 0 || known.has('*')) return headers
  return withHeader(headers, 'vary', [...(said === undefined ? [] : [said]), ...more].join(', '))
}

export const withDate = (headers: HeaderList, atMs: number): HeaderList =>
  headerOf(headers, 'date') === undefined ? withHeader(headers, 'date', formatHttpDate(atMs)) : headers
