/**
 * Write-through with retry, and write-behind: what is set is persisted before it is cached, or soon after it is on
 * record.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('cache-write-through')
const hf = await connect(url, { namespace })
const elsewhere = await connect(url, { namespace })

/** A database that refuses as often as it is told to. */
const db = { rows: new Map(), refusals: 0, statements: 0 }
async function statement(work) {
  db.statements += 1
  if (db.refusals === 0) return work()
  db.refusals -= 1
  throw new Error('the database is busy')
}

// Write-through: `set` persists first, with retries, and caches only what the database has.
const through = {
  ttl: '10m',
  load: (id) => db.rows.get(id),
  write: {
    mode: 'through',
    persist: (id, value) => statement(() => db.rows.set(id, value)),
    retry: { attempts: 3, base: '5ms' },
  },
}
const prices = hf.cache('price', through)
const pricesElsewhere = elsewhere.cache('price', through)

db.refusals = 2
await prices.set('42', 4999)
assert.equal(db.rows.get('42'), 4999)
assert.equal(await pricesElsewhere.get('42'), 4999)
console.log(`write-through: refused twice, persisted by statement ${db.statements}, then cached for every process`)

db.refusals = 3
const refused = await prices.set('42', 1).catch((error) => error)
assert.equal(refused.message, 'the database is busy')
assert.equal(await pricesElsewhere.get('42'), 4999)
console.log(`write-through: refused three times, so set rejects (${refused.message}) and readers still see 4999`)

// Write-behind: `set` is one round trip, however slow the database is. Of many writes of one id the latest is persisted.
const carts = hf.cache('cart', {
  ttl: '1h',
  load: (id) => db.rows.get(id),
  write: {
    mode: 'behind',
    // A batch may come twice, and a late one after a newer one: the version tells.
    persist: (entries) => statement(() => entries.forEach(saveIfNewer)),
    batch: { delay: '1m' },
  },
})
function saveIfNewer({ id, value, deleted, version }) {
  if (db.rows.get(`${id} version`) >= version) return
  db.rows.set(id, deleted ? undefined : value).set(`${id} version`, version)
}

db.statements = 0
for (let items = 1; items <= 100; items += 1) await carts.set('ann', { items })
assert.equal(db.rows.has('ann'), false)
assert.deepEqual(await carts.get('ann'), { items: 100 })
const { dirty } = await carts.writeLag()
console.log(
  `write-behind: 100 sets, ${db.statements} statements so far, ${dirty} cart owed to the database, readers see 100 items`,
)

await carts.flush()
assert.deepEqual([db.rows.get('ann'), db.statements], [{ items: 100 }, 1])
console.log('write-behind: flushed, 1 statement for 100 sets')

await Promise.all([hf.close(), elsewhere.close()])
await stop()
