export {
  type ExpressRateLimitOptions,
  type ExpressRateLimitStore,
  expressRateLimitStore,
} from './limit/express-rate-limit.ts'
export { type ReadCookie, SessionCookie, type SessionCookieOptions } from './session/cookie.ts'
export {
  type ExpressSessionOptions,
  type ExpressSessionStore,
  expressSessionStore,
} from './session/express-session.ts'
export { nodeVisit } from './session/node-visit.ts'
export { SessionVisit } from './session/visit.ts'
export { withSession } from './session/with-session.ts'
