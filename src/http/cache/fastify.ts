import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { randomId } from '../../base/id.ts'
import { BEHIND_HEADER, isBehind, keepSecret, markBehind } from '../behind.ts'
import type { HeaderList } from '../headers.ts'
import { failCaptured, NodeExchange, overlay, sendCaptured } from '../node/send.ts'
import { type Purge, withPurge } from './door.ts'
import { ResponseCache } from './engine.ts'
import type { Exchange, HeaderChanges, Produced } from './exchange.ts'
import type { CacheResponseOptions } from './options.ts'
import type { ResponseStore } from './store.ts'

export type FastifyCache = ((instance: FastifyInstance, options: object, done: () => void) => void) & Purge

/**
 * A plugin for Fastify 5: routes of the instance that it is registered on, and of those below, are answered from a cache. It acts just
 * before the handler, so whatever refuses requests earlier (onRequest, preValidation, and preHandler hooks added before) is asked first.
 *
 * cache    an `hf.cache(name, { ttl })`; its `ttl` bounds how long responses are kept, fresh or not
 * options  see CacheResponseOptions; with `ttl`, responses that say nothing of their own freshness are cached too
 */
export function cacheResponse(cache: ResponseStore, options?: CacheResponseOptions<FastifyRequest>): FastifyCache {
  const responses = new ResponseCache(cache, options)
  const secret = keepSecret(randomId())
  const plugin = (instance: FastifyInstance, _: object, done: () => void): void => {
    instance.addHook('preHandler', async (request, reply) => {
      if (isOwn(request)) injected.get(String(request.headers[RUN_HEADER]))?.(listOf(reply))
      delete request.headers[RUN_HEADER]
      if (isBehind(request.raw) || !responses.takes(request.raw)) return
      return answer(responses, secret, request, reply)
    })
    done()
  }
  // Else the hook would be of a scope in which there are no routes.
  return withPurge(Object.assign(plugin, { [Symbol.for('skip-override')]: true }), responses)
}

/** Tells the cache that sent a request of its own what middleware before it has set. */
const injected = new Map<string, (before: HeaderList) => void>()
const RUN_HEADER = 'holdfast-run'

const listOf = (reply: FastifyReply): HeaderList =>
  Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (one === undefined ? [] : [[name, String(one)] as const])),
  )

/** Of this cache or of any other in the process: the first that it meets marks it for all. */
function isOwn(request: FastifyRequest): boolean {
  const said = request.headers[BEHIND_HEADER]
  delete request.headers[BEHIND_HEADER]
  const isOurs = isBehind(request.raw, said)
  if (isOurs) markBehind(request.raw)
  return isOurs
}

/** Resolves with `reply` when it was answered, with nothing when the handler is to run. */
function answer(responses: ResponseCache, secret: string, request: FastifyRequest, reply: FastifyReply) {
  return new Promise<FastifyReply | undefined>((resolve, reject) => {
    const runBehind = (changes: HeaderChanges) => inject(request, secret, changes)
    const exchange = new NodeExchange(
      ...([
        request,
        request.raw,
        reply.raw,
        request.originalUrl,
        responses.maxBytes,
        () => {
          if (exchange.capture !== undefined) exchange.capture.before = listOf(reply)
          resolve(undefined)
        },
      ] as const),
      runBehind,
    )
    responses.handle(exchange).then(
      (answered) => {
        if (exchange.capture !== undefined) return sendCaptured(reply.raw, exchange.capture, answered)
        if (answered.kind !== 'whole') return
        const present = reply.getHeader('vary')
        for (const [name, value] of overlay(present === undefined ? '' : String(present), answered.headers))
          reply.header(name, value)
        resolve(reply.code(answered.status).send(answered.body && Buffer.from(answered.body)))
      },
      (error) => {
        if (exchange.capture === undefined) return reject(error)
        return failCaptured(reply.raw, exchange.capture, error, (failure) => void reply.send(failure))
      },
    )
  })
}

async function inject(request: FastifyRequest, secret: string, changes: HeaderChanges): Promise<Produced> {
  const run = randomId()
  let before: HeaderList | undefined
  injected.set(run, (headers) => {
    before ??= headers
  })
  const headers: Record<string, string> = {}
  for (const [name, value] of Object.entries({
    ...request.headers,
    ...changes,
    [BEHIND_HEADER]: secret,
    [RUN_HEADER]: run,
  }))
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value
  const {
    statusCode,
    headers: answered,
    rawPayload,
  } = await request.server
    .inject({ ...{ method: 'GET', url: request.originalUrl, headers, remoteAddress: request.ip } })
    .finally(() => injected.delete(run))
  const body = async () => rawPayload
  return {
    status: statusCode,
    // The Date is that of an answer that was never sent.
    headers: Object.entries({ ...answered, date: undefined }).flatMap(([name, value]) =>
      [value].flat().flatMap((one) => (one === undefined ? [] : [[name, String(one)] as const])),
    ),
    before,
    atOnce: body,
    whole: body,
    discard: () => {},
  } satisfies Awaited<ReturnType<Exchange['run']>>
}
