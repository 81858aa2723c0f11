/**
 * Optimistic locking of an inventory with its log: compare-and-set, no connection of one's own, never a piece too
 * many.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('inventory')
const fleet = await Promise.all([connect(url, { namespace }), connect(url, { namespace }), connect(url, { namespace })])

class InsufficientInventory extends Error {}

/** Takes `quantity` pieces, or none. The log entry is written in the same step, or not at all. */
function take(hf, product, quantity, order) {
  const stock = hf.value(`stock:${product}`, { keepLog: 1_000 })
  return stock.update(
    (left = 0) => {
      if (left < quantity) throw new InsufficientInventory(`${left} left, ${quantity} wanted`)
      return left - quantity
    },
    { retries: 50, log: (before, after) => ({ action: 'decrement', quantity: before - after, order }) },
  )
}

const stock = fleet[0].value('stock:42', { keepLog: 1_000 })
await stock.set(100)

// 60 orders of 2 pieces at once, on three servers, for 100 pieces.
const outcomes = await Promise.allSettled(
  Array.from({ length: 60 }, (_, order) => take(fleet[order % 3], '42', 2, order)),
)
const sold = outcomes.filter(({ status }) => status === 'fulfilled')
const refused = outcomes.filter(({ reason }) => reason instanceof InsufficientInventory)
assert.deepEqual([sold.length, refused.length, await stock.get()], [50, 10, 0])
console.log(`60 orders of 2 for 100 pieces: ${sold.length} sold, ${refused.length} refused, ${await stock.get()} left`)

const log = await stock.log({ limit: 1_000 })
const pieces = log.reduce((sum, { entry }) => sum + entry.quantity, 0)
assert.deepEqual([log.length, pieces], [50, 100])
assert.equal(new Set(log.map(({ entry }) => entry.order)).size, 50)
console.log(`the log has ${log.length} entries, of ${pieces} pieces in all: each order once`)

// What somebody else changes while we think is never overwritten.
let tries = 0
await stock.update(async (left) => {
  tries += 1
  if (tries === 1) await fleet[1].value('stock:42', { keepLog: 1_000 }).set(500)
  return left + 10
})
assert.deepEqual([tries, await stock.get()], [2, 510])
console.log(`changed by another meanwhile: made anew from what is there, 500 + 10 = ${await stock.get()}`)

await Promise.all(fleet.map((hf) => hf.close()))
await stop()
