/**
 * Authentication and least privilege: a user with no right but those that are needed, an error that says what to
 * grant, and a password that changes while the shop is open.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'holdfast'
import { startServer } from 'holdfast/testing'

// A server of its own, since its users change. Nobody comes in without a name: the default user is off. What a user may is his own,
// so dangerous commands need no other names: `rename-command` would take them from whoever runs the server, too.
const server = await startServer({
  users: { default: 'off', shop: 'on >first-secret +ping +time +info +client|setname' },
})
const address = `${server.host}:${server.port}`

const stranger = await connect(`redis://${address}`, { timeout: '5s' }).catch((error) => error)
assert.equal(stranger.code, 'AUTH_FAILED')
console.log(`without a password: ${stranger.code}`)

// A function is asked anew for each connection: of a file, a vault, the environment. What it answers stands in no URL, error or log.
const vault = { password: 'first-secret' }
const open = () => connect(`redis://shop@${address}`, { namespace: 'shop', password: () => vault.password })
const hf = await open()
const stock = hf.value('stock')

// The first use of each part looks at what the user may, and warns of all that is missing at once. Node prints warnings; here they
// are heard instead.
process.removeAllListeners('warning')
const warning = once(process, 'warning')
const denied = await stock.set(100).catch((error) => error)
assert.deepEqual([denied.code, (await warning)[0].code], ['SERVER_DENIED', 'HOLDFAST_RIGHTS'])
console.log(`before anything is granted: ${denied.code}, ${denied.needs}`)

// The rule can be granted as it stands. It is for this part and this namespace, and for nothing else.
await server.command('ACL', 'SETUSER', 'shop', ...denied.needs.split(' '))
await stock.set(100)
console.log(`granted as it stands: ${await stock.get()} in stock`)
const own = (...words) => hf.pool.use((one) => one.call(...words)).catch((error) => error)
const refusals = [await own('GET', 'somebody-else'), await own('FLUSHALL'), await own('CONFIG', 'GET', '*')]
assert.deepEqual(
  refusals.map(({ code }) => code),
  ['SERVER_DENIED', 'SERVER_DENIED', 'SERVER_DENIED'],
)
console.log("others' keys, FLUSHALL and CONFIG: SERVER_DENIED")

// A new password: both are good until all processes have the new one, then the old one goes.
await server.command('ACL', 'SETUSER', 'shop', '>second-secret')
vault.password = 'second-secret'
await server.command('ACL', 'SETUSER', 'shop', '<first-secret')
const late = await connect(`redis://shop:first-secret@${address}`, { timeout: '5s' }).catch((error) => error)
assert.equal(late.code, 'AUTH_FAILED')
assert.ok(!late.message.includes('first-secret'))
const fresh = await open()
assert.deepEqual([await stock.get(), await fresh.value('stock').get()], [100, 100])
console.log('a new password: who comes with the old one is refused, who was in stays, new connections have the new one')

await Promise.all([hf.close(), fresh.close()])
await server.stop()
