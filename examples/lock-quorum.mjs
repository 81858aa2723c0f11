/** Redlock: a lock on three servers that know nothing of each other, held while two of them say so. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { startServer } from 'holdfast/testing'

// Servers of its own, since some of them will be killed.
const servers = await Promise.all([startServer(), startServer(), startServer()])
const urls = servers.map(({ url }) => url)
const fleet = await Promise.all(urls.map((url) => connect(url, { namespace: 'example-lock-quorum', timeout: '500ms' })))
const locks = fleet.map((hf) => hf.quorum(urls, { serverTimeout: '2s' }).lock('nightly', { ttl: '5s' }))

// Three processes, five turns each: never two at a time.
let inside = 0
let most = 0
let turns = 0
const turn = async () => {
  inside += 1
  most = Math.max(most, inside)
  await new Promise(setImmediate)
  inside -= 1
  turns += 1
}
await Promise.all(
  locks.map(async (lock) => {
    for (let n = 0; n < 5; n += 1) await lock.run(turn)
  }),
)
assert.deepEqual([most, turns], [1, 15])
console.log(`3 processes, ${turns} turns: never more than ${most} at a time`)

// One server is lost with what it knew: the others know who holds it.
const held = await locks[0].acquire()
await servers[0].kill()
assert.equal(held.valid(), true)
assert.equal(await locks[1].tryAcquire(), undefined)
console.log('1 of 3 servers is killed while the lock is held: it stays held, nobody else gets it')

await held.release()
assert.equal(await locks[1].run(() => 'done'), 'done')
console.log('with 2 of 3 servers locks go on')

await servers[1].kill()
const refused = await locks[2].acquire({ wait: '100ms' }).catch((error) => error)
// Not LOCK_TIMEOUT, which says that others hold it: the servers themselves do not answer.
assert.match(refused.code, /^(TIMEOUT|CONNECTION_LOST)$/)
console.log('with 1 of 3 nobody gets it: no majority, no lock')

await Promise.all(fleet.map((hf) => hf.close()))
await Promise.all(servers.map((server) => server.stop()))
