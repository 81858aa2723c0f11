/** Cache-aside, step by step: each prints what happened and how often the database was asked. */
import { connect } from 'holdfast'
import { openServer } from '../stage/server.mjs'
import { createDatabase } from './database.mjs'

const server = await openServer('cache-aside')
const db = createDatabase()

/** Prints how long `work` took, what it asked of the database, and what it gave. */
async function step(what, work) {
  const start = performance.now()
  const value = await work()
  const ms = Math.round(performance.now() - start)
  const queries = db.queries()
  const from = queries === 0 ? 'from the cache' : `${queries} ${queries === 1 ? 'query' : 'queries'}`
  console.log(`  ${what.padEnd(44)} ${`${ms} ms`.padStart(6)}  ${from}`)
  return value
}

const show = (value) => console.log(`    ${JSON.stringify(value)}`)

// One client for an application. Every key begins with the namespace: {example-cache-aside:cache:user:1}
const hf = await connect(server.url, { namespace: server.namespace })
const users = hf.cache('user', {
  ttl: '5m',
  load: (id) => db.user(id),
  loadMany: (ids) => db.usersOf(ids),
  expiry: { nullTtl: '30s' },
})
await users.clear()

console.log('Get: from the cache, else from the database')
show(await step('first request, a miss', () => users.get('1')))
show(await step('second request, a hit', () => users.get('1')))

console.log('Invalidate: after the write, never before it')
await db.update('1', { name: 'Alice Updated' })
await users.delete('1')
show(await step('third request, a miss again', () => users.get('1')))

console.log('Invalidate by pattern: by SCAN on every primary, never KEYS')
const pages = hf.cache('page', { ttl: '5m' })
await Promise.all(['user:1', 'user:2', 'home'].map((id) => pages.set(id, `<h1>${id}</h1>`)))
console.log(`  user:* removed ${await pages.invalidatePattern('user:*')}, home is ${await pages.peek('home')}`)
await pages.clear()

console.log('A TTL of its own for one value')
await users.set('2', { id: 2, name: 'Bob for a moment' }, { ttl: '300ms' })
await step('at once', () => users.get('2'))
await new Promise((resolve) => setTimeout(resolve, 320))
await step('after 320 ms', () => users.get('2'))

console.log('Challenge 1: a stampede')
await users.delete('1')
await step('100 callers of a missing key in one process', () =>
  Promise.all(
    Array(100)
      .fill('1')
      .map((id) => users.get(id)),
  ),
)
const other = await connect(server.url, { namespace: server.namespace })
const fleet = [hf, other].map((each) =>
  each.cache('profile', { ttl: '5m', stampede: 'fleet', load: (id) => db.user(id) }),
)
await fleet[0].delete('1')
await step('100 callers of it on two servers', () =>
  Promise.all(Array.from({ length: 100 }, (_, i) => fleet[i % 2].get('1'))),
)

console.log('Challenge 2: a batch, in order, with one query for all that is missing')
await users.delete('3')
const batch = await step('three users, one of them missing', () => users.getMany(['3', '1', '2']))
show([...batch.values()].map(({ name }) => name))

console.log('Challenge 3: what does not exist is cached too, for 30 s')
await step('user 99, asked for the first time', () => users.get('99'))
show(await step('and again', () => users.get('99')))

console.log('What if the loader fails? All who wait learn it, nothing is cached, the next call tries again')
const failing = () => Promise.reject(new Error('the database is away'))
await users.delete('2')
const refusals = await Promise.allSettled([users.get('2', failing), users.get('2', failing)])
console.log(`  ${refusals.map(({ reason }) => reason.message).join(', ')}`)
await step('the next call', () => users.get('2'))

console.log('What if the cache is down? The database answers, one query for all who ask')
// Nobody listens there. A server that hangs is the same, within the deadline of an operation.
const alone = await connect('redis://127.0.0.1:1', { namespace: server.namespace, lazy: true, timeout: '200ms' })
const unreachable = alone.cache('user', { ttl: '5m', load: (id) => db.user(id) })
await step('50 callers without Redis', () => Promise.all(Array.from({ length: 50 }, () => unreachable.get('1'))))
const refused = await unreachable.delete('1').catch((error) => error)
console.log(`  an invalidation that was not confirmed is an error: ${refused.code}`)

console.log('How does an invalidation reach other servers? By Redis itself, also what they keep in memory')
const [here, there] = [hf, other].map((each) =>
  each.cache('session-user', { ttl: '5m', memory: {}, load: (id) => db.user(id) }),
)
await here.delete('1')
// Kept in memory once what the servers are told of the deletion has passed.
while (there.stats.memory.entries === 0) await there.get('1')
db.queries()
await step('the other server, from its memory', () => there.get('1'))
await db.update('1', { name: 'Alice Again' })
await here.delete('1')
while (there.stats.memory.entries > 0) await new Promise(setImmediate)
show(await step('and after a delete over here', () => there.get('1')))

for (const cache of [users, pages, here, ...fleet]) await cache.clear()
await Promise.all([hf.close(), other.close(), alone.close()])
await server.stop()
