import type { Sessions } from '../../session/index.ts'
import { type SessionCookie, type SessionCookieOptions, toCookie } from './cookie.ts'
import { SessionVisit } from './visit.ts'

/**
 * A Fetch handler with sessions: `handle` gets the request's visit, and its Set-Cookie goes out with the response, which is then marked
 * `Cache-Control: no-store` unless it says something of its own.
 *
 * cookie  a SessionCookie, or what one is made of: at least `{ keys }`
 */
export function withSession<T extends object, Rest extends readonly unknown[]>(
  sessions: Sessions<T>,
  cookie: SessionCookie | SessionCookieOptions,
  handle: (request: Request, visit: SessionVisit<T>, ...rest: Rest) => Response | Promise<Response>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  const made = toCookie(cookie)
  return async (request, ...rest) => {
    const visit = new SessionVisit(sessions, made, request.headers.get('cookie'))
    const response = await handle(request, visit, ...rest)
    const { setCookies } = visit
    if (setCookies.length === 0) return response
    // Headers of a response that was fetched or redirected cannot be changed.
    const headers = new Headers(response.headers)
    for (const header of setCookies) headers.append('set-cookie', header)
    if (!headers.has('cache-control')) headers.set('cache-control', 'no-store')
    return new Response(response.body, { status: response.status, statusText: response.statusText, headers })
  }
}
