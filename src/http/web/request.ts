import type { HeaderChanges, RequestView } from '../cache/exchange.ts'

export const viewOf = (request: Request): RequestView => ({
  method: request.method,
  // No part of what a client asks a server.
  url: request.url.replace(/#.*$/s, ''),
  header: (name) => request.headers.get(name) ?? undefined,
})

/**
 * The request as the handler is to see it. What it makes then is for others too, so that its client's going does not end it; without
 * changes it is for this client alone, and stays as it is.
 */
export function changed(request: Request, changes: HeaderChanges): Request {
  const entries = Object.entries(changes)
  if (entries.length === 0) return request
  const headers = new Headers(request.headers)
  for (const [name, value] of entries) {
    if (value === undefined) headers.delete(name)
    else headers.set(name, value)
  }
  return new Request(request.url, { method: request.method, headers, redirect: 'manual' })
}
