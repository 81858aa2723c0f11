import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Sessions } from '../../session/index.ts'
import { beforeHead } from '../node/head.ts'
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
  const isWanted = () => visit.setCookies.length > 0
  beforeHead(response, isWanted, () => {
    response.appendHeader('set-cookie', visit.setCookies)
    if (!response.hasHeader('cache-control')) response.setHeader('cache-control', 'no-store')
  })
  return visit
}
