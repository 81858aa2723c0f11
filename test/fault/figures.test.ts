// What is counted by several processes that die.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect, type Holdfast } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { BREAKER, countSeed, latenciesOf } from './figures.ts'

// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const CHILD = fileURLToPath(new URL('./figures-child.ts', import.meta.url))
/** Those of the processes that are killed; this one counts by 0. */
const KILLED = [1, 2, 3]
const SEEDS = [0, ...KILLED]

let server: TestServer
const children: ChildProcess[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await server.stop()
})

const measured = async ({ monitor }: Holdfast) => ({ ...(await monitor.stats('merged')), fromMs: 0, toMs: 0 })

// Three processes that compile the sources take their time where others work too.
it('four processes count and measure what one would have, and those that are killed lose what they had not sent and no more', {
  timeout: 90_000,
}, async () => {
  const namespace = testNamespace('figures')
  const lines = KILLED.map((seed) => {
    const args = ['--import', LOADER, CHILD, server.url, namespace, String(seed)]
    const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    return createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  })
  const hear = async (word: string) => {
    for (const line of lines) expect((await line.next()).value).toBe(word)
  }
  await using hf = await connect(server.url, { namespace, timeout: '10s' })
  await hf.monitor.record({ merged: { values: latenciesOf(0) } })
  countSeed(hf.analytics('site'), 0)
  await hear('ready')
  const payments = hf.breaker('payments', BREAKER)
  await payments.trip(1)
  await vi.waitFor(async () => expect(await payments.state()).toBe('half-open'))
  for (const child of children) child.stdin?.write('go\n')
  await hear('written')
  // What is sent by the interval needs nobody to ask for it.
  await vi.waitFor(async () => expect(await hf.analytics('quick').count('event', { window: '1h' })).toBe(300), 10_000)
  await hear('unsent')
  const words = await Promise.all(lines.map(async (line) => (await line.next()).value))
  expect(words.sort()).toEqual(['refused', 'refused', 'trying'])
  for (const child of children) child.kill('SIGKILL')

  // The dead one keeps its place for its time, and then somebody else is let try.
  const call = () => payments.run(() => 'up', { fallback: () => 'refused' })
  expect([await payments.state(), await call()]).toEqual(['half-open', 'refused'])
  expect(await server.command('HSET', `{${namespace}:breaker:payments}`, 'tried', '1')).toBe(0)
  await vi.waitFor(async () => expect(await call()).toBe('up'))
  expect(await payments.state()).toBe('closed')

  await using alone = await connect(server.url, { namespace: testNamespace('figures'), timeout: '10s' })
  const values = SEEDS.flatMap((seed) => latenciesOf(seed))
  await alone.monitor.record({ merged: { values, errors: 6 } })
  for (const seed of SEEDS) countSeed(alone.analytics('site'), seed)

  const [{ sum, avg, ...merged }, { sum: sumOfOne, avg: avgOfOne, ...ofOne }] = await Promise.all([
    measured(hf),
    measured(alone),
  ])
  expect(merged).toEqual(ofOne)
  expect([sum, avg]).toEqual([expect.closeTo(sumOfOne, 1), expect.closeTo(avgOfOne, 4)])
  const sorted = values.toSorted((a, b) => a - b)
  expect(merged).toMatchObject({ count: sorted.length, errors: 6, min: sorted[0], max: sorted.at(-1) })
  for (const [name, share] of [
    ['p50', 0.5],
    ['p95', 0.95],
    ['p99', 0.99],
  ] as const) {
    const exact = sorted[Math.ceil(share * sorted.length) - 1] as number
    expect(Math.abs(merged[name] - exact) / exact, name).toBeLessThan(0.016)
  }

  const figuresOf = async (site: ReturnType<typeof hf.analytics>) => ({
    top: await site.top('page', 30, { window: '1h' }),
    hits: await site.hits('page', { window: '1h' }),
    visitors: await site.unique('page', { window: '1h' }),
    ofPage: await site.unique('page', '/4', { window: '1h' }),
    bookings: await site.count('booking', { window: '1h' }),
    amount: await site.sum('booking', 'amount', { window: '1h' }),
  })
  const counted = await figuresOf(hf.analytics('site'))
  expect(counted).toEqual(await figuresOf(alone.analytics('site')))
  expect(counted).toMatchObject({ hits: 1_200, bookings: 80, amount: 4 * 210 + 20 * 6 })
})
