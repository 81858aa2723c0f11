/** Sentinel: one server's data without its outage; reads that may be a little behind go to the replicas. */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { startSentinel } from 'holdfast/testing'
import { until } from './stage/until.mjs'

// A primary, two replicas and three Sentinels: processes of our own, ready in about a second.
const group = await startSentinel()
console.log(
  `${group.servers.length} servers, ${group.sentinels.length} Sentinels: redis+sentinel://s1,s2,s3/${group.primaryName}`,
)
// To wait a failover out: twice what a server may be silent, and 2 s.
const hf = await connect(group.url, { namespace: 'example-sentinel', timeout: '10s' })

// Reads that never load, of a cache without memory, go to a replica.
const prices = hf.cache('price', { ttl: '1h', readFrom: 'replica' })
const ids = Array.from({ length: 100 }, (_, n) => `product ${n}`)
await prices.warm(ids.map((id) => [id, { id, cents: 4_999 }]))

const old = await group.primary()
const replicas = group.servers.filter((server) => server !== old)
const readsOf = async (servers) => {
  const all = await Promise.all(servers.map((server) => server.command('INFO', 'commandstats')))
  return all.map((stats) => Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0))
}
await until('the replicas have the rows, and their connections', async () => {
  await prices.peek(ids[0])
  const rows = await Promise.all(replicas.map((replica) => replica.command('DBSIZE')))
  return rows.every((n) => n >= ids.length) && (await readsOf(replicas)).every((n) => n > 0)
})
const [before] = await readsOf([old])
for (const id of ids) assert.equal((await prices.peek(id)).cents, 4_999)
const [after] = await readsOf([old])
// One that does not answer in time is passed over, and the primary asked.
assert.ok(after - before <= 10, `${after - before} by the primary`)
console.log(`100 reads by the replicas, but for ${after - before}`)

// The primary is replaced while a writer goes on: its calls wait for the next one, and none fails.
const counter = hf.value('counter')
let isOver = false
const writer = (async () => {
  while (!isOver) await counter.update((n = 0) => n + 1)
})()
const fresh = await group.failover()
await counter.update((n = 0) => n + 1)
isOver = true
await writer
assert.notEqual(fresh, old)
assert.ok(hf.stats.failovers >= 1)
console.log('a failover in the middle of it: another server is the primary, and no write failed')

await hf.close()
await group.stop()
