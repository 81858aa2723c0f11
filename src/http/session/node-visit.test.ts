import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import express, { type ErrorRequestHandler } from 'express'
import fastify from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { connect, type Holdfast, type Sessions } from '../../index.ts'
import { startServer, type TestServer, testNamespace } from '../../testing/index.ts'
import { SessionCookie } from './cookie.ts'
import { nodeVisit } from './node-visit.ts'
import type { SessionVisit } from './visit.ts'

interface Data {
  role: string
}

const cookie = new SessionCookie({ keys: 'a key of at least sixteen letters' })
let server: TestServer
let hf: Holdfast
let sessions: Sessions<Data>
const closing: (() => unknown)[] = []

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  hf = await connect(server.url, { namespace: testNamespace('visit'), timeout: '5s' })
  sessions = hf.sessions<Data>()
})
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
  await hf.close()
})
afterAll(() => server.stop())

async function listen(listener: RequestListener): Promise<string> {
  const app = createServer(listener)
  closing.push(() => app.closeAllConnections() ?? app.close())
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(app.address() as AddressInfo).port}`
}

/** Logs in, reads and logs out as a browser would. */
async function expectSession(origin: string): Promise<void> {
  const get = (path: string, jar = '') => fetch(origin + path, { headers: jar === '' ? {} : { cookie: jar } })
  const login = await get('/login')
  expect(login.status).toBe(200)
  expect(login.headers.get('cache-control')).toBe('no-store')
  const [ours, theirs] = login.headers.getSetCookie().sort()
  expect(theirs).toBe('theme=dark')
  const jar = ours?.split(';')[0] as string
  expect(jar).toMatch(/^__Host-sid=/)
  const read = await get('/', jar)
  expect(await read.json()).toEqual({ role: 'user' })
  expect([read.headers.getSetCookie(), read.headers.get('cache-control')]).toEqual([['theme=dark'], null])
  expect((await get('/logout', jar)).headers.getSetCookie().sort()[0]).toMatch(/^__Host-sid=; Max-Age=0/)
  expect(await (await get('/', jar)).json()).toBeNull()
}

async function answer(path: string | undefined, visit: SessionVisit<Data>): Promise<string> {
  if (path === '/login') await visit.login('USR123', { role: 'user' })
  if (path === '/logout') await visit.destroy()
  return JSON.stringify((await visit.load())?.data ?? null)
}

it.each([
  ['an object', { 'Set-Cookie': 'theme=dark', 'content-type': 'application/json' }],
  ['a list', ['Set-Cookie', 'theme=dark', 'content-type', 'application/json']],
])('sends the cookie with the headers of writeHead, given as %s', async (_, headers) => {
  const origin = await listen(async (request, response) => {
    const body = await answer(request.url, nodeVisit(sessions, cookie, request, response))
    response.setHeader('content-type', 'text/plain')
    response.writeHead(200, 'Fine', headers as string[]).end(body)
  })
  await expectSession(origin)
  expect((await fetch(`${origin}/login`)).headers.get('content-type')).toBe('application/json')
})

it('sends it where nobody writes headers, and keeps what they say of caches', async () => {
  const origin = await listen(async (request, response) => {
    const body = await answer(request.url, nodeVisit(sessions, cookie, request, response))
    response.setHeader('set-cookie', 'theme=dark')
    if (request.url === '/login?private') response.setHeader('cache-control', 'private')
    response.end(body)
  })
  await expectSession(origin)
  const visited = await fetch(`${origin}/login?private`)
  expect(visited.headers.get('cache-control')).toBe('private')
})

it('serves Express', async () => {
  const app = express()
  const failed: unknown[] = []
  app.use(async (request, response) => {
    const body = await answer(request.url, nodeVisit(sessions, cookie, request, response))
    response.append('set-cookie', 'theme=dark')
    response.type('json').send(body)
  })
  app.use(((error, _request, response, _next) => {
    failed.push(error)
    response.sendStatus(500)
  }) as ErrorRequestHandler)
  await expectSession(await listen(app))
  expect(failed).toEqual([])
})

it('serves Fastify', async () => {
  const app = fastify()
  app.get('/*', async (request, reply) => {
    const body = await answer(request.raw.url, nodeVisit(sessions, cookie, request.raw, reply.raw))
    return reply.header('set-cookie', 'theme=dark').type('application/json').send(body)
  })
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  closing.push(() => app.close())
  await expectSession(origin)
})
