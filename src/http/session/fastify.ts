import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Sessions } from '../../session/index.ts'
import { type SessionCookie, type SessionCookieOptions, toCookie } from './cookie.ts'
import { checkSessionDoor, type SessionOf, Visits, type WithSessionOptions } from './door.ts'
import { nodeVisit } from './node-visit.ts'

export type FastifySessions<T extends object> = ((
  instance: FastifyInstance,
  options: object,
  done: () => void,
) => void) &
  SessionOf<T>

/**
 * A plugin for Fastify 5: `request.session` is the session of the request, asked of Redis when it is first wanted, from `onRequest` on; its
 * cookie goes out with the response. For the routes of the instance that it is registered on, and of those below.
 *
 * cookie   a SessionCookie, or what one is made of: at least `{ keys }`
 * returns  the plugin; its `of(request)` is `request.session` with the type of its data
 */
export function withSession<T extends object>(
  sessions: Sessions<T>,
  cookie: SessionCookie | SessionCookieOptions,
  options?: WithSessionOptions,
): FastifySessions<T> {
  const as = checkSessionDoor(sessions, options)
  const visits = new Visits<T>()
  const made = toCookie(cookie)
  const plugin = (instance: FastifyInstance, _: object, done: () => void): void => {
    instance.decorateRequest(as, null)
    instance.addHook('onRequest', async (request: FastifyRequest, reply) => {
      Object.assign(request, { [as]: visits.open(request, () => nodeVisit(sessions, made, request.raw, reply.raw)) })
    })
    done()
  }
  // Else the hook would be of a scope in which there are no routes.
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    of: (request: object) => visits.of(request),
  })
}
