import type { Context, MiddlewareHandler } from 'hono'
import { isBehind, markBehind, noteBefore, notedBefore } from '../behind.ts'
import { respond, toResponse, WebProduced } from '../web/produced.ts'
import { changed, viewOf } from '../web/request.ts'
import { type Purge, withPurge } from './door.ts'
import { ResponseCache } from './engine.ts'
import type { Exchange, HeaderChanges } from './exchange.ts'
import type { CacheResponseOptions } from './options.ts'
import type { ResponseStore } from './store.ts'

export interface HonoCacheOptions extends CacheResponseOptions<Context> {
  /**
   * The application, for requests of the cache's own: with it, what is stale is made anew behind. Default: the client who finds it
   * stale waits for it.
   */
  readonly app?: { fetch(request: Request, env?: unknown): Response | Promise<Response> }
}

export type HonoCache = MiddlewareHandler & Purge

/**
 * A middleware for Hono 4 that answers GET and HEAD from a cache, and stores what the handlers behind it answer, as far as HTTP lets a
 * cache that many share do so.
 *
 * cache    an `hf.cache(name, { ttl })`; its `ttl` bounds how long responses are kept, fresh or not
 * options  see CacheResponseOptions; with `ttl`, responses that say nothing of their own freshness are cached too
 */
export function cacheResponse(cache: ResponseStore, options: HonoCacheOptions = {}): HonoCache {
  const { app, ...others } = options ?? {}
  const responses = new ResponseCache(cache, options && others)
  const door: MiddlewareHandler = async (c, next) => {
    const request = c.req.raw
    // Without asking for `c.res`, which would make one.
    const before = [...c.newResponse(null).headers]
    if (isBehind(request)) noteBefore(request, before)
    if (isBehind(request) || !responses.takes(c)) return next()
    let ran = false
    const run = async (changes: HeaderChanges) => {
      ran = true
      c.req.raw = changed(request, changes)
      await next()
      c.req.raw = request
      return new WebProduced(c.res, responses.maxBytes, before)
    }
    const runBehind = async (changes: HeaderChanges) => {
      const again = changed(request, changes)
      markBehind(again)
      const response = await (app as NonNullable<typeof app>).fetch(again, c.env)
      return new WebProduced(response, responses.maxBytes, notedBefore(again))
    }
    const exchange: Exchange = { request: viewOf(request), native: c, run, runBehind: app && runBehind }
    const reply = await responses.handle(exchange)
    if (ran) {
      const response = toResponse(reply)
      // Else the headers of the one before would be put over it.
      c.res = undefined
      c.res = response
      return undefined
    }
    if (reply.kind !== 'whole') return undefined
    // With what middleware before has set already.
    const { body, headers } = respond(reply.status, reply.headers, reply.body ?? null)
    return c.newResponse(body, { status: reply.status as never, headers: Object.fromEntries(headers) })
  }
  return withPurge(door, responses)
}
