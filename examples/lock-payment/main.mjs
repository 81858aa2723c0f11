/**
 * A lock around a payment, with its fence: one process at a time, and one that stood still cannot overwrite what came
 * after it.
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'holdfast'
import { openServer } from '../stage/server.mjs'

const { url, namespace, stop } = await openServer('lock-payment')
const hf = await connect(url, { namespace })

/** The row of an order. In SQL: UPDATE orders SET state = $1, fence = $2 WHERE id = $3 AND fence < $2 */
const order = { id: 77, state: 'open', fence: 0n }
function update(state, fence) {
  if (fence <= order.fence) return false
  Object.assign(order, { state, fence })
  return true
}

// 20 requests to pay one order, at once.
let charges = 0
const payment = hf.lock('payment:77', { ttl: '30s' })
const pay = () =>
  payment.run(async ({ fence }) => {
    if (order.state === 'paid') return 'paid already'
    // The provider is far away: others have all the time of the world to come in between. It is told the order as
    // its idempotency key, so that it takes the money once whatever becomes of us.
    await new Promise(setImmediate)
    charges += 1
    return update('paid', fence) ? 'charged' : 'another was here meanwhile'
  })
const answers = await Promise.all(Array.from({ length: 20 }, pay))
assert.deepEqual([charges, answers.filter((answer) => answer === 'charged').length], [1, 1])
console.log(`20 requests to pay one order: ${charges} charge, 19 are told that it is paid already`)

// A till in another process takes the lock, and stands still: SIGSTOP, as a paused machine or a long collection of garbage would.
const till = fork(new URL('./till.mjs', import.meta.url), [namespace], { env: { ...process.env, REDIS_URL: url } })
process.once('exit', () => till.kill('SIGKILL'))
const [{ fence: oldFence }] = await once(till, 'message')
till.kill('SIGSTOP')
console.log('a till holds the lock, and is frozen in the middle of its work')

// Its lease ends, and the next in line has the lock, with a higher fence.
const start = performance.now()
const refund = await hf.lock('payment:77', { ttl: '30s', wait: '10s' }).acquire()
const waited = Math.round(performance.now() - start)
assert.ok(refund.fence > BigInt(oldFence))
assert.equal(update('refunded', refund.fence), true)
console.log(`its lease ends, the next has the lock after ${waited} ms and refunds the order`)

// It wakes up, hears that the card was accepted, and writes. The row refuses the lower fence.
till.send('accepted')
till.kill('SIGCONT')
const [{ state, valid, loss }] = await once(till, 'message')
assert.equal(update(state, BigInt(oldFence)), false)
assert.deepEqual([order.state, valid, loss], ['refunded', false, 'LOCK_LOST'])
console.log(`the till wakes up and writes '${state}': refused by its fence, the order stays ${order.state}`)
console.log(`had it looked first, its lock would have said ${loss}`)

await refund.release()
if (till.exitCode === null) await once(till, 'exit')
await hf.close()
await stop()
