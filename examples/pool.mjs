/**
 * A connection pool: connections of one's own for WATCH, MULTI and EXEC and for commands that block, lent in turn and
 * checked.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('pool')
const hf = await connect(url, { namespace, pool: { max: 4, acquireTimeout: '10s' } })
// Commands of one's own name their keys in full. Those of one hash tag lie on one server of a Cluster.
const stock = `{${namespace}:shelf}:stock`
const orders = `{${namespace}:shelf}:orders`

// A transaction: whoever loses the race reads again. 40 of them at once, over 4 connections.
await hf.pool.use((own) => own.call('SET', stock, 100), { key: stock })

const sellOne = () =>
  hf.pool.use(
    async (own) => {
      await own.call('WATCH', stock)
      const left = Number(await own.call('GET', stock))
      await own.call('MULTI')
      await own.call('SET', stock, left - 1)
      return (await own.call('EXEC')) !== null
    },
    { key: stock },
  )
async function sell() {
  for (let tries = 1; ; tries += 1) if (await sellOne()) return tries
}
const tries = await Promise.all(Array.from({ length: 40 }, sell))
const left = Number(await hf.pool.use((own) => own.call('GET', stock), { key: stock }))
assert.equal(left, 60)
assert.ok(hf.pool.stats.opened <= 4)
const lost = tries.reduce((sum, n) => sum + n - 1, 0)
console.log(`40 transactions at once on 100 pieces: ${left} left, no more than 4 connections`)
console.log(`${lost} times somebody lost the race, and read again`)

// A command that blocks holds up its own connection, and nobody else.
const waiting = hf.pool.use((own) => own.call('BLPOP', orders, 5), { key: orders })
const values = hf.cache('value', { ttl: '1m', load: () => 'not held up' })
assert.equal(await values.get('1'), 'not held up')
await hf.pool.use((own) => own.call('RPUSH', orders, 'order 77'), { key: orders })
assert.deepEqual(await waiting, [orders, 'order 77'])
console.log('BLPOP waited on its own connection, the rest went on; it got order 77')

// One that is not left as it was is not lent again.
const { discarded } = hf.pool.stats
await hf.pool.use((own) => own.call('WATCH', stock), { key: stock })
assert.equal(hf.pool.stats.discarded, discarded + 1)
console.log('a connection with a WATCH left open: closed, the next one gets a clean one')

// All in use: a bounded wait, and an error that says so.
let letGo
const atWork = new Promise((resolve) => {
  letGo = resolve
})
const users = Array.from({ length: 4 }, () => hf.pool.use(() => atWork, { key: stock }))
const late = await hf.pool.use(() => 'never', { key: stock, timeout: '50ms' }).catch((error) => error)
assert.deepEqual([late.code, late.operation, late.sent], ['TIMEOUT', 'pool.acquire', false])
console.log(`all 4 in use: ${late.code} of ${late.operation} after 50 ms, nothing was sent`)
letGo()
await Promise.all(users)

await hf.close()
await stop()
