/**
 * A cache for SQL queries: the function that runs them is wrapped, and each answer is tagged by the tables that it
 * came from.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openPostgres } from './stage/postgres.mjs'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('cache-sql')
const [hf, db] = await Promise.all([connect(url, { namespace }), openPostgres()])
await db.exec(`
  create table visits (place text not null, day date not null, guests int not null);
  insert into visits select 'place ' || n % 20, date '2026-11-01' + n % 30, n % 97 from generate_series(1, 5000) n`)

let statements = 0
async function runQuery(sql, params) {
  statements += 1
  return (await db.query(sql, params)).rows
}

/** Good enough for the queries of this program; who has a query builder asks that. */
const tablesOf = (sql) => [...sql.matchAll(/\b(?:from|join)\s+(\w+)/g)].map(([, table]) => `table:${table}`)

// The key is made of the text and the parameters: [7] is not ['7'], and no two queries share one.
const queries = hf.cache('queries', { ttl: '5m', expiry: { stale: '1h' } })
const query = queries.wrap(runQuery, { tags: tablesOf })

const BUSIEST =
  'select place, sum(guests)::int as guests from visits where day = $1 group by place order by 2 desc limit 3'

const answers = await Promise.all(Array.from({ length: 100 }, () => query(BUSIEST, ['2026-11-05'])))
assert.equal(statements, 1)
assert.ok(answers.every((rows) => rows === answers[0]))
console.log(`100 callers of one query: ${statements} statement; busiest is ${answers[0][0].place}`)

await query(BUSIEST, ['2026-11-06'])
await query(BUSIEST, ['2026-11-05'])
assert.equal(statements, 2)
console.log('another parameter is another entry: 2 statements, and the first answer is still there')

// A write: the statement, then the tag. Every cached query of that table is loaded anew, whatever its text.
await db.query(`insert into visits values ('the new place', '2026-11-05', 100000)`)
await queries.invalidateTag('table:visits')
const [best] = await query(BUSIEST, ['2026-11-05'])
assert.equal(best.place, 'the new place')
console.log(`after a write to the table: busiest is ${best.place}`)

// What fails is not cached, and all who waited are told.
const failed = await query('select nothing from visits where day = $1', ['2026-11-05']).catch((error) => error)
assert.match(failed.message, /column "nothing" does not exist/)
assert.equal(await query.peek('select nothing from visits where day = $1', ['2026-11-05']), undefined)
console.log(`an error passes as it is, and is not cached: ${failed.message}`)

await Promise.all([hf.close(), db.close()])
await stop()
