import type { MiddlewareHandler } from 'hono'
import type { Sessions } from '../../session/index.ts'
import { type SessionCookie, type SessionCookieOptions, toCookie } from './cookie.ts'
import { checkSessionDoor, type WithSessionOptions } from './door.ts'
import { SessionVisit } from './visit.ts'

/** `As`: the name of the variable that holds the visit. */
export type HonoSessions<T extends object, As extends string = 'session'> = MiddlewareHandler<{
  Variables: { [Name in As]: SessionVisit<T> }
}>

/**
 * A middleware for Hono 4: `c.var.session`, or `c.get('session')`, is the session of the request, asked of Redis when it is first wanted; its
 * cookie goes out with the response, which is then marked `Cache-Control: no-store` unless it says something of its own.
 *
 * cookie  a SessionCookie, or what one is made of: at least `{ keys }`
 */
export function withSession<T extends object, As extends string = 'session'>(
  sessions: Sessions<T>,
  cookie: SessionCookie | SessionCookieOptions,
  options?: WithSessionOptions<As>,
): HonoSessions<T, As> {
  const as = checkSessionDoor(sessions, options) as As
  const made = toCookie(cookie)
  const visited = new WeakSet<object>()
  return async (c, next) => {
    // Mounted twice on the way: the session and its cookie are those of the first time.
    if (visited.has(c)) return next()
    visited.add(c)
    const visit = new SessionVisit(sessions, made, c.req.header('cookie'))
    c.set(as, visit as never)
    await next()
    const { setCookies } = visit
    for (const header of setCookies) c.header('set-cookie', header, { append: true })
    if (setCookies.length > 0 && !c.res.headers.has('cache-control')) c.header('cache-control', 'no-store')
  }
}
