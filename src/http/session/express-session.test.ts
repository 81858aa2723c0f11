import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import session from 'express-session'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast, type Sessions } from '../../index.ts'
import { startServer, type TestServer, testNamespace } from '../../testing/index.ts'
import { expressSessionStore } from './express-session.ts'

type Data = Record<string, unknown>
type Store = ReturnType<typeof expressSessionStore<typeof session.Store>>

let server: TestServer
let hf: Holdfast
let sessions: Sessions<Data>
let store: Store

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  hf = await connect(server.url, { namespace: testNamespace('express'), timeout: '5s' })
  sessions = hf.sessions()
  store = expressSessionStore(session, sessions, {
    userOf: ({ user }) => user as string | undefined,
    labelOf: () => 'a browser',
  })
})
afterEach(() => hf.close())
afterAll(() => server.stop())

/** A verb of the store as a promise. */
const call = <R = unknown>(work: (done: (error: unknown, result?: R) => void) => void): Promise<R | undefined> =>
  new Promise((resolve, reject) => work((error, result) => (error ? reject(error) : resolve(result))))
const evals = async () =>
  Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0)

describe('the store', () => {
  const COOKIE = { originalMaxAge: 60_000, expires: new Date(Date.now() + 60_000), httpOnly: true, path: '/' }

  it('gets, sets, touches, counts, destroys and clears', async () => {
    expect(await call((done) => store.get('unknown', done))).toBeNull()
    expect(await call((done) => store.set('sid', { cookie: COOKIE, n: 1, at: new Date(5) }, done))).toBeUndefined()
    const cookie = { ...COOKIE, expires: COOKIE.expires.toISOString() }
    expect(await call((done) => store.get('sid', done))).toEqual({ cookie, n: 1, at: new Date(5) })
    expect(await call((done) => store.touch('sid', { cookie: COOKIE }, done))).toBeUndefined()
    expect(await call((done) => store.set('sid', { cookie: COOKIE, n: 2 }, done))).toBeUndefined()
    expect(await call((done) => store.get('sid', done))).toMatchObject({ n: 2 })
    expect(await call((done) => store.length(done))).toBe(1)
    expect(await call((done) => store.destroy('sid', done))).toBeUndefined()
    expect(await call((done) => store.destroy('sid', done))).toBeUndefined()
    expect(await call((done) => store.get('sid', done))).toBeNull()
    await call((done) => store.set('other', { cookie: COOKIE }, done))
    await call((done) => store.clear(done))
    expect(await call((done) => store.length(done))).toBe(0)
    // Without callbacks too.
    store.set('third', { cookie: COOKIE })
    await vi.waitFor(async () => expect(await call((done) => store.length(done))).toBe(1))
    store.clear()
    await vi.waitFor(async () => expect(await call((done) => store.length(done))).toBe(0))
  })

  it('keeps no id as it is', async () => {
    await call((done) => store.set('a very secret session id', { cookie: COOKIE }, done))
    const keys = await server.command<string[]>('KEYS', '*')
    const held = await Promise.all(keys.map((key) => server.command('HGETALL', key)))
    expect(JSON.stringify([keys, held])).not.toContain('secret')
  })

  it('passes errors to callbacks', async () => {
    const bare = await connect(server.url, { namespace: testNamespace('express') })
    const closed = expressSessionStore(session, bare.sessions())
    await bare.close()
    const refused = { code: 'CONNECTION_CLOSED' }
    for (const work of [
      (done: (error: unknown) => void) => closed.get('sid', done),
      (done: (error?: unknown) => void) => closed.set('sid', { cookie: COOKIE }, done),
      (done: (error?: unknown) => void) => closed.touch('sid', {}, done),
      (done: (error?: unknown) => void) => closed.destroy('sid', done),
      (done: (error: unknown) => void) => closed.length(done),
      (done: (error?: unknown) => void) => closed.clear(done),
    ])
      await expect(call(work)).rejects.toMatchObject(refused)
    await expect(call((done) => store.set('sid', { cookie: COOKIE, run: () => 1 }, done))).rejects.toMatchObject({
      code: 'VALUE_UNWRITABLE',
      path: '$.run',
    })
    expect(() => expressSessionStore({} as never, sessions)).toThrow(expect.objectContaining({ option: 'session' }))
    expect(() => expressSessionStore(session, sessions, { userOf: 5 } as never)).toThrow(
      expect.objectContaining({ option: 'userOf' }),
    )
  })
})

describe('behind express-session', () => {
  let app: Server
  let origin: string
  /** What a request waits for before it ends, by its path. */
  let gates: Map<string, Promise<void>>
  let entered: string[]
  let failures: unknown[]

  beforeEach(async () => {
    gates = new Map()
    entered = []
    failures = []
    const middleware = session({ store, secret: 'keyboard cat', resave: false, saveUninitialized: false })
    app = createServer((request, response) => {
      middleware(request as never, response as never, (error?: unknown) => {
        if (error) failures.push(error)
        void handle(request as never, response)
      })
    })
    await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
    origin = `http://127.0.0.1:${(app.address() as AddressInfo).port}`
  })
  afterEach(() => {
    app.closeAllConnections()
    app.close()
    expect(failures).toEqual([])
  })

  /** `/set?a=1` sets fields; `/unset?a`; `/login?ann`; `/logout`; anything answers the data. */
  async function handle(request: IncomingMessage & { session: session.Session & Data }, response: ServerResponse) {
    const { pathname, search, searchParams } = new URL(request.url ?? '/', origin)
    const act = (work: (done: (error: unknown) => void) => void) => call(work)
    entered.push(pathname + search)
    await gates.get(pathname + search)
    if (pathname === '/set') for (const [name, value] of searchParams) (request.session as Data)[name] = value
    if (pathname === '/unset') for (const [name] of searchParams) delete (request.session as Data)[name]
    if (pathname === '/login') {
      await act((done) => request.session.regenerate(done))
      ;(request.session as Data).user = search.slice(1)
    }
    if (pathname === '/logout') await act((done) => request.session.destroy(done))
    const { cookie: _, ...data } = (request.session ?? {}) as Data
    response.end(JSON.stringify(data))
  }

  async function get(path: string, jar = ''): Promise<{ data: Data; jar: string }> {
    const response = await fetch(origin + path, { headers: jar === '' ? {} : { cookie: jar } })
    const given = response.headers.getSetCookie()[0]?.split(';')[0]
    return { data: (await response.json()) as Data, jar: given ?? jar }
  }

  it('keeps a session from request to request, and lists it by its user', async () => {
    const { jar } = await get('/set?a=1')
    expect((await get('/', jar)).data).toEqual({ a: '1' })
    await get('/unset?a', jar)
    expect((await get('/set?b=2', jar)).data).toEqual({ b: '2' })
    const login = await get('/login?ann', jar)
    expect(login.jar).not.toBe(jar)
    expect((await get('/', login.jar)).data).toEqual({ user: 'ann' })
    expect(await sessions.listFor('ann')).toMatchObject([{ label: 'a browser' }])
    expect((await get('/', jar)).data).toEqual({})
    await sessions.revokeAll('ann')
    expect((await get('/', login.jar)).data).toEqual({})
  })

  it('gives a session its user also where nobody made a new id of it', async () => {
    const { jar } = await get('/set?a=1')
    await get('/set?user=ann', jar)
    expect(await sessions.listFor('ann')).toHaveLength(1)
    expect((await get('/', jar)).data).toEqual({ a: '1', user: 'ann' })
  })

  it('loses no field of parallel requests', async () => {
    const { jar } = await get('/set?a=1&b=2')
    let open = () => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const paths = ['/set?c=3', '/set?d=4', '/unset?b', '/']
    for (const path of paths) gates.set(path, gate)
    const running = paths.map((path) => get(path, jar))
    await vi.waitFor(() => expect(entered).toEqual(expect.arrayContaining(paths)))
    open()
    await Promise.all(running)
    expect((await get('/', jar)).data).toEqual({ a: '1', c: '3', d: '4' })
  })

  it('keeps a logout final when a request that began before it ends after it', async () => {
    const { jar } = await get('/login?ann')
    let open = () => {}
    gates.set(
      '/set?late=1',
      new Promise((resolve) => {
        open = resolve
      }),
    )
    const late = get('/set?late=1', jar)
    await vi.waitFor(() => expect(entered).toContain('/set?late=1'))
    await get('/logout', jar)
    open()
    expect((await late).data).toMatchObject({ late: '1' })
    expect((await get('/', jar)).data).toEqual({})
    expect(await sessions.count()).toBe(0)
    expect(await sessions.listFor('ann')).toEqual([])
  })

  it('takes over what another store had, for browsers that keep their cookies', async () => {
    const old = { cookie: { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }, user: 'ann', n: 1 }
    await call((done) => store.set('an-old-sid', JSON.parse(JSON.stringify(old)), done))
    const signature = createHmac('sha256', 'keyboard cat').update('an-old-sid').digest('base64').replace(/=+$/, '')
    const jar = `connect.sid=${encodeURIComponent(`s:an-old-sid.${signature}`)}`
    expect((await get('/set?n=2', jar)).data).toEqual({ user: 'ann', n: '2' })
    expect((await get('/', jar)).data).toEqual({ user: 'ann', n: '2' })
    expect(await sessions.listFor('ann')).toHaveLength(1)
  })

  it('costs one command for a request that only reads', async () => {
    const { jar } = await get('/set?a=1')
    await get('/', jar)
    const before = await evals()
    for (let i = 0; i < 5; i++) await get('/', jar)
    expect((await evals()) - before).toBe(5)
  })
})
