/**
 * A priority queue: the most urgent first, order among equals, jobs that move while they wait, and stale ones given
 * out again.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'
import { until } from './stage/until.mjs'

const { url, namespace, stop } = await openServer('queue-priority')
const hf = await connect(url, { namespace })
const tickets = hf.queue('ticket', { mode: 'priority', grace: 0, backoff: { base: 1, jitter: 0 } })

await tickets.add('a typo')
await tickets.add('cannot log in', { priority: 5, id: 'ticket 2' })
await tickets.add('the shop is down', { priority: 100 })
await tickets.add('a broken image')
await tickets.add('double charge', { priority: 50 })

// Of what waits, the place can be changed.
assert.equal(await tickets.reprioritize('ticket 2', 75), true)

// By hand: one at a time, the most urgent first. Equal ones in the order in which they came.
const order = []
for (let job = await tickets.take(); job; job = await tickets.take()) {
  order.push(job.data)
  await job.complete()
}
assert.deepEqual(order, ['the shop is down', 'cannot log in', 'double charge', 'a typo', 'a broken image'])
console.log(`taken in this order: ${order.join(', ')}`)

// An item that somebody works on for longer than its timeout is stale: its handler is told, and it is given out again.
const attempts = []
const done = []
await tickets.add('hangs once', { timeout: '200ms' })
const worker = tickets.process(async ({ data, attempt }, { signal }) => {
  attempts.push(attempt)
  if (attempt === 1) await new Promise(() => signal.addEventListener('abort', () => done.push(signal.reason.code)))
  done.push(data)
})
await until('the stale item is done', () => done.includes('hangs once'))
assert.deepEqual(
  [attempts, done],
  [
    [1, 2],
    ['JOB_TIMEOUT', 'hangs once'],
  ],
)
console.log(`a handler that hangs is told ${done[0]}, its item is requeued and done by attempt ${attempts[1]}`)
// The item of a process that died comes back by its lease: see the example queue.

await worker.close({ timeout: 0 })
const { waiting, active, dead } = await tickets.counts()
assert.deepEqual([waiting, active, dead], [0, 0, 0])
await hf.close()
await stop()
