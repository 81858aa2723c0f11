// npm run soak -- --keys N: many keys, once each, through a memory tier that holds a few: nothing of those that went may stay.
import { parseArgs } from 'node:util'
import { connect } from '../../src/index.ts'
import { startServer } from '../../src/testing/index.ts'

const LOT = 10_000
const HELD = 10_000
/** Looks before this share see caches and compiled code fill up. */
const WARM_SHARE = 0.2
const MOST_GROWTH = 1.1

const { values } = parseArgs({ options: { keys: { type: 'string', default: '1000000' } } })
const count = Math.ceil(Number(values.keys) / LOT) * LOT
if (!(count >= 10 * LOT)) throw new Error(`--keys: expected a number of at least ${10 * LOT}, received ${values.keys}`)

const server = await startServer()
const hf = await connect(server.url, { timeout: '30s' })
const cache = hf.cache<{ id: number; text: string }>('it', {
  ttl: '1h',
  memory: { maxEntries: HELD },
  tags: (_, id) => [`group:${Number(id) % 1_000}`],
})
await cache.set('0', { id: 0, text: '' })
// Until the stream is confirmed nothing is kept, and nothing would be shown.
while (cache.staleness().boundMs === 0) await cache.peek('0')
let warmHeap = 0
let heap = 0
for (let from = 0; from < count; from += LOT) {
  const ids = Array.from({ length: LOT }, (_, i) => String(from + i))
  await cache.getMany(ids, (missing) => missing.map((id) => ({ id: Number(id), text: `the text of ${id}` })))
  // The second time from Redis, and into memory.
  await cache.getMany(ids)
  globalThis.gc?.()
  heap = process.memoryUsage().heapUsed / 2 ** 20
  if (from <= WARM_SHARE * count) warmHeap = Math.max(warmHeap, heap)
  if ((from / LOT) % 10 === 9) {
    const { entries, bytes } = cache.stats.memory
    process.stdout.write(
      `${from + LOT} keys  heap ${heap.toFixed(1)} MiB  in memory ${entries} entries, ${(bytes / 2 ** 20).toFixed(1)} MiB by its own count\n`,
    )
  }
}
const { entries } = cache.stats.memory
await hf.close()
await server.stop()
const grown = heap / warmHeap
process.stdout.write(`heap ${grown.toFixed(2)} of the most it was in the first fifth\n`)
process.exitCode = grown > MOST_GROWTH || entries > HELD || entries < HELD / 2 ? 1 : 0
