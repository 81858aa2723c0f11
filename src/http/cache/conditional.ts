import { createHash } from 'node:crypto'
import { type HeaderList, headerOf, parseHttpDate, without } from '../headers.ts'
import type { RequestView } from './exchange.ts'

/** A strong validator of these very bytes. */
export const etagOf = (body: Uint8Array): string =>
  `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`

const ETAG = /(?:W\/)?"[^"]*"/g
const opaque = (etag: string): string => etag.replace(/^W\//, '')

/** True when the client has this response already: it is then answered 304 (RFC 9110, 13.2.2). */
export function isKnown(request: RequestView, headers: HeaderList, atMs: number): boolean {
  const asked = request.header('if-none-match')
  if (asked !== undefined) {
    if (asked.trim() === '*') return true
    const etag = headerOf(headers, 'etag')
    return etag !== undefined && (asked.match(ETAG) ?? []).some((one) => opaque(one) === opaque(etag))
  }
  const sinceMs = parseHttpDate(request.header('if-modified-since'))
  if (sinceMs === undefined) return false
  const modified = headerOf(headers, 'last-modified')
  const modifiedMs = modified === undefined ? Math.floor(atMs / 1_000) * 1_000 : parseHttpDate(modified)
  return modifiedMs !== undefined && modifiedMs <= sinceMs
}

/** What tells of a body that a 304 has not. */
const OF_BODY = new Set(['content-length', 'content-type', 'content-encoding', 'content-language', 'content-range'])

export const headersOf304 = (headers: HeaderList): HeaderList => without(headers, OF_BODY)

/** What a client asks under conditions; taken away when the handler is asked for the cache, or it would answer without a body. */
export const CONDITIONS = ['if-none-match', 'if-modified-since'] as const

/** A stored response's headers after the handler has said that it still holds (RFC 9111, 3.2). */
export function freshenHeaders(stored: HeaderList, news: HeaderList): HeaderList {
  const kept = new Set(['content-encoding', 'content-type', 'content-range', 'content-length', 'etag'])
  const named = new Set(news.map(([name]) => name).filter((name) => !kept.has(name)))
  return [...without(stored, named), ...news.filter(([name]) => named.has(name))]
}
