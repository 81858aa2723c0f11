import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http'
import { type AddressInfo, connect as connectSocket } from 'node:net'
import { Readable } from 'node:stream'
import { serve } from '@hono/node-server'
import express, { type NextFunction, type Request as Req, type Response as Res } from 'express'
import fastify, { type FastifyReply, type FastifyRequest } from 'fastify'
import { Hono } from 'hono'
import { expect, vi } from 'vitest'
import { type Cache, ipKey, type Limiter, type Sessions } from '../index.ts'
import * as forExpress from './express.ts'
import * as forFastify from './fastify.ts'
import * as forFetch from './fetch.ts'
import * as forHono from './hono.ts'

export interface Data {
  readonly role: string
}
export interface Ask {
  readonly path: string
  readonly session: forFetch.SessionVisit<Data>
}
export interface Answer {
  readonly status?: number
  readonly body?: string | Readable
}
/** What is the same of the options of all doors; functions are given the request's headers. */
export interface Options {
  readonly key?: (headers: Record<string, string | undefined>) => string | Promise<string>
  readonly cost?: (headers: Record<string, string | undefined>) => number
  readonly skip?: (headers: Record<string, string | undefined>) => boolean
  readonly refundIf?: (response: forFetch.Answered) => boolean
  readonly headers?: 'draft-6' | false
  /** Answers `no: <rule>` to who is refused. */
  readonly refuses?: boolean
  /** A cache of responses between the limit and the handler. */
  readonly pages?: Cache<unknown>
  /** The limit behind that cache. */
  readonly isInside?: boolean
}
export interface Opened {
  readonly port: number
  readonly server: Server
  close(): Promise<unknown>
}
type Open = (
  limiter: Limiter,
  sessions: Sessions<Data>,
  options: Options,
  handler: (ask: Ask) => Answer | Promise<Answer>,
) => Promise<Opened>

const COOKIE = { keys: 'a key of at least sixteen letters', plainHttp: true } as const
const PAGES = { ttl: '1m', stale: { whileRevalidate: '1h' } } as const

/** A function of the headers, as one of what a door hands. */
const over = <Args extends unknown[], R>(
  headersOf: (...request: Args) => IncomingMessage['headers'] | Record<string, string>,
  of: ((headers: Record<string, string | undefined>) => R) | undefined,
) => of && ((...request: Args) => of(headersOf(...request) as Record<string, string | undefined>))

/** The options of a door; `headersOf`: the headers of what it hands. */
function optionsOf<Args extends [unknown, ...unknown[]]>(
  { key, cost, skip, refundIf, headers }: Options,
  headersOf: (...request: Args) => IncomingMessage['headers'] | Record<string, string>,
) {
  const all = {
    ...{ key: over(headersOf, key), cost: over(headersOf, cost), skip: over(headersOf, skip), refundIf, headers },
  }
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
}

export async function listen(server: Server): Promise<Opened> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const close = () => new Promise((resolve) => server.close(resolve).closeAllConnections())
  return { port: (server.address() as AddressInfo).port, server, close }
}

const served = (fetch: (request: Request, env: never) => Response | Promise<Response>): Promise<Opened> =>
  new Promise<Server>((resolve) => {
    const made = serve({ fetch: fetch as never, port: 0, hostname: '127.0.0.1' }, () => resolve(made as Server))
  }).then(listen)

const contentOf = (body: Answer['body']) =>
  (body instanceof Readable ? Readable.toWeb(body) : (body ?? null)) as string | null

/** The same site behind each door. */
export const DOORS: Record<'express' | 'fastify' | 'hono' | 'fetch', Open> = {
  express: async (limiter, sessions, options, handler) => {
    const app = express()
    const auth = forExpress.withSession(sessions, COOKIE)
    const refuse = (_: Req, res: Res, { rule }: { rule: string }) => void res.send(`no: ${rule}`)
    const limit = forExpress.limitRequests(limiter, {
      ...optionsOf(options, (req: Req) => req.headers),
      ...(options.refuses ? { refuse } : {}),
    })
    const pages = options.pages ? [forExpress.cacheResponse(options.pages, PAGES)] : []
    app.use(auth, ...(options.isInside ? [...pages, limit] : [limit, ...pages]))
    app.all('/{*path}', async (req, res) => {
      const { status = 200, body } = await handler({ path: req.path, session: auth.of(req) })
      if ((req as unknown as { session: unknown }).session !== auth.of(req)) throw new Error('no session')
      res.status(status)
      if (body instanceof Readable) body.on('error', () => res.destroy()).pipe(res)
      else res.send(body)
    })
    app.use((_error: unknown, _: Req, res: Res, __: NextFunction) => void res.status(500).end())
    return listen(createServer(app))
  },
  fastify: async (limiter, sessions, options, handler) => {
    const app = fastify({ forceCloseConnections: true })
    const auth = forFastify.withSession(sessions, COOKIE)
    const refuse = (_: FastifyRequest, __: FastifyReply, { rule }: { rule: string }) => `no: ${rule}`
    const limit = forFastify.limitRequests(limiter, {
      ...optionsOf(options, (request: FastifyRequest) => request.headers),
      ...(options.refuses ? { refuse } : {}),
    })
    await app.register(auth)
    if (!options.isInside) await app.register(limit)
    if (options.pages) await app.register(forFastify.cacheResponse(options.pages, PAGES))
    if (options.isInside) app.addHook('preHandler', limit.hook)
    app.all('/*', async (request, reply) => {
      const { status = 200, body } = await handler({ path: request.url, session: auth.of(request) })
      if ((request as unknown as { session: unknown }).session !== auth.of(request)) throw new Error('no session')
      return reply.code(status).send(body)
    })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return { ...(await listen(app.server)), close: () => app.close() }
  },
  hono: (limiter, sessions, options, handler) => {
    const app = new Hono()
    const limit = forHono.limitRequests(limiter, {
      ...optionsOf(options, (c: { req: { header(): Record<string, string> } }) => c.req.header()),
      ...(options.refuses ? { refuse: (c, { rule }) => c.text(`no: ${rule}`, 429) } : {}),
    })
    if (options.isInside && options.pages) app.use(forHono.cacheResponse(options.pages, { ...PAGES, app }))
    app.use(limit)
    if (!options.isInside && options.pages) app.use(forHono.cacheResponse(options.pages, { ...PAGES, app }))
    app.onError((_, c) => c.body(null, 500))
    const route = app.use(forHono.withSession(sessions, COOKIE))
    route.all('*', async (c) => {
      const { status = 200, body } = await handler({ path: c.req.path, session: c.get('session') })
      return c.body(contentOf(body) as string, status as 200)
    })
    return served(app.fetch as never)
  },
  fetch: (limiter, sessions, options, handler) => {
    type Env = { incoming: { socket: { remoteAddress: string } } }
    const withLimit = forFetch.limitRequests(limiter, {
      key: (_, env) => ipKey((env as Env).incoming.socket.remoteAddress),
      ...optionsOf(options, (request: Request) => Object.fromEntries(request.headers)),
      ...(options.refuses ? { refuse: (_, { rule }) => new Response(`no: ${rule}`, { status: 429 }) } : {}),
    })
    const site = forFetch.withSession(sessions, COOKIE, async (request: Request, session, ..._env: [env: Env]) => {
      const { status = 200, body } = await handler({ path: new URL(request.url).pathname, session })
      return new Response(contentOf(body), { status })
    })
    const pages = options.pages && forFetch.cacheResponse(options.pages, PAGES)
    const inside = options.isInside ? withLimit(site) : site
    const whole = pages ? pages(inside) : inside
    const open = options.isInside ? whole : withLimit(whole)
    return served(async (request: Request, env: never) => {
      try {
        return await open(request, env)
      } catch {
        return new Response(null, { status: 500 })
      }
    })
  },
}

export const soon = (work: () => unknown) => vi.waitFor(work, { timeout: 10_000, interval: 5 })

/** A client who asks, and leaves when `hasBegun` no longer throws; resolves when the server knows it. */
export async function leave({ port, server }: Opened, path: string, hasBegun: () => void): Promise<void> {
  const client = connectSocket(port, '127.0.0.1')
  client.on('error', () => {})
  client.write(`GET ${path} HTTP/1.1\r\nhost: h\r\n\r\n`)
  await soon(hasBegun)
  client.destroy()
  const open = () => new Promise((resolve) => server.getConnections((_, count) => resolve(count)))
  await soon(async () => expect(await open()).toBe(0))
}

export interface Got {
  readonly status: number
  readonly headers: IncomingMessage['headers']
  readonly text: string
  /** Broken off before its end. */
  readonly isTorn: boolean
}

/** One request, on a connection of its own. */
export function get(port: number, path: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  return new Promise((resolve, reject) => {
    const asked = httpRequest({ host: '127.0.0.1', port, path, method, headers, agent: false }, (res) => {
      let text = ''
      let isTorn = false
      res.on('data', (chunk: Buffer) => {
        text += chunk
      })
      res.on('error', () => {
        isTorn = true
      })
      res.on('close', () => resolve({ status: res.statusCode as number, headers: res.headers, text, isTorn }))
    })
    asked.on('error', reject)
    asked.end()
  })
}
