/**
 * A Cluster of six nodes that announce addresses nobody here can reach: an address map, one event on one node, a
 * failover, and a spare that joins.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openClusterAdmin } from 'holdfast/ops'
import { startCluster } from 'holdfast/testing'

// Three primaries with a replica each, as processes of our own. They announce names that no resolver knows. In containers it
// would be 172.30.0.11:7001 and so on, and the map { '172.30.0.0/24': '127.0.0.1' }.
const cluster = await startCluster({ announceHostnames: true, spares: 2 })
const { url, addressMap } = cluster
const namespace = 'example-cluster'
const hf = await connect(url, { namespace, addressMap, timeout: '10s' })

const admin = openClusterAdmin({ url, addressMap })
const { nodes, coverage } = await admin.status()
const [first] = nodes
assert.equal(nodes.length, 6)
assert.match(first.address, /\.invalid:/)
assert.match(first.reachedAt, /^127\.0\.0\.1:/)
console.log(
  `6 nodes, ${coverage.owned} slots; each announces a name that no resolver knows, and is reached all the same`,
)

// Entries of a cache spread over all nodes.
const products = hf.cache('product', { ttl: '1h', load: (id) => `product ${id}` })
await products.getMany(Array.from({ length: 300 }, (_, n) => String(n)))
const primaries = await cluster.primaries()
const keysOf = async (node) => await node.command('DBSIZE')
const spread = await Promise.all(primaries.map(keysOf))
assert.ok(Math.min(...spread) > 50)
console.log('300 products: about a hundred on each primary, read by one getMany')

// All keys of one event share a hash tag, so they lie on one node and change in one step. Other events lie elsewhere.
const nights = Array.from({ length: 12 }, (_, n) => hf.seats(`night-${n}`))
await Promise.all(
  nights.map((night) =>
    night.create({ currency: 'EUR', sections: [{ name: 'A', rows: 2, seatsPerRow: 5, price: 4_999 }] }),
  ),
)
const owners = new Set(await Promise.all(nights.map((_, n) => cluster.primaryOf(`{${namespace}:seats:night-${n}}`))))
assert.equal(owners.size, 3)
const hold = await nights[0].hold({ customer: 'ann', seats: ['A-1-1', 'A-1-2', 'A-2-1'], for: '10m' })
assert.equal(hold.status, 'held')
console.log('12 events lie on all three primaries; three seats of one of them are held in one step')

// A primary is replaced while calls go on.
let isOver = false
const reader = (async () => {
  for (let n = 0; !isOver; n += 1) assert.equal(await products.get(String(n % 300)), `product ${n % 300}`)
})()
const old = await cluster.primaryOf(`{${namespace}:seats:night-0}`)
const fresh = await cluster.failover(old)
const sale = await nights[0].confirm(hold.id, { payment: 'pi_1' })
isOver = true
await reader
assert.notEqual(fresh, old)
assert.equal(sale.status, 'confirmed')
console.log('its replica took over: no call failed, and the seats are sold')

// One of the spares joins, and would be given a quarter of the slots: `admin.rebalance` moves them while calls go on.
const [spare] = cluster.spares
const joined = await admin.add(`${spare.host}:${spare.port}`)
const plan = await admin.planRebalance({ useEmpty: true })
const moving = plan.reduce((sum, { slots }) => sum + slots, 0)
assert.equal(joined.role, 'primary')
assert.ok(plan.every(({ to }) => to === joined.address))
console.log(`one of ${cluster.spares.length} spares joins: ${moving} slots would move, all of them to it`)

await Promise.all([hf.close(), admin.close()])
await cluster.stop()
