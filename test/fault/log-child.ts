/**
 * One process with a log, started by the tests of logs: `log-child.ts url`. Each line that it is told is a job, `mode namespace`; what it
 * tells is one line each, written at once.
 *
 *   stuck    takes entries of the group, five at a time, says `took n attempt` for each, and is never done
 *   append   appends 1, 2, 3 … under ids, one after another, and says `stands n` for each
 */
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect } from 'holdfast'

const [url = ''] = process.argv.slice(2)
const say = (line: string) => writeSync(1, `${line}\n`)

say('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const [mode = '', namespace = ''] = line.split(' ')
  void work(mode, namespace)
}

async function work(mode: string, namespace: string): Promise<void> {
  const hf = await connect(url, { namespace, timeout: '5s' })
  const log = hf.log<number>('l')
  switch (mode) {
    case 'stuck':
      log.group('g').process(
        ({ data }, { attempt }) => {
          say(`took ${data} ${attempt}`)
          return new Promise(() => {})
        },
        { concurrency: 5, lease: '600ms' },
      )
      return
    case 'append':
      for (let n = 1; ; n++) {
        await log.append(n, { id: `${n}` })
        say(`stands ${n}`)
      }
  }
}
