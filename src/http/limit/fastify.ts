import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Turn } from '../../limit/index.ts'
import { BEHIND_HEADER, isBehind } from '../behind.ts'
import { Gate } from './gate.ts'
import { accompany } from './node-passage.ts'
import type { LimitRequestsOptions } from './options.ts'
import { refusalOf } from './refusal.ts'

export interface FastifyLimitOptions extends LimitRequestsOptions<[request: FastifyRequest]> {
  /** What who is refused is answered: sent, or returned to be sent. The status is set already. Default: a problem (RFC 9457) in JSON. */
  refuse?(request: FastifyRequest, reply: FastifyReply, turn: Turn): unknown
}

export interface FastifyLimit {
  /** As a plugin: all routes of the instance that it is registered on, and of those below, when a request comes in (`onRequest`). */
  (instance: FastifyInstance, options: object, done: () => void): void
  /** For one route or at another moment: `{ onRequest: limit.hook }`, or `preHandler` where `key` needs the body or who is logged in. */
  readonly hook: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>
}

/**
 * A plugin and a hook for Fastify 5 that let a request through as far as a limiter admits it, and answer 429 beyond.
 *
 * limiter  an `hf.limiter(name, options)`; its permits are held until the response has ended, and its `whenDown` says what happens without Redis
 * options  see LimitRequestsOptions. By default `request.ip` is counted, which is what the instance's `trustProxy` makes of it
 */
export function limitRequests(limiter: object, options: FastifyLimitOptions = {}): FastifyLimit {
  const gate = new Gate(limiter, options)
  const { refuse = sendRefusal } = options
  const hook = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> => {
    if (isBehind(request.raw, request.headers[BEHIND_HEADER])) return undefined
    const passage = await gate.ask([request], () => request.ip)
    if (passage === undefined) return undefined
    const { turn } = passage
    accompany(passage, reply.raw)
    // A client who has gone meanwhile is none to work for.
    if (turn.allowed) return reply.raw.closed ? reply.hijack() : undefined
    reply.code(refusalOf(turn).status)
    const answer = await refuse(request, reply, turn)
    return reply.sent || answer === reply ? reply : reply.send(answer)
  }
  const plugin = (instance: FastifyInstance, _: object, done: () => void): void => {
    instance.addHook('onRequest', hook)
    done()
  }
  // Else the hook would be of a scope in which there are no routes.
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true, hook })
}

function sendRefusal(_: FastifyRequest, reply: FastifyReply, turn: Turn): FastifyReply {
  const { type, body } = refusalOf(turn)
  return reply.header('content-type', type).send(body)
}
