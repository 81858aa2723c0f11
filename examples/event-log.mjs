/**
 * A log of events: what happened stays, in order, for any number of groups, each at its own pace and from any point.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'
import { until } from './stage/until.mjs'

const { url, namespace, stop } = await openServer('event-log')
const [shop, mailer, books] = await Promise.all(Array.from({ length: 3 }, () => connect(url, { namespace })))
const OPTIONS = { retention: { maxAge: '30d' } }
const orders = shop.log('orders', OPTIONS)

// Once, however often it is tried.
const id = await orders.append({ type: 'placed', order: 0 }, { key: 'order 0', id: 'placed:0' })
assert.equal(await orders.append({ type: 'placed', order: 0 }, { key: 'order 0', id: 'placed:0' }), id)
await orders.appendMany(Array.from({ length: 99 }, (_, n) => ({ type: 'placed', order: n + 1 })))
console.log('100 orders were placed, the first was told twice and stands once')

// Two groups that know nothing of each other. One goes in order, and one of its entries cannot be done.
const mailed = []
const mail = mailer.log('orders', OPTIONS).group('mail', { retry: { attempts: 2, base: 1 } })
let mailServer = 'strict'
const mailing = mail.process(async ({ data }) => {
  if (data.order === 13 && mailServer === 'strict') throw new Error('mailbox is full')
  mailed.push(data.order)
})
let placed = 0
const sums = books.log('orders', OPTIONS).group('sums')
const summing = sums.processBatches(
  async (entries) => {
    placed += entries.length
  },
  { batch: 50 },
)

await until('both groups are through', () => mailed.length === 99 && placed === 100)
assert.deepEqual(
  mailed,
  [...Array(100).keys()].filter((order) => order !== 13),
)
console.log(`mail has done ${mailed.length} in their order, sums ${placed} in batches of 50`)

const [dead] = await mail.deadLetters()
assert.deepEqual([dead.data.order, dead.attempts, dead.reason], [13, 2, 'failed'])
mailServer = 'lenient'
await mail.redrive({ ids: [dead.id] })
await until('it is mailed', () => mailed.includes(13))
console.log(`order 13 failed ${dead.attempts} times (${dead.error}), was parked, and redriven to this group alone`)
assert.equal(placed, 100)

// A new part of the system reads from the beginning, months later.
const seen = []
const audit = shop.log('orders', OPTIONS).group('audit', { from: 'first' })
const auditing = audit.process(
  async ({ position }) => {
    seen.push(position)
  },
  { ordered: true },
)
await until('the audit is through', () => seen.length >= 100)
const [first] = await orders.read({ limit: 1 })
assert.deepEqual([seen[0], first.position, first.id], [1, 1, id])
console.log(`a group that comes later reads all ${seen.length} from the first`)

await Promise.all([mailing.close(), summing.close(), auditing.close()])
const lags = (await orders.groups()).map(({ name, lag }) => `${name} ${lag}`)
console.log('lag:', lags.sort().join(', '))
await Promise.all([shop.close(), mailer.close(), books.close()])
await stop()
