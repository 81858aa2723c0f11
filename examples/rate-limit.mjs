/**
 * Rate limits: several rules decided in one step for the whole fleet, exact under a burst, and a refusal costs
 * nothing.
 */
import assert from 'node:assert/strict'
import { connect, ipKey, rateLimitHeaders } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('rate-limit')
const [here, there] = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])

// For Express and others: app.use(limitRequests(api)), see docs/http.md.
const rules = [
  { limit: 10, per: '1m' },
  { limit: 1_000, per: '1h', algorithm: 'fixed', name: 'hourly' },
]
const options = { rules, whenDown: 'local', localShare: 0.5 }
const [api, apiThere] = [here, there].map((hf) => hf.limiter('api', options))
const client = ipKey('::ffff:203.0.113.7')

const turns = await Promise.all(Array.from({ length: 100 }, (_, i) => (i % 2 ? api : apiThere).consume(client)))
const admitted = turns.filter(({ allowed }) => allowed).length
assert.equal(admitted, 10)
const refused = turns.find(({ allowed }) => !allowed)
assert.equal(refused.rule, '1m')
console.log(`100 requests of one client to two processes: ${admitted} admitted`)
console.log(`the others: 429, by the rule ${refused.rule}, Retry-After: ${rateLimitHeaders(refused)['Retry-After']}`)

// What the second rule had to say is not spent on what the first one refused.
const { rules: seen } = await api.peek(client)
assert.equal(seen.find(({ name }) => name === 'hourly').remaining, 1_000 - admitted)
console.log('the hourly rule has counted the admitted ones alone')

// A log-in that succeeds takes nothing from the attempts.
const logins = here.limiter('logins', { rules: [{ limit: 3, per: '15m', algorithm: 'fixed' }] })
for (const password of ['wrong', 'right', 'wrong', 'right', 'wrong']) {
  const { allowed } = await logins.consume('ann')
  assert.equal(allowed, true)
  if (password === 'right') await logins.refund('ann')
}
assert.equal((await logins.consume('ann')).allowed, false)
console.log('3 wrong passwords are the end, right ones cost nothing')

// Redis cannot be reached (nobody listens there): this process goes on with its share of each limit.
const cutOff = await connect('redis://127.0.0.1:1', { namespace, lazy: true, timeout: '100ms' })
const alone = await Promise.all(Array.from({ length: 100 }, () => cutOff.limiter('api', options).consume(client)))
assert.equal(alone.filter(({ allowed }) => allowed).length, 5)
assert.ok(alone.every(({ source }) => source === 'local'))
console.log('100 requests without Redis: 5 admitted, by the rules of this process alone')

await Promise.all([here.close(), there.close(), cutOff.close()])
await stop()
