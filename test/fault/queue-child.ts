/**
 * One process that works on a queue, started by the tests of queues: `queue-child.ts url`. Each line that it is told is `namespace lease
 * concurrency`, and then it works; what it tells is one line each, written at once, so that it is told also when the process is killed right
 * after. What a job's data says is done:
 *
 *   hang    says `began` and never ends
 *   kill    says `began` and kills its own process
 *   stand   says `began`, stands still until it notices that time has jumped, and ends; then says what its signal and its worker tell
 *   slow    says `began` and ends after a moment
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect } from 'holdfast'

const [url = ''] = process.argv.slice(2)
const say = (line: string) => writeSync(1, `${line}\n`)

say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [namespace = '', lease = '', concurrency = '1'] = line.split(' ')
  const hf = await connect(url, { namespace, timeout: '10s' })
  const queue = hf.queue<string>('jobs', { lease: Number(lease) })
  const worker = queue.process(
    async (job, { signal }) => {
      const [what = '', name = ''] = job.data.split(' ')
      const sinceMs = Date.now()
      say(`began ${name} ${job.attempt}`)
      if (what === 'hang') await new Promise(() => {})
      if (what === 'kill') setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20)
      if (what === 'stand') {
        standStill(sinceMs)
        setImmediate(async () => {
          await worker.pause()
          say(`ended ${signal.reason?.code} refused ${worker.stats.refused} done ${worker.stats.done}`)
        })
        return
      }
      await new Promise((resolve) => setTimeout(resolve, 200))
    },
    { concurrency: Number(concurrency) },
  )
}

/** Until this process has been stopped for a while since a moment before it said that it began: no gap between two looks is missed. */
function standStill(sinceMs: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  let lastMs = sinceMs
  for (let nowMs = Date.now(); nowMs - lastMs < 300; nowMs = Date.now()) {
    lastMs = nowMs
    Atomics.wait(cell, 0, 0, 5)
  }
}
