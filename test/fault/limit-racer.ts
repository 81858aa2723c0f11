/**
 * One process of a race, started by limit-race.test.ts: `limit-racer.ts url namespace callers`. Says `ready`, starts on the first line
 * from its parent, and prints how many turns it got of each limiter, as one line of JSON.
 */
import { once } from 'node:events'
import { connect } from 'holdfast'
import { RACES } from './limit-races.ts'

const [url = '', namespace = '', callers = '0'] = process.argv.slice(2)
const hf = await connect(url, { namespace, timeout: '10s' })
const limiters = Object.entries(RACES).map(([name, options]) => [name, hf.limiter(name, options)] as const)
await Promise.all(limiters.map(([, limiter]) => limiter.peek('one')))
console.log('ready')
await once(process.stdin, 'data')

const admitted: Record<string, number> = {}
for (const [name, limiter] of limiters) {
  const turns = await Promise.all(Array.from({ length: Number(callers) }, () => limiter.consume('one')))
  admitted[name] = turns.filter(({ allowed }) => allowed).length
}
console.log(JSON.stringify(admitted))
await hf.close()
process.exit(0)
