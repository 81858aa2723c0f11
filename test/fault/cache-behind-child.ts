/**
 * One process with write-behind, started by its tests: `cache-behind-child.ts url`. Each line that it is told is a job, `mode namespace`; what
 * it tells is one line each, written at once.
 *
 *   write    writes 1, 2, 3 … to ten ids by turns, and says `stands id n` for each; its system of record never answers
 *   hold     is persisting what it found, and says `persisting`; never ends
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
  const persist = () => {
    say('persisting')
    return new Promise(() => {})
  }
  const cache = hf.cache<number>('it', { ttl: '1m', write: { mode: 'behind', persist, batch: { delay: 0 } } })
  for (let n = 1; mode === 'write'; n++) {
    const id = `id ${n % 10}`
    await cache.set(id, n)
    say(`stands ${id} ${n}`)
  }
}
