/**
 * A worker process of the queue's chaos: `worker-child.ts url file`. Told `namespace lease shards` by a line, it works; told `close`, it ends
 * in order. What happens it writes into the file, one line each and at once, so that it is known also when the process is killed right after:
 *
 *     began|ended|failed|lost|asked|accepted|refused  key fence µs [more]
 *     stats  refused - µs
 */
import { openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect, GiveUp, type Holdfast, type Job } from 'holdfast'
import { type ChaosJob, childKey, QUEUE, queueOptions, tallyName } from './jobs.ts'

const CONCURRENCY = 25
const PULLERS = 3
const PULLER_PAUSE_MS = 30
const STATS_EVERY_MS = 20

const [url = '', file = '', map = ''] = process.argv.slice(2)
const log = openSync(file, 'a')
const write = (verb: string, key: string | number, fence: bigint | string, more = '') =>
  writeSync(log, `${verb} ${key} ${fence} ${process.hrtime.bigint() / 1_000n} ${more}\n`)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
process.stdin.on('error', () => {})
writeSync(1, 'ready\n')

let hf: Holdfast | undefined
let over = false
const pulling: Promise<void>[] = []
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'close') {
    over = true
    await Promise.all(pulling)
    await hf?.close()
    break
  }
  const [namespace = '', lease = '', shards = ''] = line.split(' ')
  hf = await connect(url, { namespace, timeout: '10s', ...(map === '' ? {} : { addressMap: JSON.parse(map) }) })
  const queue = hf.queue<ChaosJob>(QUEUE, queueOptions(Number(lease), Number(shards)))
  let refused = 0
  setInterval(() => {
    if (queue.stats.refused === refused) return
    refused = queue.stats.refused
    write('stats', refused, '-')
  }, STATS_EVERY_MS).unref()
  queue.process(
    async (job, { signal, fence, follow, tally }) => {
      const hear = () => write('lost', job.data.key, fence, signal.reason?.code)
      signal.addEventListener('abort', hear)
      if (job.data.kind === 'effect') {
        tally(tallyName(job.data.key, String(fence)))
        const child: ChaosJob = { key: childKey(job.data.key, String(fence)), kind: 'child', takesMs: 0 }
        follow(child)
      }
      await work(job)
    },
    { concurrency: CONCURRENCY },
  )
  for (let i = 0; i < PULLERS; i++) pulling.push(pull(queue))
}
process.exit(0)

/** What a handler does, by the job's kind. */
async function work({ data, attempt, fence }: Job<ChaosJob>): Promise<void> {
  write('began', data.key, fence, String(attempt))
  await pause(data.takesMs)
  if (data.kind === 'hopeless' || attempt <= (data.fails ?? 0)) {
    write('failed', data.key, fence)
    throw data.kind === 'hopeless' ? new GiveUp() : new Error('it fails, as it was told to')
  }
  write('ended', data.key, fence)
}

/** Jobs taken by hand: each end is told to who ends it. */
async function pull(queue: ReturnType<typeof queueOf>): Promise<void> {
  while (!over) {
    const job = await queue.take().catch(() => undefined)
    if (job === undefined) {
      await pause(PULLER_PAUSE_MS)
      continue
    }
    const { key } = job.data
    try {
      await work(job)
    } catch (error) {
      await job.fail(error).catch(() => {})
      continue
    }
    write('asked', key, job.fence)
    await job.complete().then(
      () => write('accepted', key, job.fence),
      (error) => write('refused', key, job.fence, error.code),
    )
  }
}

function queueOf(instance: Holdfast) {
  return instance.queue<ChaosJob>(QUEUE)
}
