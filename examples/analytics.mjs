/**
 * Analytics: page views and events of a whole fleet, with top pages, visitors, sums, recent events and a funnel, in
 * bounded memory.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('analytics')
const fleet = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])
const sites = fleet.map((hf) => hf.analytics('site'))

// 3,000 views by 100 visitors on two servers: counted in the process, sent in lots. Nobody waits for Redis.
const PAGES = ['/destinations/halong-bay', '/destinations/hue', '/about']
for (let n = 0; n < 3_000; n += 1) {
  const page = n % 6 < 3 ? PAGES[0] : n % 6 < 5 ? PAGES[1] : PAGES[2]
  await sites[n % 2].hit('page', page, { visitor: `visitor ${n % 100}` })
}
for (let n = 0; n < 40; n += 1) {
  const visitor = `visitor ${n}`
  await sites[0].track('seat_chosen', {}, { visitor })
  if (n % 2 === 0) await sites[1].track('booking_completed', { amount: 1_500, user: `USR${n}` }, { visitor })
}
// A read sends what its own process holds first; what others hold comes within `flush.every`, a second, or now.
await sites[1].flush()
const [site] = sites

const top = await site.top('page', 3, { window: '1h' })
assert.deepEqual(
  top.map(({ item, count, error }) => [item, count, error]),
  [
    [PAGES[0], 1_500, 0],
    [PAGES[1], 1_000, 0],
    [PAGES[2], 500, 0],
  ],
)
console.log('top pages of this hour:', top.map(({ item, count }) => `${item} ${count}`).join(', '))

const visitors = await site.unique('page', { window: '1d' })
assert.ok(Math.abs(visitors - 100) <= 3)
console.log(`visitors today: about ${visitors}`)

const bookings = await site.count('booking_completed', { window: '1d' })
const revenue = await site.sum('booking_completed', 'amount', { window: '1d' })
assert.deepEqual([bookings, revenue], [20, 30_000])
console.log(`bookings: ${bookings}, worth ${revenue}`)

const recent = await site.recent('booking_completed', 3)
assert.deepEqual(
  recent.map(({ fields }) => fields.user),
  ['USR38', 'USR36', 'USR34'],
)
console.log('the newest:', recent.map(({ fields }) => fields.user).join(', '))

const [chosen, completed] = await site.funnel(['seat_chosen', 'booking_completed'], { window: '1d' })
console.log(`of ${chosen.visitors} who chose a seat, ${completed.visitors} booked`)
assert.deepEqual([chosen.visitors, completed.visitors], [40, 20])

await Promise.all(fleet.map((hf) => hf.close()))
await stop()
