import { checkKnown } from '../../base/check.ts'
import { ConfigError } from '../../base/errors.ts'
import type { Sessions } from '../../session/index.ts'
import type { SessionVisit } from './visit.ts'

export interface WithSessionOptions<As extends string = string> {
  /** The name under which a request has its session. Another one where there are two sets, such as those of customers and of staff. Default `'session'`. */
  readonly as?: As
}

/** What a middleware with sessions can do beside. */
export interface SessionOf<T extends object> {
  /** The session of a request, of its type. Throws CONFIG_INVALID for one that did not come through here. */
  of(request: object): SessionVisit<T>
}

/** Visits by their requests, for those who want them typed. */
export class Visits<T extends object> implements SessionOf<T> {
  readonly #visits = new WeakMap<object, SessionVisit<T>>()

  /** The visit of a request; the same one however often it comes through. */
  open(request: object, make: () => SessionVisit<T>): SessionVisit<T> {
    const known = this.#visits.get(request)
    if (known !== undefined) return known
    const visit = make()
    this.#visits.set(request, visit)
    return visit
  }

  of(request: object): SessionVisit<T> {
    const visit = this.#visits.get(request)
    if (visit === undefined) throw new ConfigError('request', 'one that came through withSession(…)', request)
    return visit
  }
}

export function checkSessionDoor(sessions: unknown, options: WithSessionOptions = {}): string {
  if (typeof (sessions as Sessions | undefined)?.load !== 'function')
    throw new ConfigError('sessions', 'sessions made by hf.sessions(…)', sessions)
  checkKnown('', options, ['as'])
  const { as = 'session' } = options
  if (typeof as !== 'string' || as === '') throw new ConfigError('as', 'a name', as)
  return as
}
