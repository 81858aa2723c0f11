/** Sessions: parallel requests lose no field, a login takes another id, and what was ended stays ended. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('sessions')
const hf = await connect(url, { namespace })
const sessions = hf.sessions({ idle: '30m', absolute: '7d' })

// A visitor, and two requests of his at the same moment: each sets its own field.
const visitor = await sessions.create({ cart: ['halong-bay'] })
await Promise.all([
  sessions.update(visitor.id, { language: 'vi' }),
  sessions.update(visitor.id, { cart: ['halong-bay', 'hue'] }),
])
const { data } = await sessions.load(visitor.id)
assert.deepEqual(data, { cart: ['halong-bay', 'hue'], language: 'vi' })
console.log(`two requests at once, both kept: ${data.cart.length} in the cart, language ${data.language}`)

// A login: the same data under another id. Whoever planted or read the old one is out.
const user = await sessions.regenerate(visitor.id, { userId: 'USR123', label: 'Firefox on Linux' })
assert.equal(await sessions.load(visitor.id), undefined)
assert.deepEqual((await sessions.load(user.id)).data, data)
console.log('a login: the new id opens the session, the old one does not')

// What Redis holds is a hash: a dump, a slow log or a monitor gives no session away.
const key = `{${namespace}:session:default:${sessions.refOf(user.id)}}`
const stored = String(await hf.pool.use((own) => own.call('HGETALL', key), { key }))
assert.ok(stored.includes('halong-bay') && !stored.includes(user.id))
console.log('Redis holds the cart, and no id that opens it')

// All devices of a user.
const phone = await sessions.create({}, { userId: 'USR123', label: 'Phone' })
const devices = await sessions.listFor('USR123')
assert.deepEqual(devices.map(({ label }) => label).sort(), ['Firefox on Linux', 'Phone'])
await sessions.revokeAll('USR123', { except: phone.id })
assert.equal(await sessions.load(user.id), undefined)
assert.notEqual(await sessions.load(phone.id), undefined)
console.log(`${devices.length} devices; log out everywhere else: 1 left`)

// A request that began before the logout and saves after it: the usual store brings the session back to life.
const late = await sessions.load(phone.id)
await sessions.destroy(phone.id)
assert.equal(await sessions.update(late.id, { cart: ['sa-pa'] }), undefined)
assert.equal(await sessions.load(phone.id), undefined)
console.log('a request that saves after the logout: undefined, and nobody is logged in')

await hf.close()
await stop()
