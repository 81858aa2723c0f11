import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { connect, type Holdfast, type Sessions } from '../../index.ts'
import { startServer, type TestServer, testNamespace } from '../../testing/index.ts'
import { SessionCookie } from './cookie.ts'
import { SessionVisit } from './visit.ts'
import { withSession } from './with-session.ts'

interface Data {
  role?: string
  cart?: readonly string[]
}

const cookie = new SessionCookie({ keys: 'a key of at least sixteen letters' })
let server: TestServer
let hf: Holdfast
let sessions: Sessions<Data>

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  hf = await connect(server.url, { namespace: testNamespace('visit'), timeout: '5s' })
  sessions = hf.sessions<Data>()
})
afterEach(() => hf.close())
afterAll(() => server.stop())

/** A browser's jar of one cookie: what it sends after it was sent these. */
function answerOf(visit: SessionVisit<Data>, jar = ''): string {
  const [header] = visit.setCookies
  return header === undefined ? jar : header.includes('Max-Age=0') ? '' : (header.split(';')[0] as string)
}
const visitWith = (jar: string | undefined) => new SessionVisit(sessions, cookie, jar)
const evals = async () =>
  Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1] ?? 0)

describe('a visit', () => {
  it('asks Redis for nothing until it is wanted, and then once', async () => {
    const { id } = await sessions.create({ role: 'user' })
    const jar = cookie.write(id).split(';')[0]
    await sessions.load(id)
    const before = await evals()
    const visit = visitWith(jar)
    expect(visit.id).toBe(id)
    expect(await evals()).toBe(before)
    const [one, two] = await Promise.all([visit.load(), visit.load()])
    expect(one).toBe(two)
    expect(one).toMatchObject({ id, data: { role: 'user' } })
    expect(await evals()).toBe(before + 1)
    expect(visit.setCookies).toEqual([])
    for (const bad of [undefined, '', `__Host-sid=${id}`, `${jar}x`])
      expect(await visitWith(bad).load()).toBeUndefined()
    expect(await evals()).toBe(before + 1)
  })

  it('begins a session, logs in with what it holds, and logs out', async () => {
    const first = visitWith(undefined)
    expect(await first.update({ cart: ['a'] })).toBeUndefined()
    await first.create({ cart: ['a'] })
    let jar = answerOf(first)
    expect(jar).toMatch(/^__Host-sid=/)

    const before = visitWith(jar)
    const login = visitWith(jar)
    await login.login('USR123', { role: 'user' }, { label: 'Firefox' })
    expect(await login.load()).toMatchObject({ userId: 'USR123', data: { cart: ['a'], role: 'user' } })
    jar = answerOf(login)
    expect(await sessions.listFor('USR123')).toMatchObject([{ label: 'Firefox' }])
    // Who planted the cookie is not logged in; and what comes late for him takes no cookie away.
    expect(await before.load()).toBeUndefined()
    expect(before.setCookies).toEqual([])

    const logout = visitWith(jar)
    expect(await logout.destroy()).toBe(true)
    expect(await logout.load()).toBeUndefined()
    expect(answerOf(logout, jar)).toBe('')
    expect(await visitWith(jar).update({ role: 'admin' })).toBeUndefined()
    expect(await sessions.count()).toBe(0)
  })

  it('logs in where there is no session yet', async () => {
    const visit = visitWith(undefined)
    await visit.login('USR123', { role: 'user' })
    expect(await visitWith(answerOf(visit)).load()).toMatchObject({ userId: 'USR123', data: { role: 'user' } })
  })

  it('gives a new id to one of two parallel requests, and the browser ends with that one', async () => {
    const first = visitWith(undefined)
    await first.create({ role: 'user' })
    const jar = answerOf(first)
    const [one, two] = [visitWith(jar), visitWith(jar)]
    await Promise.all([one.regenerate(), two.regenerate()])
    expect([...one.setCookies, ...two.setCookies]).toHaveLength(1)
    const last = answerOf(two, answerOf(one, jar))
    expect(await visitWith(last).load()).toMatchObject({ data: { role: 'user' } })
    expect(last).not.toBe(jar)
  })

  it('shows its own changes', async () => {
    const visit = visitWith(undefined)
    await visit.create({ role: 'user' })
    await visit.update({ cart: ['a'] })
    expect((await visit.load())?.data).toEqual({ role: 'user', cart: ['a'] })
  })

  it('signs anew what an older key has signed', async () => {
    const old = new SessionCookie({ keys: 'another key that was used before!' })
    const both = new SessionCookie({ keys: ['a key of at least sixteen letters', 'another key that was used before!'] })
    const { id } = await sessions.create({})
    const visit = new SessionVisit(sessions, both, old.write(id).split(';')[0])
    expect(visit.setCookies).toEqual([cookie.write(id)])
  })

  it('tells of an outage by an error, and asks again', async () => {
    const { id } = await sessions.create({ role: 'user' })
    const quick = await connect(server.url, { namespace: testNamespace('visit'), timeout: 100 })
    const visit = new SessionVisit(quick.sessions<Data>(), cookie, cookie.write(id).split(';')[0])
    await server.pause()
    await expect(visit.load()).rejects.toMatchObject({ code: 'TIMEOUT' })
    await server.resume()
    await expect.poll(() => visit.load().catch(() => 'away'), { timeout: 5_000 }).toBeUndefined()
    await quick.close()
  })
})

it('serves a Fetch handler: the cookie goes out with its response, which is not to be cached', async () => {
  const handle = withSession(sessions, cookie, async (request, visit) => {
    const { pathname } = new URL(request.url)
    if (pathname === '/login') await visit.login('USR123', { role: 'user' })
    if (pathname === '/logout') await visit.destroy()
    if (pathname === '/away') return Response.redirect('http://shop.example/', 302)
    return Response.json((await visit.load())?.data ?? null)
  })
  const get = (path: string, jar = '') =>
    handle(new Request(`http://shop.example${path}`, { headers: jar === '' ? {} : { cookie: jar } }))
  const login = await get('/login')
  expect(login.headers.get('cache-control')).toBe('no-store')
  const jar = login.headers.getSetCookie()[0]?.split(';')[0] as string
  const read = await get('/', jar)
  expect([read.headers.getSetCookie(), read.headers.get('cache-control')]).toEqual([[], null])
  expect(await read.json()).toEqual({ role: 'user' })
  expect((await get('/away', jar)).status).toBe(302)
  const logout = await get('/logout', jar)
  expect(logout.headers.getSetCookie()[0]).toContain('Max-Age=0')
  expect(await (await get('/', jar)).json()).toBeNull()
})
