/**
 * One of the processes that figures.test.ts counts by: `figures-child.ts url namespace seed`. Says `ready`, starts on the first line from
 * its parent, says `written` when all that it must not lose is acknowledged, and then counts what was never sent until it is killed: `unsent`.
 * Last it calls what is protected by a breaker that is half-open, and says `trying` or `refused`.
 */
import { once } from 'node:events'
import { connect } from 'holdfast'
import { BREAKER, countSeed, latenciesOf } from './figures.ts'

const [url = '', namespace = '', seed = '0'] = process.argv.slice(2)
const hf = await connect(url, { namespace, timeout: '10s', monitor: { flush: '1m' } })
await hf.monitor.list()
console.log('ready')
await once(process.stdin, 'data')

if (!(await hf.monitor.record({ merged: { values: latenciesOf(Number(seed)), errors: Number(seed) } }))) process.exit(1)
const site = hf.analytics('site', { flush: { every: '1h' } })
countSeed(site, Number(seed))
await site.flush()
const quick = hf.analytics('quick', { flush: { every: 10 } })
for (let i = 0; i < 100; i++) void quick.track('event')
console.log('written')

// A process that is killed now loses this, and nothing else.
void site.track('booking', { amount: 1 })
for (let i = 0; i < 100; i++) await hf.monitor.time('merged', () => i)
console.log('unsent')
// One of those that are killed is the one who tries what a breaker protects.
const trial = () => {
  console.log('trying')
  return new Promise<void>(() => {})
}
void hf.breaker('payments', BREAKER).run(trial, { fallback: () => console.log('refused') })
setInterval(() => {}, 1_000)
