import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Sessions } from '../../session/index.ts'
import type { SessionCookie } from './cookie.ts'
import { SessionVisit } from './visit.ts'

/**
 * The visit of a request of node:http, and so of Express and Fastify: its Set-Cookie goes out with the response's headers, which are then
 * marked `Cache-Control: no-store` unless they say something of their own. What is done with the session after the headers have left
 * reaches Redis and no browser.
 */
export function nodeVisit<T extends object>(
  sessions: Sessions<T>,
  cookie: SessionCookie,
  request: IncomingMessage,
  response: ServerResponse,
): SessionVisit<T> {
  const visit = new SessionVisit(sessions, cookie, request.headers.cookie)
  const { writeHead } = response
  // Every way to send headers ends here, also that of `end` and `write` without them.
  response.writeHead = function patched(this: ServerResponse, ...args: unknown[]) {
    response.writeHead = writeHead
    const { setCookies } = visit
    if (setCookies.length > 0 && !response.headersSent) {
      const at = typeof args[1] === 'string' ? 2 : 1
      // Headers that are given here stand in place of those set before: as such, ours is added to them.
      setAll(response, args[at])
      args.length = Math.min(args.length, at)
      response.appendHeader('set-cookie', setCookies)
      if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store')
    }
    return writeHead.apply(this, args as Parameters<ServerResponse['writeHead']>)
  } as ServerResponse['writeHead']
  return visit
}

/** Headers as `writeHead` takes them: an object, or names and values in turns. */
function setAll(response: ServerResponse, headers: unknown): void {
  if (Array.isArray(headers)) {
    const flat = headers.flat() as string[]
    for (let i = 0; i < flat.length; i += 2) response.removeHeader(flat[i] as string)
    for (let i = 0; i < flat.length; i += 2) response.appendHeader(flat[i] as string, flat[i + 1] as string)
  } else if (typeof headers === 'object' && headers !== null)
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
}
