/**
 * The other process of session.test.ts: `session-racer.ts url namespace`. Each line from its parent is a task as JSON; the answer is a line too.
 *
 *     { do: 'count', id, from, to }   sets the fields f<from> … f<to>, as many at once
 *     { do: 'load', id }              loads, and keeps the id: a slow request
 *     { do: 'late', patch }           saves what the slow request changed
 *     { do: 'press', id }             saves again and again until the session is gone; answers how often it stood after it was gone
 */
import { createInterface } from 'node:readline'
import { connect } from 'holdfast'

const [url = '', namespace = ''] = process.argv.slice(2)
const hf = await connect(url, { namespace, timeout: '10s' })
const sessions = hf.sessions<Record<string, unknown>>()
let slow = ''

const tasks: Record<string, (task: { id: string; from: number; to: number; patch: object }) => Promise<unknown>> = {
  async count({ id, from, to }) {
    const numbers = Array.from({ length: to - from }, (_, i) => from + i)
    const saved = await Promise.all(numbers.map((n) => sessions.update(id, { [`f${n}`]: n, last: n })))
    return saved.filter((session) => session === undefined).length
  },
  async load({ id }) {
    slow = id
    return (await sessions.load(id)) !== undefined
  },
  async late({ patch }) {
    return (await sessions.update(slow, patch as Record<string, unknown>)) !== undefined
  },
  async press({ id }) {
    let returned = 0
    let gone = false
    for (let after = 0; after < 50; ) {
      const stands = (await sessions.update(id, { n: after })) !== undefined
      if (stands && gone) returned++
      gone ||= !stands
      if (gone) after++
    }
    return returned
  },
}

console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const task = JSON.parse(line)
  console.log(JSON.stringify(await tasks[task.do]?.(task)))
}
await hf.close()
