import { ConfigError } from '../../base/errors.ts'
import { isBehind, markBehind } from '../behind.ts'
import { toResponse, WebProduced } from '../web/produced.ts'
import { changed, viewOf } from '../web/request.ts'
import { type Purge, withPurge } from './door.ts'
import { ResponseCache } from './engine.ts'
import type { Exchange, HeaderChanges } from './exchange.ts'
import { handOn } from './nested.ts'
import type { CacheResponseOptions } from './options.ts'
import type { ResponseStore } from './store.ts'

export type FetchHandler<Rest extends unknown[] = []> = (
  request: Request,
  ...rest: Rest
) => Response | Promise<Response>

/** Wraps a handler: what it answers is cached, and it is asked only for what is not. */
export type FetchCache = (<Rest extends unknown[]>(
  handler: FetchHandler<Rest>,
) => (request: Request, ...rest: Rest) => Promise<Response>) &
  Purge

/**
 * A cache around handlers of the form `(request) => Response`.
 *
 * cache    an `hf.cache(name, { ttl })`; its `ttl` bounds how long responses are kept, fresh or not
 * options  see CacheResponseOptions; with `ttl`, responses that say nothing of their own freshness are cached too
 */
export function cacheResponse(cache: ResponseStore, options?: CacheResponseOptions<Request>): FetchCache {
  const responses = new ResponseCache(cache, options)
  const door = <Rest extends unknown[]>(handler: FetchHandler<Rest>) => {
    if (typeof handler !== 'function') throw new ConfigError('handler', 'a function of a Request', handler)
    return async (request: Request, ...rest: Rest): Promise<Response> => {
      if (isBehind(request) || !responses.takes(request)) return handler(request, ...rest)
      const produce = async (asked: Request) => new WebProduced(await handler(asked, ...rest), responses.maxBytes)
      const run = (changes: HeaderChanges) => {
        const asked = changed(request, changes)
        handOn(request, asked)
        return produce(asked)
      }
      const runBehind = (changes: HeaderChanges) => {
        const again = changed(request, changes)
        markBehind(again)
        return produce(again)
      }
      const exchange: Exchange = { request: viewOf(request), native: request, run, runBehind }
      return toResponse(await responses.handle(exchange))
    }
  }
  return withPurge(door, responses)
}
