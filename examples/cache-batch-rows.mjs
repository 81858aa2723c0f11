/**
 * A batch job publishes its aggregated rows into the cache: 10,000 in a few round trips, read by everybody, replaced
 * as one by the next run.
 */
import assert from 'node:assert/strict'
import { connect } from 'holdfast'
import { openServer } from './stage/server.mjs'

const { url, namespace, stop } = await openServer('cache-batch-rows')
const [job, api] = await Promise.all([connect(url, { namespace }), connect(url, { namespace })])
const metrics = (hf) => hf.cache('metric', { ttl: '2h' })

/** What a query over a cursor, a file or a Spark job gives: rows one by one, never all at once in memory. */
async function* aggregates(run, rows = 10_000) {
  for (let n = 0; n < rows; n += 1) yield [`revenue:place ${n}:2026-11-21`, { place: n, run, revenue: n * 1_000 + run }]
}

const published = await metrics(job).warm(aggregates(1), { ttl: '1h', tags: ['nightly'] })
assert.deepEqual([published.written, published.failures], [10_000, []])
console.log(`published ${published.written} rows`)

// Another process reads them: in one round trip for many.
const wanted = ['revenue:place 7:2026-11-21', 'revenue:place 9999:2026-11-21', 'revenue:place 10000:2026-11-21']
const rows = await metrics(api).getMany(wanted)
assert.deepEqual(
  [...rows.values()].map((row) => row?.revenue),
  [7_001, 9_999_001, undefined],
)
console.log(`the API reads place 7: ${rows.get(wanted[0]).revenue}, and place 10000, which is no row: undefined`)

// One bad row does not take the others with it.
async function* withOneBadRow() {
  yield* aggregates(2, 100)
  yield ['revenue:broken', { compute: () => 0 }]
}
const second = await metrics(job).warm(withOneBadRow(), { ttl: '1h', tags: ['nightly'] })
assert.equal(second.written, 100)
const [{ id, error }] = second.failures
console.log(`the next run: ${second.written} rows replaced, 1 refused: ${id}, ${error.code}`)

// The job's data was wrong: all of its rows go in one step.
await metrics(job).invalidateTag('nightly')
assert.equal(await metrics(api).get(wanted[0]), undefined)
console.log('invalidateTag(nightly): none of the 10,000 is served any more')

await Promise.all([job.close(), api.close()])
await stop()
