/**
 * A reliable queue: a worker is killed and its jobs run elsewhere, what cannot be done becomes a dead letter, and has
 * another life.
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, GiveUp } from 'holdfast'
import { openServer } from '../stage/server.mjs'
import { until } from '../stage/until.mjs'
import { OPTIONS } from './options.mjs'

const { url, namespace, stop } = await openServer('queue')
const hf = await connect(url, { namespace })
const emails = hf.queue('email', OPTIONS)

// Once, however often it is added.
const first = await emails.add({ to: 'ada@example.com' }, { id: 'welcome:ada' })
const again = await emails.add({ to: 'ada@example.com' }, { id: 'welcome:ada' })
assert.deepEqual([first.added, again.added], [true, false])
await emails.addMany(Array.from({ length: 98 }, (_, n) => ({ to: `reader ${n}@example.com` })))
await emails.add({ to: 'nobody' })
const { waiting } = await emails.counts()
assert.equal(waiting, 100)
console.log(`${waiting} jobs, the one that was added twice once`)

// A worker in another process takes some, and is killed in the middle of its work: kill -9.
const worker = fork(new URL('./worker.mjs', import.meta.url), [namespace], { env: { ...process.env, REDIS_URL: url } })
process.once('exit', () => worker.kill('SIGKILL'))
const [{ running }] = await once(worker, 'message')
worker.kill('SIGKILL')
await once(worker, 'exit')
console.log(`a worker had ${running} of them when it was killed`)

// Ours does the rest at once, and those of the dead one when its lease is over: half a second here, 15 by default.
let mailServer = 'strict'
const sent = new Set()
const heard = []
const survivor = emails.process(
  async ({ data }) => {
    if (!data.to.includes('@') && mailServer === 'strict') throw new GiveUp(`no address: ${data.to}`)
    // At least once: what a mail is for must not suffer from a second one.
    sent.add(data.to)
  },
  // Without it a warning would say once a minute what nobody listens to.
  { concurrency: 10, onError: (error) => heard.push(error.message) },
)
await until('99 mails are sent and one job is dead', async () => sent.size === 99 && (await emails.counts()).dead === 1)
console.log('99 mails were sent all the same, those of the dead worker too')

const [letter] = await emails.deadLetters({ limit: 10 })
assert.deepEqual([letter.reason, letter.data.to], ['given-up', 'nobody'])
assert.deepEqual(heard, [letter.error.message])
console.log(`1 dead letter: ${letter.reason}, ${letter.error.message}`)

// Once its cause is mended: all of its attempts anew.
mailServer = 'lenient'
await emails.redrive({ ids: [letter.id] })
await until('the last mail is sent', () => sent.has('nobody'))
await survivor.close()
const left = await emails.counts()
assert.deepEqual([left.waiting, left.active, left.delayed, left.dead], [0, 0, 0, 0])
console.log('redriven: all 100 are sent, nothing waits, runs or is dead')

await hf.close()
await stop()
