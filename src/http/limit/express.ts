import type { NextFunction, Request, Response } from 'express'
import type { Turn } from '../../limit/index.ts'
import { isBehind } from '../behind.ts'
import { Gate } from './gate.ts'
import { accompany } from './node-passage.ts'
import type { LimitRequestsOptions } from './options.ts'
import { refusalOf } from './refusal.ts'

export interface ExpressLimitOptions<Req extends Request> extends LimitRequestsOptions<[req: Req]> {
  /** Answers who is refused; the status is set already. Default: a problem (RFC 9457) in JSON. */
  refuse?(req: Req, res: Response, turn: Turn): unknown
}

export type ExpressLimit<Req extends Request> = (req: Req, res: Response, next: NextFunction) => void

/**
 * A middleware for Express 5 that lets a request through as far as a limiter admits it, and answers 429 beyond.
 *
 * limiter  an `hf.limiter(name, options)`; its permits are held until the response has ended, and its `whenDown` says what happens without Redis
 * options  see LimitRequestsOptions. By default `req.ip` is counted, which is what the application's `trust proxy` makes of it
 */
export function limitRequests<Req extends Request = Request>(
  limiter: object,
  options: ExpressLimitOptions<Req> = {},
): ExpressLimit<Req> {
  const gate = new Gate(limiter, options)
  const { refuse = sendRefusal } = options
  return (req, res, next) => {
    if (isBehind(req)) return next()
    gate
      .ask([req], () => req.ip)
      .then(async (passage) => {
        if (passage === undefined) return true
        accompany(passage, res)
        // A client who has gone meanwhile is none to work for.
        if (passage.turn.allowed) return !res.closed
        res.status(refusalOf(passage.turn).status)
        await refuse(req, res, passage.turn)
        return false
      })
      .then((goesOn) => goesOn && next(), next)
  }
}

function sendRefusal(_: Request, res: Response, turn: Turn): void {
  const { type, body } = refusalOf(turn)
  res.setHeader('content-type', type)
  res.end(body)
}
