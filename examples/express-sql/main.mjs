/** Express and SQL behind a cache: an API that a crowd visits, and what each visit costs the database. */
import { once } from 'node:events'
import { connect } from 'holdfast'
import { openServer } from '../stage/server.mjs'
import { createApp } from './app.mjs'
import { openDatabase } from './database.mjs'

const server = await openServer('express-sql')
const db = openDatabase()
const hf = await connect(server.url, { namespace: server.namespace })
const log = []
const { app, tops } = createApp({ hf, db, onError: (error) => log.push(error.message) })
await tops.clear()
const listening = app.listen(0, '127.0.0.1')
await once(listening, 'listening')
const api = `http://127.0.0.1:${listening.address().port}`

const get = async (path, options) => {
  const answer = await fetch(api + path, options)
  return { status: answer.status, body: answer.status === 204 ? undefined : await answer.json() }
}
const crowd = (path, visitors = 100) => Promise.all(Array.from({ length: visitors }, () => get(path)))

/** Prints what `work` was answered, and what it cost the database. */
async function visit(what, work) {
  db.queries()
  const start = performance.now()
  const answers = await work()
  const ms = Math.round(performance.now() - start)
  const queries = db.queries()
  const statuses = [...new Set(answers.map(({ status }) => status))].join(', ')
  const cost = `${queries} ${queries === 1 ? 'query' : 'queries'}`
  console.log(`${what.padEnd(52)} ${String(answers.length).padStart(3)} × ${statuses}  ${cost.padEnd(9)} ${ms} ms`)
  return answers
}

await db.query('select 1')
const [first] = await visit('nothing cached, 100 visitors at once', () => crowd('/tracks/Jazz'))
const again = await visit('100 more', () => crowd('/tracks/Jazz'))
console.log(
  `  all have the same ten: ${again.every(({ body }) => JSON.stringify(body) === JSON.stringify(first.body))}`,
)

const best = first.body[0]
await visit(`a write: ${best.name} was played less`, async () => [
  await get(`/tracks/${best.name.split(' ')[1]}/plays`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ plays: 1 }),
  }),
])
const [after] = await visit('100 visitors after it', () => crowd('/tracks/Jazz'))
console.log(`  best before ${best.name}, after ${after.body[0].name}`)

db.goAway()
const refused = await visit('the database is away, nothing cached: 20 visitors', () => crowd('/tracks/Latin', 20))
console.log(`  they read '${refused[0].body.error}', the log '${log[0]}'`)
db.comeBack()
const [latin] = await visit('it is back: no lock is left over from the failure', () => crowd('/tracks/Latin'))

// As if its minute were over.
await tops.set('Latin', latin.body, { ttl: 1 })
db.goAway()
await visit('away again, the answer older than its ttl: stale', async () => {
  const { loadFailures } = tops.stats
  const answers = await crowd('/tracks/Latin')
  // One of them tries to refresh it, behind the answers.
  while (tops.stats.loadFailures === loadFailures) await new Promise(setImmediate)
  return answers
})
db.comeBack()

const leaving = new AbortController()
await visit('the first visitor hangs up, those who wait do not', async () => {
  const hangsUp = get('/tracks/Metal', { signal: leaving.signal }).catch(() => ({ status: 'gone' }))
  const others = crowd('/tracks/Metal', 10)
  leaving.abort()
  return [await hangsUp, ...(await others)]
})

const { loads, joined, hits, loadFailures } = tops.stats
console.log(`${loads} loads, ${loadFailures} of them failed; ${joined} visitors joined one, ${hits.redis} hits`)

await tops.clear()
listening.close()
listening.closeAllConnections()
await hf.close()
await db.close()
await server.stop()
