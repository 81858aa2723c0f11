// npm run soak -- --jobs N: so many jobs of every ending through one queue. When all have ended, Redis holds no more than before, and the heap of
// the process that did it all has not grown meanwhile.
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { connect, GiveUp } from '../../src/index.ts'
import { startServer } from '../../src/testing/index.ts'

const LOT = 5_000
const CONCURRENCY = 200
/** Producers wait while so many jobs are there. */
const MOST_WAITING = 20_000
const KEEP_DEAD = 1_000
/** Jobs before this share see compiled code, connections and dead letters fill up. */
const WARM_SHARE = 0.2
const MOST_HEAP_GROWTH = 1.15
/** What a server may hold more than before: what its allocator and its clients' buffers keep, whatever the number of jobs was. */
const MOST_LEFT_BYTES = 2 * 2 ** 20
const LOOKS = 100

interface SoakJob {
  readonly n: number
  readonly text: string
}

/** Of each hundred: what becomes of the job of this number. */
const ENDINGS = {
  failsOnce: 5,
  deferred: 6,
  hopeless: 7,
  result: 10,
  id: 15,
  delayed: 20,
  grouped: 25,
  urgent: 30,
} as const

const { values } = parseArgs({ options: { jobs: { type: 'string', default: '1000000' } } })
const count = Math.ceil(Number(values.jobs) / LOT) * LOT
if (!(count >= 10 * LOT)) throw new Error(`--jobs: expected a number of at least ${10 * LOT}, received ${values.jobs}`)

const server = await startServer()
const say = (line: string) => process.stdout.write(`${line}\n`)
const usedBytes = async () => Number(/used_memory:(\d+)/.exec(await server.command<string>('INFO', 'memory'))?.[1])
const heapMiB = () => {
  globalThis.gc?.()
  return process.memoryUsage().heapUsed / 2 ** 20
}
const hf = await connect(server.url, { timeout: '30s' })
const queue = hf.queue<SoakJob>('it', { keepDead: KEEP_DEAD, backoff: { base: 10, max: 50 } })

let done = 0
let failed = 0
const deferred = new Set<number>()
const handled = (
  ending: number,
  job: { readonly data: SoakJob; readonly attempt: number },
  defer: (ms: number) => void,
) => {
  if (ending < ENDINGS.failsOnce && job.attempt === 1) throw new Error('the first attempt fails')
  if (ending === ENDINGS.failsOnce && !deferred.delete(job.data.n)) {
    deferred.add(job.data.n)
    return void defer(20)
  }
  if (ending === ENDINGS.deferred) throw new GiveUp()
  done++
  return ending < ENDINGS.result ? { n: job.data.n } : undefined
}
const optionsOf = (n: number) => {
  const ending = n % 100
  if (ending < ENDINGS.hopeless) return undefined
  if (ending < ENDINGS.result) return { keepResult: '2s' } as const
  if (ending < ENDINGS.id) return { id: `id-${n}` }
  if (ending < ENDINGS.delayed) return { delay: 100 }
  if (ending < ENDINGS.grouped) return { group: `group-${n % 1_000}` }
  if (ending < ENDINGS.urgent) return { priority: 5 }
  return undefined
}

// What is there whatever the number of jobs: scripts, streams, the layout. From here on it is compared.
const worker = queue.process((job, { defer }) => handled(job.data.n % 100, job, defer), {
  concurrency: CONCURRENCY,
  onError: () => void failed++,
})
const soak = async (from: number, to: number) => {
  await queue.addMany(
    Array.from({ length: to - from }, (_, i) => ({ n: from + i, text: `the text of job ${from + i}` })),
    ({ n }) => optionsOf(n),
  )
}
const drained = async (most: number) => {
  for (;;) {
    const { waiting, active, delayed } = await queue.counts()
    if (waiting + active + delayed <= most) return
    await wait(5)
  }
}
/** What is there when nothing is to be done. */
const look = async () => {
  await drained(0)
  await worker.pause()
  await queue.purge()
  worker.resume()
  const keys = await server.command<number>('DBSIZE')
  return { keys, bytes: await usedBytes() }
}
/** When what has a TTL is gone: results, and receipts of adds. */
const settled = async () => {
  while (/expires=[1-9]/.test(await server.command<string>('INFO', 'keyspace'))) await wait(500)
  return await look()
}

await soak(0, LOT)
const start = await settled()
say(`after the first ${LOT} jobs: ${start.keys} keys, ${(start.bytes / 2 ** 20).toFixed(2)} MiB`)
const startMs = performance.now()
let warmHeap = 0
let heap = 0
let looks = 0
for (let from = LOT; from < count; from += LOT) {
  await soak(from, from + LOT)
  await drained(MOST_WAITING)
  if (from + LOT < (count * (looks + 1)) / LOOKS) continue
  looks++
  heap = heapMiB()
  if (from <= WARM_SHARE * count) warmHeap = Math.max(warmHeap, heap)
  const [keys, mib] = [await server.command('DBSIZE'), (await usedBytes()) / 2 ** 20]
  if (looks % 10 === 0)
    say(
      `${from} jobs added  ${done} done  ${failed} failed  heap ${heap.toFixed(1)} MiB  Redis ${keys} keys, ${mib.toFixed(1)} MiB`,
    )
}
await drained(0)
const rate = (count - LOT) / ((performance.now() - startMs) / 1_000)
const heapAfter = heapMiB()
const end = await settled()
const hopeless = count / 100
const expected = count - hopeless
const grown = Math.max(heap, heapAfter) / warmHeap
say(`${count} jobs, ${Math.round(rate)} a second: ${done} done of ${expected}, ${hopeless} gave up`)
say(`keys: ${start.keys} at first, ${end.keys} in the end`)
say(
  `memory of Redis: ${(start.bytes / 2 ** 20).toFixed(2)} MiB at first, ${(end.bytes / 2 ** 20).toFixed(2)} in the end, ${MOST_LEFT_BYTES / 2 ** 20} more allowed`,
)
say(
  `heap: ${warmHeap.toFixed(1)} MiB at most in the first fifth, ${grown.toFixed(2)} of it in the end, ${MOST_HEAP_GROWTH} allowed`,
)
await hf.close()
await server.stop()
const isSound = done === expected && end.keys <= start.keys && end.bytes <= start.bytes + MOST_LEFT_BYTES
process.exit(isSound && grown <= MOST_HEAP_GROWTH ? 0 : 1)
