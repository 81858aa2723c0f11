/**
 * Invalidation by key, by tag and by pattern, in every process at once: also of what they keep in memory, and of loads
 * under way.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('cache-invalidation')
// Two processes of a fleet, as far as Redis can tell.
const [here, there] = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])

const db = new Map([
  ['shoe:1', { team: 'sport', price: 80 }],
  ['shoe:2', { team: 'sport', price: 90 }],
  ['hat:1', { team: 'style', price: 30 }],
])
const ids = [...db.keys()]
const options = { ttl: '1h', load: (id) => db.get(id), tags: ({ team }) => [`team:${team}`] }
const [products, productsThere] = [here, there].map((hf) => hf.cache('product', options))
const loadsOf = async (work) => {
  const before = productsThere.stats.loads
  await work()
  return productsThere.stats.loads - before
}
const readAllThere = () => productsThere.getMany(ids)
await readAllThere()

// By key: write first, then invalidate.
db.set('hat:1', { team: 'style', price: 25 })
await products.delete('hat:1')
assert.equal(await loadsOf(readAllThere), 1)
assert.equal((await productsThere.get('hat:1')).price, 25)
console.log('delete over here: 1 of 3 loaded anew over there')

// By tag: one step, for two entries or a million.
await products.invalidateTag('team:sport')
assert.equal(await loadsOf(readAllThere), 2)
console.log('invalidateTag: both of team:sport loaded anew, the hat not')

// By pattern: by SCAN on every primary, never KEYS.
assert.equal(await products.invalidatePattern('shoe:*'), 2)
assert.equal(await productsThere.peek('shoe:1'), undefined)
assert.notEqual(await productsThere.peek('hat:1'), undefined)
console.log('invalidatePattern: 2 shoes removed, the hat stays')

// A load that began before an invalidation: the usual cache keeps its old value for the whole ttl.
const gate = new EventTarget()
const reading = once(gate, 'read')
const slow = productsThere.get('shoe:1', async (id) => {
  const old = db.get(id)
  gate.dispatchEvent(new Event('read'))
  await once(gate, 'go on')
  return old
})
await reading
db.set('shoe:1', { team: 'sport', price: 10 })
await products.delete('shoe:1')
gate.dispatchEvent(new Event('go on'))
await slow
assert.equal((await productsThere.get('shoe:1')).price, 10)
assert.equal(productsThere.stats.voided, 1)
console.log('a load that began before the delete came too late to be kept: the next reader sees the new price')

// In memory: fed by the server's own invalidation stream.
const [names, namesThere] = [here, there].map((hf) => hf.cache('name', { ttl: '1h', memory: {}, load: () => 'old' }))
while (namesThere.stats.hits.memory === 0) await namesThere.get('1')
const start = performance.now()
await names.set('1', 'new')
while ((await namesThere.get('1')) === 'old') await new Promise(setImmediate)
console.log(`what another process had in memory was gone in ${Math.ceil(performance.now() - start)} ms`)

await Promise.all([here.close(), there.close()])
await stop()
