// A process under load that loses its Redis for a while: prints what it held before, during and after.
import { Redis } from '../../src/redis/redis.ts'
import { resolveSettings } from '../../src/redis/settings.ts'
import { startServer } from '../../src/testing/index.ts'

const seconds = Number(process.argv[2] ?? 6)
const PER_TURN = 20
const TURN_MS = 10

let unhandled = 0
process.on('unhandledRejection', () => unhandled++)

const server = await startServer()
const redis = new Redis(resolveSettings(server.url, {}))
await redis.connect()
const key = redis.keyspace.entity('test', 'n')
await redis.listeners.listen('hf:bell', () => {})

let calls = 0
let failed = 0
let slowestMs = 0
const call = async (): Promise<void> => {
  calls++
  const startMs = performance.now()
  await redis.call(key, 'GET', [key], { operation: 'load', repeat: true }).catch(() => failed++)
  slowestMs = Math.max(slowestMs, performance.now() - startMs)
}
const load = setInterval(() => {
  for (let i = 0; i < PER_TURN; i++) void call()
}, TURN_MS)
// Whoever waits for a doorbell comes again and again, too.
const bells = setInterval(
  () =>
    void redis.listeners
      .listen('hf:other', () => {})
      .then(
        (stop) => stop(),
        () => {},
      ),
  20,
)

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const median = (values: number[]) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)] as number

/** Medians of several looks under load, each after a full collection. */
async function look(): Promise<{ heap: number; pending: number }> {
  const heap: number[] = []
  const pending: number[] = []
  for (let i = 0; i < 9; i++) {
    await wait(100)
    globalThis.gc?.()
    heap.push(process.memoryUsage().heapUsed)
    pending.push(redis.stats.pending)
  }
  return { heap: median(heap), pending: median(pending) }
}

await wait(1_000)
const before = await look()
await server.kill()
const callsBefore = calls
slowestMs = 0
await wait(seconds * 1_000)
const callsDuring = calls - callsBefore
const slowestDuringMs = slowestMs
const during = redis.stats.pending
await server.restart()
const startMs = performance.now()
while (!redis.stats.ready) await wait(5)
const backMs = performance.now() - startMs
await wait(1_000)
const after = await look()
clearInterval(load)
clearInterval(bells)
const report = {
  seconds,
  timeoutMs: redis.timeoutMs,
  callsDuring,
  failed,
  pendingDuring: during,
  slowestMs: Math.round(slowestDuringMs),
  backMs: Math.round(backMs),
  pendingBefore: before.pending,
  pendingAfter: after.pending,
  heapBefore: before.heap,
  heapAfter: after.heap,
  unhandled,
}
await redis.close()
await server.stop()
console.log(JSON.stringify(report))
