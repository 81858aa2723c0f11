// npm run soak -- [--minutes N] [--cluster]: steady load without a fault, for hours if one likes: nothing may fail, and nothing may grow.
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect } from '../../src/index.ts'
import { startCluster, startServer } from '../../src/testing/index.ts'
import { SteadyLoad } from './steady-load.ts'

const LOOKS_A_MINUTE = 4
/** The first looks see caches and compiled code fill up. */
const WARM_UP_LOOKS = 2
const MOST_GROWTH = 1.25

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '5' }, cluster: { type: 'boolean', default: false } },
})
const looks = Math.round(Number(values.minutes) * LOOKS_A_MINUTE)
if (!(looks > WARM_UP_LOOKS)) throw new Error(`--minutes: expected a number above 0.5, received ${values.minutes}`)

const servers = values.cluster ? await startCluster() : await startServer()
const hf = await connect(servers.url, { timeout: '10s' })
const load = new SteadyLoad(hf, 12, 2)
await load.start(16)
let broken = 0
let warmHeap = 0
let heap = 0
for (let i = 0; i < looks; i++) {
  await wait(60_000 / LOOKS_A_MINUTE)
  globalThis.gc?.()
  heap = process.memoryUsage().heapUsed / 2 ** 20
  if (i === WARM_UP_LOOKS) warmHeap = heap
  const { operations, failed, wrong, slowestMs, complaints } = load.look()
  broken += failed + wrong
  const figures = [
    `${operations} operations`,
    `${failed} failed`,
    `${wrong} wrong`,
    `slowest ${Math.round(slowestMs)} ms`,
  ]
  process.stdout.write(`${figures.join('  ')}  heap ${heap.toFixed(1)} MiB  ${hf.stats.pending} pending\n`)
  for (const complaint of complaints) process.stdout.write(`  ${complaint}\n`)
}
await load.stop()
const problems = await load.verify()
for (const problem of problems) process.stdout.write(`${problem}\n`)
await hf.close()
await servers.stop()
const grown = heap / warmHeap
process.stdout.write(
  `${load.sales.length} sales, ${problems.length} problems, heap ${grown.toFixed(2)} of what it was when warm\n`,
)
process.exitCode = broken + problems.length > 0 || grown > MOST_GROWTH ? 1 : 0
