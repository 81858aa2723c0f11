import type { IncomingMessage, ServerResponse } from 'node:http'
import type { NextFunction, Request, Response } from 'express'
import { isBehind, noteBefore } from '../behind.ts'
import { headersOf } from '../node/capture.ts'
import { runDetached } from '../node/detached.ts'
import { failCaptured, NodeExchange, overlay, sendCaptured } from '../node/send.ts'
import { type Purge, withPurge } from './door.ts'
import { ResponseCache } from './engine.ts'
import type { HeaderChanges, Reply } from './exchange.ts'
import type { CacheResponseOptions } from './options.ts'
import type { ResponseStore } from './store.ts'

export type ExpressCache<Req extends Request> = ((req: Req, res: Response, next: NextFunction) => void) & Purge

/**
 * A middleware for Express 5 that answers GET and HEAD from a cache, and stores what the handlers behind it answer, as far as HTTP
 * lets a cache that many share do so.
 *
 * cache    an `hf.cache(name, { ttl })`; its `ttl` bounds how long responses are kept, fresh or not
 * options  see CacheResponseOptions; with `ttl`, responses that say nothing of their own freshness are cached too
 */
// biome-ignore lint/suspicious/noExplicitAny: else the parameters of a route's path are lost to the handlers behind
export function cacheResponse<Req extends Request = Request<any>>(
  cache: ResponseStore,
  options?: CacheResponseOptions<Req>,
): ExpressCache<Req> {
  const responses = new ResponseCache(cache, options)
  const door = (req: Req, res: Response, next: NextFunction): void => {
    if (isBehind(req)) noteBefore(req, headersOf(res))
    if (isBehind(req) || !responses.takes(req)) return next()
    const app = rootOf(req)
    const runBehind = (changes: HeaderChanges) =>
      runDetached(app as NonNullable<typeof app>, req, req.originalUrl, changes, responses.maxBytes)
    const exchange = new NodeExchange(
      ...([req, req, res, req.originalUrl, responses.maxBytes, () => next()] as const),
      app && runBehind,
    )
    responses.handle(exchange).then(
      (reply) => (exchange.capture === undefined ? send(res, reply) : sendCaptured(res, exchange.capture, reply)),
      (error) => (exchange.capture === undefined ? next(error) : failCaptured(res, exchange.capture, error, next)),
    )
  }
  return withPurge(door, responses)
}

type App = ((req: IncomingMessage, res: ServerResponse) => void) & { readonly parent?: App }

/** The application that the server calls, for requests of the cache's own. */
function rootOf(req: Request): App | undefined {
  let app = (req as { app?: unknown }).app as App | undefined
  while (app?.parent !== undefined) app = app.parent
  return typeof app === 'function' ? app : undefined
}

function send(res: Response, reply: Reply): void {
  if (reply.kind !== 'whole') return
  res.statusCode = reply.status
  for (const [name, value] of overlay(String(res.getHeader('vary') ?? ''), reply.headers)) res.setHeader(name, value)
  res.end(reply.body)
}
