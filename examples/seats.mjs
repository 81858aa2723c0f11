/**
 * Seats of an event under one hash tag: several at once or none, holds that end by themselves, and never one sold
 * twice.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'
import { until } from './stage/until.mjs'

const { url, namespace, stop } = await openServer('seats')
const fleet = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])
const [night, nightThere] = fleet.map((hf) => hf.seats('abc123'))

await night.create({
  currency: 'EUR',
  perCustomer: 8,
  sections: [{ name: 'A', rows: 5, seatsPerRow: 10, price: 4_999 }],
})

// A reservation of several seats: all of them, or none.
const ann = await night.hold({ id: 'res123', customer: 'ann', seats: ['A-1-1', 'A-1-2'], for: '10m' })
const bob = await nightThere.hold({ id: 'res456', customer: 'bob', seats: ['A-1-2', 'A-1-3'], for: '10m' })
assert.deepEqual([ann.status, bob.status, bob.taken], ['held', 'taken', ['A-1-2']])
assert.equal((await night.counts()).held, 2)
console.log(`ann holds ${ann.seats.join(' and ')}; bob wants ${bob.taken} too, and gets nothing, not half of it`)

const sale = await night.confirm('res123', { payment: 'pi_1' })
const again = await night.confirm('res123', { payment: 'pi_2' })
assert.deepEqual([sale.status, sale.amount, again.payment], ['confirmed', 9_998, 'pi_1'])
console.log(`sold for ${sale.amount} cents; told twice it is still one sale, paid by ${again.payment}`)

// A hold ends by the server's clock. Who pays too late is told so, and never gets what is another's by then.
const late = await night.hold({ id: 'res789', customer: 'cid', seats: ['A-2-1'], for: '30ms' })
await until('the seat is free again', async () => (await night.counts()).held === 0)
const next = await nightThere.hold({ id: 'res790', customer: 'dora', seats: ['A-2-1'], for: '10m' })
const tooLate = await night.confirm(late.id, { payment: 'pi_3' })
assert.deepEqual([next.status, tooLate.status], ['held', 'expired'])
console.log(`a hold of 30 ms: dora has the seat, the payment that came too late is told '${tooLate.status}'`)
await night.release('res790')

// The rush: 200 buyers on two servers for the 48 seats that are left, three at random each.
const free = (await night.map()).seats.filter(({ state }) => state === 'free').map(({ id }) => id)
assert.equal(free.length, 48)
const draw = (buyer) => [0, 1, 2].map((n) => free[(buyer * 7 + n * 17) % free.length])
const outcomes = await Promise.all(
  Array.from({ length: 200 }, async (_, buyer) => {
    const mine = buyer % 2 ? night : nightThere
    const hold = await mine.hold({ customer: `buyer ${buyer}`, seats: draw(buyer), for: '10m' })
    return hold.status === 'held' ? (await mine.confirm(hold.id, { payment: `pi ${buyer}` })).seats : []
  }),
)
const sold = outcomes.flat()
assert.equal(new Set(sold).size, sold.length)
const { sold: counted } = await night.counts()
assert.equal(counted, sold.length + 2)
const { ok, problems } = await night.verify()
assert.deepEqual([ok, problems], [true, []])
console.log(`200 buyers at once: ${sold.length} seats sold, none twice; map, counts, holds and log agree`)

// The data model: everything of one event under one hash tag, so on one node, and in one step.
const tag = `{${namespace}:seats:abc123}`
const keys = await fleet[0].pool.use(
  async (own) => {
    const all = [tag, ...['map', 'due', 'log', 'layout'].map((part) => `${tag}:${part}`)]
    return (await Promise.all(all.map((key) => own.call('TYPE', key)))).map(
      (type, i) => `${all[i].slice(tag.length) || 'event'} ${type}`,
    )
  },
  { key: tag },
)
assert.ok(keys.every((key) => !key.endsWith('none')))
console.log(`${tag}: ${keys.join(', ')}`)

await night.remove()
await Promise.all(fleet.map((hf) => hf.close()))
await stop()
