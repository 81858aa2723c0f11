import type { Turn } from '../../limit/index.ts'
import { isBehind } from '../behind.ts'
import { Gate } from './gate.ts'
import type { LimitRequestsOptions } from './options.ts'
import { accompanied, refusalResponse } from './web-passage.ts'

type Handler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Response | Promise<Response>

export interface FetchLimitOptions extends LimitRequestsOptions<[request: Request, ...rest: unknown[]]> {
  /** Who is counted; called with all that the handler is called with. A Request does not know the address of its client: the server may. */
  key(request: Request, ...rest: unknown[]): string | Promise<string>
  /** What who is refused is answered. Default: a problem (RFC 9457) in JSON, with status 429. */
  refuse?(request: Request, turn: Turn): Response | Promise<Response>
}

/** Wraps a handler: it is called as far as the limiter admits it. */
export type FetchLimit = <Rest extends unknown[]>(
  handler: Handler<Rest>,
) => (request: Request, ...rest: Rest) => Promise<Response>

/**
 * A limit around handlers of the form `(request) => Response`.
 *
 * limiter  an `hf.limiter(name, options)`; its permits are held until the body was read or given up, and its `whenDown` says what happens
 *          without Redis
 * options  see LimitRequestsOptions; `key` must be given
 */
export function limitRequests(limiter: object, options: FetchLimitOptions): FetchLimit {
  const gate = new Gate(limiter, options)
  const { refuse = (_: Request, turn: Turn) => refusalResponse(turn) } = options
  return (handler) =>
    async (request, ...rest) => {
      if (isBehind(request)) return handler(request, ...rest)
      const passage = await gate.ask([request, ...rest], () => undefined)
      if (passage === undefined) return handler(request, ...rest)
      if (!passage.turn.allowed) return accompanied(passage, request, await refuse(request, passage.turn))
      if (passage.holdsPermits) passage.keep()
      try {
        return accompanied(passage, request, await handler(request, ...rest))
      } catch (error) {
        passage.release()
        throw error
      }
    }
}
