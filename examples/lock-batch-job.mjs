/**
 * No duplicate runs of a batch job: once a day in the whole fleet, or one at a time, and what happens when the one
 * that runs it dies.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('lock-batch-job')
// Five servers, and the same cron line on each of them.
const fleet = await Promise.all(Array.from({ length: 5 }, () => connect(url, { namespace })))

// Once a day: the first who comes runs it, the others wait and get its result. Who comes tomorrow morning gets it at once.
let runs = 0
async function importBatch({ signal }) {
  runs += 1
  signal.throwIfAborted()
  return { rows: 12_345 }
}
const nightly = (hf) => hf.once('nightly:2026-11-21', importBatch, { ttl: '2d', lease: '1m', wait: '1h' })
const results = await Promise.all(fleet.map(nightly))
assert.equal(runs, 1)
assert.ok(results.every(({ rows }) => rows === 12_345))
console.log(`5 servers begin the nightly import: ${runs} run, everybody has its result, ${results[4].rows} rows`)

// A run that failed is no run: its caller is told, and the next one tries again.
let attempts = 0
const flaky = (hf) =>
  hf.once('hourly:14', () => (++attempts === 1 ? Promise.reject(new Error('the source is away')) : 'done'), {
    ttl: '1d',
  })
const outcomes = await Promise.allSettled(fleet.map(flaky))
assert.equal(attempts, 2)
assert.deepEqual(outcomes.map(({ value, reason }) => value ?? reason.message).sort(), [
  ...Array(4).fill('done'),
  'the source is away',
])
console.log(`a run that fails: its server is told, the next one runs it; ${attempts} attempts, 4 have the result`)

// One at a time: a pipeline that is still running when its next turn comes. Who is late does not wait, and can say who has it.
const pipeline = (hf, owner) => hf.lock('pipeline:gold', { ttl: '1s', owner })
const running = await pipeline(fleet[0], 'server 1').acquire()
assert.equal(await pipeline(fleet[1], 'server 2').tryAcquire(), undefined)
const { holders } = await pipeline(fleet[1]).inspect()
console.log(`a second run of the pipeline: not begun, ${holders[0].owner} is at it`)
assert.equal(holders[0].owner, 'server 1')

// However long it runs, its lease is extended; when its server is gone, it ends, and there is no lock for four hours.
const lost = once(running.signal, 'abort')
await fleet[0].close()
const next = await pipeline(fleet[1], 'server 2').acquire({ wait: '10s' })
await lost
assert.ok(next.fence > running.fence)
assert.equal(running.signal.reason.code, 'LOCK_LOST')
console.log('server 1 is gone: server 2 has the pipeline when the lease is over, with a higher fence')

await next.release()
await Promise.all(fleet.map((hf) => hf.close()))
await stop()
