import type { IncomingMessage } from 'node:http'
import type { RequestView } from '../cache/exchange.ts'

/** A name or address with its port, as a URL may hold it: what else a client sends as Host could spell another URL. */
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d+)?$/

/** `target`: the request's path and query as the client wrote them. */
export function viewOf(req: IncomingMessage, target: string): RequestView {
  return {
    method: req.method ?? 'GET',
    url: urlOf(req, target),
    header: (name) => {
      const value = req.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
  }
}

function urlOf(req: IncomingMessage, target: string): string | undefined {
  const host = req.headers.host?.toLowerCase() ?? ''
  if (!target.startsWith('/') || !HOST.test(host)) return undefined
  const scheme = (req.socket as { encrypted?: boolean }).encrypted ? 'https' : 'http'
  return `${scheme}://${host}${target}`
}

/** Shows the handler other headers than the client sent. */
export function changeHeaders(req: IncomingMessage, changes: Readonly<Record<string, string | undefined>>): void {
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) delete req.headers[name]
    else req.headers[name] = value
  }
}
