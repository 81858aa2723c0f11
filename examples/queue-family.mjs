/** A job that waits for others, and what moves over from BullMQ with it: jobs that replace each other, ids that are kept, events of the fleet. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'
import { until } from './stage/until.mjs'

const { url, namespace, stop } = await openServer('queue-family')
// One that adds and watches, two that work.
const [desk, ...fleet] = await Promise.all(Array.from({ length: 3 }, () => connect(url, { namespace })))
const options = { attempts: 1, keepEvents: 1_000 }
const films = desk.queue('film', options)
const indexed = []
const work = ({ data, children }) => {
  if (data.kind === 'index') return void indexed.push(data.version)
  if (data.kind === 'part') {
    if (data.part === 3) throw new Error('unreadable')
    return data.part * 10
  }
  return children.map((child) => (child.status === 'done' ? child.value : child.status))
}
const workers = fleet.map((hf) => hf.queue('film', options).process(work, { concurrency: 4, onError: () => {} }))

// Who watches hears of all that ends from this line on, in whatever process.
const watched = films.events()
const told = []
const watching = (async () => {
  for await (const { id, type } of watched) told.push(`${id} ${type}`)
})()

const parts = [1, 2, 3, 4].map((part) => ({ data: { kind: 'part', part } }))
await films.addParent({ kind: 'join' }, parts, { id: 'film', onDead: 'ignore', keepResult: '1m' })
const joined = await films.result('film', { wait: '10s' })
assert.deepEqual(joined, { status: 'done', value: [10, 20, 'dead', 40] })
console.log(`the film was joined after its four parts, one of which is dead: ${joined.value.join(', ')}`)

// Typed fast: only the last is indexed, when nothing more has come for a while.
for (let version = 1; version <= 5; version++)
  await films.add({ kind: 'index', version }, { id: 'index', delay: '200ms', replace: true })
await until('something is indexed', () => indexed.length > 0)
assert.equal(indexed.at(-1), 5)
console.log(`five versions in a row: the last that was indexed is ${indexed.at(-1)}`)

// Delivered three times, and run once.
const webhook = () => films.add({ kind: 'index', version: 'hook' }, { id: 'hook:7', keepId: '1h' })
assert.equal((await webhook()).added, true)
await until('the webhook has run', () => told.includes('hook:7 done'))
const again = [await webhook(), await webhook()]
assert.ok(again.every(({ added }) => !added))
assert.equal(indexed.filter((version) => version === 'hook').length, 1)
console.log('a webhook that came three times: run once')

for (const event of ['film@0@1 done', 'film@0@3 dead', 'film done', 'index done']) assert.ok(told.includes(event))
await Promise.all(workers.map((worker) => worker.close()))
await Promise.all([desk, ...fleet].map((hf) => hf.close()))
await watching
await stop()
