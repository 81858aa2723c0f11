/** Schedules: one job a slot in the whole fleet, by pace or by calendar, and jobs that are added for later. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'
import { until } from './stage/until.mjs'

const { url, namespace, stop } = await openServer('queue-schedule')
// Three servers that all say the same at their start, and all run jobs.
const fleet = await Promise.all([connect(url, { namespace }), connect(url, { namespace }), connect(url, { namespace })])
const queues = fleet.map((hf) => hf.queue('report'))
const [reports] = queues
const ran = []
const byWhom = new Set()
const workers = queues.map((queue, server) =>
  queue.process(async ({ id, data }) => {
    ran.push({ id, data })
    byWhom.add(server)
  }),
)

await Promise.all(queues.map((queue) => queue.repeat('poll', { every: '100ms' }, 'poll')))
const polls = () => ran.filter(({ data }) => data === 'poll')
await until('five slots have run', () => polls().length >= 5)
await reports.unrepeat('poll')
const slots = polls().map(({ id }) => Number(id.split('@')[1]))
assert.equal(new Set(slots).size, slots.length)
assert.ok(slots.every((slot) => slot % 100 === 0))
console.log('every 100 ms, said by three servers: each slot ran once')

// By calendar, in a time zone, with the change of clocks taken care of.
await reports.repeat('nightly', { cron: '0 3 * * *', tz: 'Europe/Paris' }, 'nightly', { missed: 'one' })
const [{ nextAtMs }] = await reports.schedules()
const inParis = new Date(nextAtMs).toLocaleTimeString('en-GB', { timeZone: 'Europe/Paris' })
assert.equal(inParis, '03:00:00')
console.log(`nightly: the next one at ${inParis} in Paris`)

// Once, later. Until then it can be looked at, and cancelled by its id from any process.
const { id } = await reports.add('reminder', { delay: '50ms' })
await reports.add('cancelled', { delay: '50ms', id: 'reminder for who has paid' })
assert.equal(await queues[2].cancel('reminder for who has paid'), 'removed')
await until('the reminder has run', () => ran.some((job) => job.id === id))
assert.ok(ran.every(({ data }) => data !== 'cancelled'))
console.log('a reminder ran when its time had come; the one that was cancelled did not')

await Promise.all(workers.map((worker) => worker.close()))
await Promise.all(fleet.map((hf) => hf.close()))
await stop()
