import type { NextFunction, Request, Response } from 'express'
import type { Sessions } from '../../session/index.ts'
import { type SessionCookie, type SessionCookieOptions, toCookie } from './cookie.ts'
import { checkSessionDoor, type SessionOf, Visits, type WithSessionOptions } from './door.ts'
import { nodeVisit } from './node-visit.ts'

export type ExpressSessions<T extends object> = ((req: Request, res: Response, next: NextFunction) => void) &
  SessionOf<T>

/**
 * A middleware for Express 5: `req.session` is the session of the request, asked of Redis when it is first wanted; its cookie goes out with
 * the response. For code that is written for express-session see `expressSessionStore`.
 *
 * cookie   a SessionCookie, or what one is made of: at least `{ keys }`
 * returns  the middleware; its `of(req)` is `req.session` with the type of its data
 */
export function withSession<T extends object>(
  sessions: Sessions<T>,
  cookie: SessionCookie | SessionCookieOptions,
  options?: WithSessionOptions,
): ExpressSessions<T> {
  const as = checkSessionDoor(sessions, options)
  const visits = new Visits<T>()
  const made = toCookie(cookie)
  const door = (req: Request, res: Response, next: NextFunction): void => {
    Object.assign(req, { [as]: visits.open(req, () => nodeVisit(sessions, made, req, res)) })
    next()
  }
  return Object.assign(door, { of: (req: object) => visits.of(req) })
}
