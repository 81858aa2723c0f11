import { type HeaderList, headerOf, withHeader } from '../headers.ts'

/** How a request was handled, for the Cache-Status header (RFC 9211). */
export interface Handling {
  readonly hit?: boolean
  /** Why the handler was asked. */
  readonly fwd?: 'bypass' | 'method' | 'miss' | 'request' | 'stale'
  readonly fwdStatus?: number
  readonly stored?: boolean
  /** Answered by another request's answer. */
  readonly collapsed?: boolean
  /** Seconds that it stays fresh; less than 0 for a stale one. */
  readonly ttl?: number
  readonly detail?: string
}

/** The headers with one line more: caches before this one have theirs before it. */
export function withStatus(headers: HeaderList, name: string | false, handling: Handling): HeaderList {
  if (name === false) return headers
  const { hit, fwd, fwdStatus, stored, collapsed, ttl, detail } = handling
  const line = [
    name,
    ...(hit ? ['hit'] : []),
    ...(fwd === undefined ? [] : [`fwd=${fwd}`]),
    ...(fwdStatus === undefined ? [] : [`fwd-status=${fwdStatus}`]),
    ...(ttl === undefined ? [] : [`ttl=${ttl}`]),
    ...(stored ? ['stored'] : []),
    ...(collapsed ? ['collapsed'] : []),
    ...(detail === undefined ? [] : [`detail=${detail}`]),
  ].join('; ')
  const before = headerOf(headers, 'cache-status')
  return withHeader(headers, 'cache-status', before === undefined ? line : `${before}, ${line}`)
}
