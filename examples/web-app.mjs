/**
 * A web application on one connection: sessions, limits and cached responses in front of its handlers, here in Hono.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { cacheResponse, limitRequests, withSession } from 'holdfast/hono'
import { Hono } from 'hono'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('web-app')
// One for the process: it carries thousands of calls at once, so there is no pool to size.
const hf = await connect(url, { namespace })

const sessions = hf.sessions({ idle: '30m' })
// Keys come from your secrets, the newest first; they sign the cookie.
const auth = withSession(sessions, { keys: ['a key of at least sixteen letters'] })
const logins = hf.limiter('logins', { rules: [{ limit: 3, per: '15m', algorithm: 'fixed' }] })
// For this program alone. A header is whatever a client says: behind a proxy of yours, ipKey() of the address that it tells.
const client = (c) => c.req.header('x-client') ?? 'nobody'
const views = hf.analytics('site')
let runs = 0

const app = new Hono()
app.use(auth)
app.post(
  '/login',
  // Right passwords are given back: wrong ones count.
  limitRequests(logins, { key: client, refundIf: ({ status }) => status < 400 }),
  async (c) => {
    const { user, password } = await c.req.json()
    if (password !== 'sesame') return c.json({ error: 'wrong password' }, 401)
    await c.var.session.login(user, { role: 'user' })
    return c.json({ welcome: user })
  },
)
app.get('/me', async (c) => {
  const session = await c.var.session.load()
  return session?.userId === undefined
    ? c.json({ error: 'log in' }, 401)
    : c.json({ user: session.userId, ...session.data })
})
app.get(
  '/products/:id',
  // Counted in the process, sent behind: nobody waits for it. In front of the cache, so that hits count too.
  (c, next) => {
    void views.hit('page', c.req.path, { visitor: client(c) })
    return next()
  },
  cacheResponse(hf.cache('pages', { ttl: '1d' }), { ttl: '1m', cookies: [], app }),
  (c) => {
    runs += 1
    return c.json({ id: c.req.param('id'), price: 4_999 })
  },
)

const login = (password, headers) =>
  app.request('/login', { method: 'POST', headers, body: JSON.stringify({ user: 'USR123', password }) })

// Sessions: a signed cookie, and what it stands for.
const welcome = await login('sesame', { 'x-client': 'ann' })
const cookie = welcome.headers.get('set-cookie').split(';')[0]
assert.equal((await app.request('/me')).status, 401)
assert.deepEqual(await (await app.request('/me', { headers: { cookie } })).json(), { user: 'USR123', role: 'user' })
console.log(`log in: ${cookie.split('=')[0]} opens /me; without it 401`)
await sessions.revokeAll('USR123')
assert.equal((await app.request('/me', { headers: { cookie } })).status, 401)
console.log('log out everywhere: the same cookie is 401 at once')

// Limits: three wrong passwords, and the right one comes too late.
const statuses = []
for (const password of ['a', 'b', 'c', 'sesame']) statuses.push((await login(password, { 'x-client': 'eve' })).status)
assert.deepEqual(statuses, [401, 401, 401, 429])
console.log(`four log-ins of one client: ${statuses.join(', ')}`)

// Cached responses: for all, whatever cookie they send, since the page depends on none.
const answers = await Promise.all(
  Array.from({ length: 50 }, (_, n) =>
    app.request('/products/42', { headers: { cookie, 'x-client': `visitor ${n}` } }),
  ),
)
assert.deepEqual([runs, answers.every(({ status }) => status === 200)], [1, true])
console.log(`50 visitors of one page: ${runs} run of its handler`)

const [{ item, count }] = await views.top('page', 1, { window: '1h' })
console.log(`the top page: ${item}, ${count} views`)
assert.deepEqual([item, count], ['/products/42', 50])

await hf.close()
await stop()
