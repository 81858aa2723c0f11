/**
 * What recording a value costs a process, beside a bare array in a Map, and what is kept of many, beside the usual sorted sets of samples:
 * `npm run bench -- monitor [--json] [--rounds N]`.
 */
import { connect } from 'holdfast'
import { Histogram } from 'holdfast/monitor'
import { startServer } from 'holdfast/testing'
import { Redis as RawClient } from 'ioredis'
import { type Row, report } from './harness/report.ts'
import { measure } from './harness/rounds.ts'

const at = process.argv.indexOf('--rounds')
const rounds = at < 0 ? 9 : Number(process.argv[at + 1])
/** Values recorded between two looks at the clock. */
const LOT = 1_000
/** What a value may cost the process that records it, in ns. */
const TARGET_NS = 200
const SAMPLES = 60_000

const server = await startServer()
const raw = new RawClient(server.port, '127.0.0.1')
const hf = await connect(server.url, { namespace: 'bench', timeout: '10s', monitor: { flush: '1m' } })
const values = Array.from({ length: LOT }, () => 0.05 + 20 * Math.random() ** 4)
const numbers = new Map([['checkout', new Float64Array(1_568)]])
const histogram = new Histogram()

/** The least that a count by name and bucket can be. */
const bare = (value: number) => {
  const buckets = numbers.get('checkout') as Float64Array
  const bucket = Math.floor(value)
  buckets[bucket] = (buckets[bucket] as number) + 1
}
const lot = (name: string, each: (value: number) => void) => ({
  name,
  run: async () => {
    for (const value of values) each(value)
  },
})
const inLots = await measure(
  [
    lot('Map, array[n]++', bare),
    lot('Histogram.record', (value) => histogram.record(value)),
    lot('monitor.observe', (value) => hf.monitor.observe('checkout', value)),
  ],
  { callers: 1, rounds, sliceMs: 100 },
)
const rows: Row[] = inLots.map(({ name, cpuMicros, ratio, ratioRange }) => {
  const ns = (cpuMicros * 1_000) / LOT
  const target = name === 'monitor.observe' ? { target: `< ${TARGET_NS} ns`, reached: ns < TARGET_NS } : {}
  return {
    scenario: 'one value, in process',
    contender: name,
    figure: `${ns.toFixed(0)} ns CPU`,
    ratio,
    ratioRange,
    ...target,
  }
})

const nothing = async () => undefined
const timed = await measure(
  [
    { name: 'await work()', run: async () => void (await nothing()) },
    { name: 'monitor.time(name, work)', run: () => hf.monitor.time('checkout', nothing) },
  ],
  { callers: 1, rounds, sliceMs: 100 },
)
const [bareNs = 0, timeNs = 0] = timed.map(({ cpuMicros }) => cpuMicros * 1_000)
rows.push({
  scenario: 'one call',
  contender: 'monitor.time(name, work)',
  figure: `${timeNs.toFixed(0)} ns CPU, ${(timeNs - bareNs).toFixed(0)} more than work alone`,
})
rows.push(...(await kept()))

report(`Monitor (Node ${process.version}, ${hf.server.product} ${hf.server.version}, ${rounds} rounds)`, rows)
await hf.close()
raw.disconnect()
await server.stop()

/** What 60,000 values of a minute take, as sorted sets of samples by time and by duration, and as the cells of a metric. */
async function kept(): Promise<readonly Row[]> {
  const startMs = Date.now()
  const durations = Array.from({ length: SAMPLES }, () => 0.05 + 20 * Math.random() ** 4)
  for (let i = 0; i < SAMPLES; i += LOT) {
    const pipeline = raw.pipeline()
    for (let j = i; j < i + LOT; j++) {
      // A thousand a second: nearly every millisecond has one, and many have two.
      const timestamp = startMs + Math.floor(Math.random() * 60_000)
      const duration = durations[j] as number
      pipeline.zadd('perf:checkout', timestamp, JSON.stringify({ success: true, duration, timestamp }))
      pipeline.zadd('perf:checkout:durations', duration, String(timestamp))
    }
    await pipeline.exec()
  }
  await hf.monitor.record({ kept: { values: durations } })
  const used = async (keys: readonly string[]) => {
    const sizes = await Promise.all(keys.map((key) => raw.call('MEMORY', 'USAGE', key, 'SAMPLES', 0)))
    return sizes.reduce<number>((sum, size) => sum + Number(size), 0)
  }
  const samples = await used(['perf:checkout', 'perf:checkout:durations'])
  const left = await raw.zcard('perf:checkout:durations')
  const cells = await raw.keys('{bench:monitor:kept}:*')
  const own = await used(cells)
  const scenario = `${SAMPLES} values of one minute`
  const lost = `${(100 * (1 - left / SAMPLES)).toFixed(0)} % of the durations overwritten`
  return [
    {
      scenario,
      contender: 'sorted sets of samples',
      figure: `${samples} B, ${Math.round(samples / SAMPLES)} each; ${lost}`,
    },
    {
      scenario,
      contender: 'cells of hf.monitor',
      figure: `${own} B in ${cells.length} cells; ${(await hf.monitor.stats('kept')).count} counted`,
    },
  ]
}
