/**
 * Robust caching: of many requests that miss at once one loads, the others wait for it, and no lock is left over,
 * whatever happens.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('cache-stampede')
const [hf, other] = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])

/** A database that is asked only when it must be, and can hang or fail. */
let queries = 0
let mood = 'well'
async function query(id, { signal }) {
  queries += 1
  if (mood === 'away') throw new Error('the database is away')
  if (mood === 'hangs') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  return { id, name: `user ${id}` }
}

// One load in the whole fleet. The default, 'process', is one in each process.
const options = { ttl: '10s', stampede: 'fleet', load: query }
const cachesOf = (name, more) => [hf, other].map((each) => each.cache(name, { ...options, ...more }))
const crowd = (caches, id) =>
  Promise.allSettled(Array.from({ length: 100 }, (_, i) => caches[i % caches.length].get(id)))
const queriesOf = async (work) => {
  queries = 0
  return { outcomes: await work(), queries }
}
const users = cachesOf('user')
/** Nothing is kept of an id once its load has ended: neither in a process nor in Redis. */
const isLocked = async (id) => (await users[0].explain(id)).lease !== undefined

const cold = await queriesOf(() => crowd(users, '1'))
assert.equal(cold.queries, 1)
assert.ok(cold.outcomes.every(({ value }) => value.name === 'user 1'))
assert.equal(await isLocked('1'), false)
console.log(`100 requests in two processes, nothing cached: ${cold.queries} query, 100 answers`)

mood = 'away'
const away = await queriesOf(() => crowd(users, '2'))
assert.ok(away.outcomes.every(({ reason }) => reason.message === 'the database is away'))
assert.equal(await isLocked('2'), false)
console.log(`the database is away: ${away.outcomes.length} are told, nothing is cached, no lock is left`)

mood = 'well'
const back = await queriesOf(() => crowd(users, '2'))
assert.equal(back.queries, 1)
console.log(`it is back: the next 100 have their answer by ${back.queries} query`)

// Nobody waits for longer than hardTimeout, and what hangs holds nobody up.
mood = 'hangs'
const bounded = cachesOf('bounded', { loader: { hardTimeout: '300ms' } })
const hangs = await queriesOf(() => crowd(bounded, '3'))
assert.ok(hangs.outcomes.every(({ reason }) => reason.code === 'LOAD_TIMEOUT'))
mood = 'well'
assert.equal((await bounded[0].get('3')).name, 'user 3')
console.log('a query that hangs: all are told LOAD_TIMEOUT within 300 ms, and the next request loads')

await Promise.all([hf.close(), other.close()])
await stop()
