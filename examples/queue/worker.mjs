/** A worker that takes five jobs and never gets any of them done: it is here to be killed. */
import { connect } from 'holdfast'
import { OPTIONS } from './options.mjs'

const [, , namespace] = process.argv
const hf = await connect({ namespace })

let running = 0
hf.queue('email', OPTIONS).process(
  async () => {
    running += 1
    if (running === 5) process.send({ running })
    await new Promise(() => {})
  },
  { concurrency: 5 },
)
