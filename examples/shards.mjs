/**
 * Sharding without Cluster: independent servers, each with its share of the keys; one that is away takes only its own
 * with it.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { planShards } from 'holdfast/ops'
import { startServer } from 'holdfast/testing'

const namespace = 'example-shards'
const [a, b, c] = await Promise.all([startServer(), startServer(), startServer()])
const address = (shards) =>
  `redis+shards://${Object.entries(shards).map(([name, { host, port }]) => `${name}=${host}:${port}`)}`
const two = address({ a, b })
const three = address({ a, b, c })
const hf = await connect(two, { namespace, timeout: '5s' })
// Who asks for keys of a server that is away is told so within this.
const impatient = await connect(two, { namespace, timeout: '1s' })

// The code is the same as on one server.
const products = hf.cache('product', { ttl: '1h' })
const ids = Array.from({ length: 1_000 }, (_, n) => `product ${n}`)
await products.warm(ids.map((id) => [id, { id }]))
const keysOf = async (server) => (await server.command('KEYS', `{${namespace}:cache:*`)).length
const before = await Promise.all([a, b].map(keysOf))
assert.equal(before[0] + before[1], 1_000)
assert.ok(Math.min(...before) > 400)
assert.equal((await products.getMany(ids)).size, 1_000)
console.log('1,000 entries on two servers: each has about half, getMany asks both at once')

// What a third server would change. `moveShards` of the same options does it, while calls go on.
const plan = await planShards({ url: two, to: three, namespace })
assert.ok(plan.share > 0.25 && plan.share < 0.42, `share ${plan.share}`)
assert.ok(plan.transfers.every(({ to }) => to === 'c'))
console.log('the plan for a third: about a third of the keys would move, every one to it')

// One server dies: errors for its keys alone. There is nobody who takes over; that is what a Cluster is for.
await b.kill()
const outcomes = await Promise.allSettled(
  ids.slice(0, 300).map((id) => impatient.cache('product', { ttl: '1h' }).set(id, 'new')),
)
const failed = outcomes.filter(({ reason }) => reason !== undefined)
assert.ok(failed.length > 100 && failed.length < 200, `${failed.length} failed`)
assert.ok(failed.every(({ reason }) => /^(CONNECTION_LOST|TIMEOUT)$/.test(reason.code)))
console.log('one of two is killed: errors for its half of 300 writes, the others go on')

await Promise.all([hf.close(), impatient.close()])
await Promise.all([a, b, c].map((server) => server.stop()))
