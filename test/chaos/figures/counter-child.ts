/**
 * A process that counts, for the chaos of figures: `counter-child.ts url dir map`. Told `namespace name` by a line, it counts, measures, moves
 * a place and calls what a breaker protects, all under its own name; told `close`, it ends in order. What it does it writes into the file
 * `dir/name`, one line each and at once, so that it is known also when the process is killed right after:
 *
 *     tried|acked  kind count µs    so many were counted in all: before, and once all of them were acknowledged
 *     trial        asked from to µs   a call that was tried while the breaker was half-open
 *     closed       dropped lost state µs
 */
import { existsSync, openSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { connect, type Holdfast } from 'holdfast'
import { nowMicros } from '../queue/ledger.ts'
import { BREAKER, FLUSH_MS, type Kind, SITE, VANS, vanAt } from './plan.ts'

const BURST = 40
const [url = '', dir = '', map = ''] = process.argv.slice(2)
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
let over = false
process.stdin.on('error', () => {})
writeSync(1, 'ready\n')

const work: Promise<void>[] = []
let hf: Holdfast | undefined
let log = -1
const write = (...words: readonly unknown[]) => writeSync(log, `${words.join(' ')} ${nowMicros()}\n`)
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'close') {
    over = true
    await Promise.all(work)
    const site = hf?.analytics(SITE, { flush: { every: FLUSH_MS } })
    await hf?.close()
    write('closed', site?.stats.dropped, hf?.monitor.lost, hf?.breaker('payments', BREAKER).stats.state)
    break
  }
  const [namespace = '', name = ''] = line.split(' ')
  log = openSync(`${dir}/${name}`, 'a')
  hf = await connect(url, {
    ...{ namespace, timeout: '10s', monitor: { flush: FLUSH_MS } },
    ...(map === '' ? {} : { addressMap: JSON.parse(map) }),
  })
  work.push(count(hf, name), measure(hf, name), move(hf, name), call(hf))
}
process.exit(0)

/** In bursts, each of which is sent by the interval alone. */
async function count(hf: Holdfast, name: string): Promise<void> {
  const site = hf.analytics(SITE, { flush: { every: FLUSH_MS } })
  for (let n = 0; !over; ) {
    write('tried', 'event' satisfies Kind, n + BURST)
    for (let i = 0; i < BURST; i++, n++) {
      void site.track(name, { amount: 2 }, { visitor: `${name} ${n % 50}` })
      void site.hit('page', `/${n % 20}`, { visitor: `${name} ${n % 50}` })
    }
    while (site.stats.pending > 0) await pause(5)
    write('acked', 'event' satisfies Kind, n)
  }
}

async function measure(hf: Holdfast, name: string): Promise<void> {
  for (let n = 0; !over; ) {
    write('tried', 'value' satisfies Kind, n + BURST)
    for (let i = 0; i < BURST - 2; i++, n++) hf.monitor.observe(name, i)
    n += 2
    // What is kept is written by a later one.
    let isWritten = await hf.monitor.record({ [name]: { values: [50, 60], errors: 1 } })
    while (!isWritten) {
      await pause(20)
      isWritten = await hf.monitor.flush().catch(() => false)
    }
    write('acked', 'value' satisfies Kind, n)
    await pause(10)
  }
}

async function move(hf: Holdfast, name: string): Promise<void> {
  const vans = hf.geo('vans', VANS)
  for (let n = 1; !over; n++) {
    write('tried', 'move' satisfies Kind, n)
    await vans.add(name, vanAt(n)).then(
      () => write('acked', 'move' satisfies Kind, n),
      () => {},
    )
    await pause(2)
  }
}

async function call(hf: Holdfast): Promise<void> {
  const payments = hf.breaker('payments', BREAKER)
  const charge = async (askedUs: number) => {
    const isTrial = payments.stats.state !== 'closed'
    const fromUs = nowMicros()
    await pause(5)
    if (isTrial) write('trial', askedUs, fromUs, nowMicros())
    if (existsSync(`${dir}/down`)) throw new Error('down')
  }
  // It ends when what it calls is up again: a breaker that stays open would keep it.
  for (const endsMs = () => performance.now() + 10_000, state = { endMs: 0 }; ; ) {
    const askedUs = nowMicros()
    await payments.run(() => charge(askedUs), { fallback: () => undefined })
    if (over && state.endMs === 0) state.endMs = endsMs()
    if (over && ((await payments.state()) === 'closed' || performance.now() > state.endMs)) return
    await pause(15)
  }
}
