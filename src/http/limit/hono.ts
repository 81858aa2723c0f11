import type { ServerResponse } from 'node:http'
import type { Context, MiddlewareHandler } from 'hono'
import type { Turn } from '../../limit/index.ts'
import { isBehind } from '../behind.ts'
import { whenClosed } from '../node/ending.ts'
import { whenSent } from '../web/ending.ts'
import { Gate } from './gate.ts'
import type { LimitRequestsOptions } from './options.ts'
import type { Passage } from './passage.ts'
import { refusalResponse } from './web-passage.ts'

export interface HonoLimitOptions extends LimitRequestsOptions<[c: Context]> {
  /** What who is refused is answered. Default: a problem (RFC 9457) in JSON, with status 429. */
  refuse?(c: Context, turn: Turn): Response | Promise<Response>
}

/** What @hono/node-server gives a request, on any other server nothing. */
interface NodeEnv {
  readonly incoming?: { readonly socket?: { readonly remoteAddress?: string | undefined } }
  readonly outgoing?: ServerResponse
}

/**
 * A middleware for Hono 4 that lets a request through as far as a limiter admits it, and answers 429 beyond.
 *
 * limiter  an `hf.limiter(name, options)`; its permits are held until the response has ended, and its `whenDown` says what happens without Redis
 * options  see LimitRequestsOptions. By default the address of the socket is counted, which @hono/node-server tells; behind a proxy and on other
 *          servers give `key`
 */
export function limitRequests(limiter: object, options: HonoLimitOptions = {}): MiddlewareHandler {
  const gate = new Gate(limiter, options)
  const { refuse = (_: Context, turn: Turn) => refusalResponse(turn) } = options
  return async (c, next) => {
    if (isBehind(c.req.raw)) return next()
    const { incoming, outgoing } = (c.env ?? {}) as NodeEnv
    const passage = await gate.ask([c], () => incoming?.socket?.remoteAddress)
    if (passage === undefined) return next()
    if (!passage.turn.allowed) {
      c.res = await refuse(c, passage.turn)
      return tell(c, passage)
    }
    if (passage.holdsPermits) passage.keep()
    if (passage.holdsPermits && outgoing !== undefined) whenClosed(outgoing, () => passage.release())
    try {
      await next()
    } catch (error) {
      passage.release()
      throw error
    }
    passage.answered({ status: c.res.status, headers: c.res.headers })
    tell(c, passage)
    if (passage.holdsPermits && outgoing === undefined) {
      const sent = whenSent(c.res, c.req.raw, () => passage.release())
      // Else the headers of the one before would be put over it.
      if (sent !== c.res) c.res = undefined
      c.res = sent
    }
  }
}

function tell(c: Context, passage: Passage): void {
  if (c.res.status < 200) return
  for (const [name, value] of passage.headersOver((name) => c.res.headers.get(name) ?? undefined)) {
    try {
      c.res.headers.set(name, value)
    } catch {
      // Those of a response that was fetched or redirected cannot be changed: this makes another of it.
      c.header(name, value)
    }
  }
}
