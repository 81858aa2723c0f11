/** One process that runs the jobs of a schedule, started by the tests of schedules: `queue-schedule-child.ts url`. Says `ran` for each. */
import { writeSync } from 'node:fs'
import { connect } from 'holdfast'

const [url = ''] = process.argv.slice(2)
const hf = await connect(url, { timeout: '10s' })
const queue = hf.queue<string>('jobs', { lease: '300ms' })
queue.process(
  (job, { tally }) => {
    tally(job.id)
    writeSync(1, 'ran\n')
  },
  { concurrency: 5 },
)
await queue.repeat('tick', { every: 100 }, 'now', { missed: { all: 100 } })
