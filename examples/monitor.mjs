/**
 * Pipelined batch metrics and percentiles over a fleet: counts exact, percentiles to 1.6 %, in a fixed number of
 * bytes.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('monitor')
const fleet = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])
const [{ monitor }, { monitor: monitorThere }] = fleet

// Many metrics, one round trip: a count, a sum, values one by one, errors.
const written = await monitor.record({
  orders: { count: 3, value: 120.5 },
  mails: { count: 40, errors: 2 },
  'basket size': { values: [1, 2, 2, 5] },
})
assert.equal(written, true)
const orders = await monitor.stats('orders', { window: '1h' })
assert.deepEqual([orders.count, orders.sum], [3, 120.5])
console.log(`one batch of 3 metrics: ${orders.count} orders, worth ${orders.sum}`)

// 20,000 response times, measured in two processes and put together by Redis.
const samples = Array.from({ length: 20_000 }, (_, n) => 5 + ((n * 7_919) % 20_011) ** 2 / 1e6)
await Promise.all([
  monitor.record({ 'GET /': { values: samples.slice(0, 10_000) } }),
  monitorThere.record({ 'GET /': { values: samples.slice(10_000) } }),
])
const stats = await monitor.stats('GET /', { window: '1h' })
const sorted = samples.toSorted((a, b) => a - b)
const exact = (share) => sorted[Math.ceil(share * sorted.length) - 1]
assert.deepEqual([stats.count, stats.min, stats.max], [20_000, sorted[0], sorted.at(-1)])
for (const [name, share] of [
  ['p50', 0.5],
  ['p95', 0.95],
  ['p99', 0.99],
]) {
  assert.ok(Math.abs(stats[name] / exact(share) - 1) <= 0.016, `${name}: ${stats[name]}, not ${exact(share)}`)
  console.log(`${name} of ${stats.count} samples: ${stats[name].toFixed(1)} ms, exactly ${exact(share).toFixed(1)}`)
}

// Work that is timed: its errors are counted, thrown on, and are not among the times.
const checkout = (works) => monitor.time('checkout', () => (works ? 'paid' : Promise.reject(new Error('declined'))))
assert.equal(await checkout(true), 'paid')
await assert.rejects(checkout(false), /declined/)
await monitor.flush()
const { count, errors } = await monitor.stats('checkout', { window: '1h' })
console.log(`checkout: ${count} timed, ${errors} failed`)
assert.deepEqual([count, errors], [1, 1])

await Promise.all(fleet.map((hf) => hf.close()))
await stop()
