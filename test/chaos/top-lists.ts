// npm run soak -- --hits N: so many hits, most of items that come once or a few times, and as many values of one metric. What Redis keeps of them may
// not grow, and no count or percentile may be off by more than it says.
import { parseArgs } from 'node:util'
import { connect } from '../../src/index.ts'
import { startServer } from '../../src/testing/index.ts'
import { latenciesOf } from '../fault/figures.ts'

const LOT = 10_000
const KEPT = 500
/** Items whose true count is kept here, to be compared. */
const KNOWN = 1_000
/** Looks before this share see lists and buckets fill up. */
const WARM_SHARE = 0.2
const MOST_GROWTH = 1.2
/** Bytes of one cell of a metric: 1,568 buckets and what stands beside them. */
const MOST_OF_CELL = 81_920
/** How far a percentile may be from that of the sorted samples. */
const MOST_OFF = 0.016

const { values } = parseArgs({ options: { hits: { type: 'string', default: '10000000' } } })
const count = Math.ceil(Number(values.hits) / LOT) * LOT
if (!(count >= 10 * LOT)) throw new Error(`--hits: expected a number of at least ${10 * LOT}, received ${values.hits}`)

const server = await startServer()
const hf = await connect(server.url, { timeout: '30s' })
const site = hf.analytics('it', { items: KEPT, buffer: 1_000_000, flush: { every: '1h', count: 1_000_000 } })
const truth = new Map<string, number>()
const times = new Float64Array(count)
// One minute, so that one list of each tier has to bear it all.
const at = Date.now()
let warmMemory = 0
let memory = 0
for (let done = 0; done < count; done += LOT) {
  for (let i = 0; i < LOT; i++) {
    // By Zipf's law over ten million items; a third of them was never seen before.
    const n = Math.floor(10_000_000 ** Math.random())
    const item = i % 3 === 0 ? `once ${done + i}` : `item ${n}`
    if (i % 3 !== 0 && n <= KNOWN) truth.set(item, (truth.get(item) ?? 0) + 1)
    void site.hit('page', item, { at })
  }
  const values = latenciesOf(done / LOT, LOT)
  times.set(values, done)
  const [isRecorded] = await Promise.all([hf.monitor.record({ soak: { values } }), site.flush()])
  if (!isRecorded) throw new Error('Redis was away')
  const info = await server.command<string>('INFO', 'memory')
  memory = Number(/used_memory:(\d+)/.exec(info)?.[1]) / 2 ** 20
  if (done <= WARM_SHARE * count) warmMemory = Math.max(warmMemory, memory)
  if ((done / LOT) % 100 === 99)
    process.stdout.write(
      `${done + LOT} hits  Redis ${memory.toFixed(1)} MiB  heap ${(process.memoryUsage().heapUsed / 2 ** 20).toFixed(1)} MiB\n`,
    )
}
const top = await site.top('page', 20, { window: '1d' })
const wrong = top.filter(({ item, count: told, error }) => Math.abs(told - (truth.get(item) ?? 0)) > error)
const error = top[0]?.error ?? 0
// Whoever has more hits than the error stands in the list.
const named = new Set((await site.top('page', KEPT, { window: '1d' })).map(({ item }) => item))
const missing = [...truth].filter(([item, hits]) => hits > error && !named.has(item))
const all = await site.hits('page', { window: '1d' })
for (const { item, count: told } of top.slice(0, 5))
  process.stdout.write(`${item}: ${told} told, ${truth.get(item)} true\n`)
process.stdout.write(
  `off by at most ${error}, of ${Math.floor(count / KEPT)} allowed; memory ${(memory / warmMemory).toFixed(2)} of the most in the first fifth\n`,
)
const stats = await hf.monitor.stats('soak', { window: '1d' })
times.sort()
const exact = (share: number) => times[Math.ceil(share * count) - 1] as number
const offs = (
  [
    ['p50', 0.5],
    ['p95', 0.95],
    ['p99', 0.99],
  ] as const
).map(([name, share]) => Math.abs(stats[name] / exact(share) - 1))
const cells = await server.command<string[]>('KEYS', '{hf:monitor:soak}:*')
const sizes = await Promise.all(cells.map((cell) => server.command<number>('MEMORY', 'USAGE', cell, 'SAMPLES', 0)))
process.stdout.write(
  `metric: ${stats.count} values, percentiles off by ${offs.map((off) => `${(off * 100).toFixed(2)} %`).join(', ')}; ${cells.length} cells, the largest of ${Math.max(...sizes)} bytes\n`,
)
const isMeasured = stats.count === count && Math.max(...offs) <= MOST_OFF && Math.max(...sizes) <= MOST_OF_CELL
await hf.close()
await server.stop()
const isSound = wrong.length === 0 && missing.length === 0 && all === count && error <= count / KEPT
process.exitCode = isSound && isMeasured && memory <= warmMemory * MOST_GROWTH ? 0 : 1
