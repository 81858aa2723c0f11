import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { serve } from '@hono/node-server'
import express from 'express'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { Hono } from 'hono'
import type { Cache } from '../../index.ts'
import { cacheResponse as expressCache } from '../express.ts'
import { cacheResponse as fastifyCache } from '../fastify.ts'
import { cacheResponse as honoCache } from '../hono.ts'

export interface Answer {
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer | Readable
}
export type Ask = {
  readonly url: string
  readonly method: string
  readonly headers: Record<string, string | undefined>
}
export type Handler = (ask: Ask) => Answer | Promise<Answer>
export interface Opened {
  readonly port: number
  close(): Promise<unknown>
}
export interface Options {
  readonly ttl?: '1m'
  readonly maxBytes?: number
  readonly stale?: { whileRevalidate: '1h' }
  readonly tags?: () => readonly string[]
  /** Puts the cache before the handler a second time. */
  readonly twice?: boolean
}

const lower = (headers: IncomingMessage['headers']) => ({ ...headers }) as Record<string, string | undefined>
export const portOf = (server: Server) => (server.address() as AddressInfo).port

/** The same site behind each door. */
export const DOORS: Record<string, (cache: Cache<unknown>, options: Options, handler: Handler) => Promise<Opened>> = {
  express: async (cache, { twice, ...options }, handler) => {
    const app = express()
    let requests = 0
    app.use((_, res, next) => {
      res.setHeader('x-before', 'yes')
      res.setHeader('x-request', ++requests)
      next()
    })
    app.use(expressCache(cache, options))
    if (twice) app.use(expressCache(cache, { ttl: '1h' }))
    app.all('/{*path}', async (req, res) => {
      const {
        status = 200,
        headers = {},
        body,
      } = await handler({ url: req.originalUrl, method: req.method, headers: lower(req.headers) })
      res.status(status).set(headers)
      if (body instanceof Readable) body.pipe(res)
      else res.send(body)
    })
    const server = createServer(app)
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return { port: portOf(server), close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) }
  },
  fastify: async (cache, { twice, ...options }, handler) => {
    const app = fastify({ forceCloseConnections: true })
    let requests = 0
    app.addHook('onRequest', async (_, reply) => void reply.header('x-before', 'yes').header('x-request', ++requests))
    await app.register(fastifyCache(cache, options))
    if (twice) await app.register(fastifyCache(cache, { ttl: '1h' }))
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_: FastifyRequest, __: unknown, done: (error: null) => void) => done(null))
    const route = async (request: FastifyRequest, reply: FastifyReply) => {
      const {
        status = 200,
        headers = {},
        body,
      } = await handler({ url: request.originalUrl, method: request.method, headers: lower(request.headers) })
      return reply.code(status).headers(headers).send(body)
    }
    app.all('/*', route)
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { port: portOf(app.server), close: () => app.close() }
  },
  hono: async (cache, { twice, ...options }, handler) => {
    let requests = 0
    const app = new Hono()
    app.use(async (c, next) => {
      c.header('x-before', 'yes')
      c.header('x-request', String(++requests))
      await next()
    })
    app.use(honoCache(cache, { ...options, app }))
    if (twice) app.use(honoCache(cache, { ttl: '1h', app }))
    app.all('*', async (c) => {
      const {
        status = 200,
        headers = {},
        body = null,
      } = await handler({
        url: c.req.url.replace(/^https?:\/\/[^/]*/, ''),
        method: c.req.method,
        headers: c.req.header(),
      })
      const content = body instanceof Readable ? (Readable.toWeb(body) as ReadableStream) : body
      return c.body(content as string, status as 200, headers)
    })
    const server = await new Promise<Server>((resolve) => {
      const made = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () => resolve(made)) as Server
    })
    return { port: portOf(server), close: () => new Promise((resolve) => server.close(resolve).closeAllConnections()) }
  },
}

export interface Got {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly bytes: Buffer
  readonly text: string
  readonly trailers: IncomingMessage['trailers']
}

/** One request, on a connection of its own, with headers as they are given. */
export function get(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (res) => {
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('error', reject)
      res.on('end', () => {
        const bytes = Buffer.concat(chunks)
        resolve({
          status: res.statusCode as number,
          headers: res.headers,
          bytes,
          text: String(bytes),
          trailers: res.trailers,
        })
      })
    })
    asked.on('error', reject)
    asked.end()
  })
}
