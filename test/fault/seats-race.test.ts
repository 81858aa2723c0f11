import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect, type EventOptions, type Holdfast, type Seats } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'

const PROCESSES = 4
// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const RACER = fileURLToPath(new URL('./seats-racer.ts', import.meta.url))

interface Report {
  readonly outcomes: Readonly<Record<string, number>>
  readonly sold: readonly string[]
}

let server: TestServer
let hf: Holdfast
let namespace: string
let racers: ChildProcess[] = []

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('race')
  hf = await connect(server.url, { namespace })
})
afterEach(async () => {
  for (const racer of racers.splice(0)) racer.kill('SIGKILL')
  await hf.close()
})
afterAll(() => server.stop())

async function open(options: EventOptions): Promise<Seats> {
  const night = hf.seats('night')
  await night.create(options)
  return night
}

/** Four processes that start together; what each tells at its end. */
async function race(name: string, callers: number): Promise<Report[]> {
  racers = Array.from({ length: PROCESSES }, (_, i) => {
    const args = ['--import', LOADER, RACER, server.url, namespace, name, String(callers), String(i + 1)]
    return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  })
  const lines = racers.map((racer) => createInterface({ input: racer.stdout! })[Symbol.asyncIterator]())
  for (const line of lines) expect((await line.next()).value).toBe('ready')
  for (const racer of racers) racer.stdin!.write('go\n')
  const reports = await Promise.all(lines.map(async (line) => JSON.parse((await line.next()).value) as Report))
  await Promise.all(racers.map((racer) => racer.exitCode ?? once(racer, 'exit')))
  return reports
}

const total = (reports: readonly Report[], word: string): number =>
  reports.reduce((sum, { outcomes }) => sum + (outcomes[word] ?? 0), 0)

it('gives one seat to one of 64 callers in 4 processes', async () => {
  const night = await open({ currency: 'EUR', sections: [{ name: 'A', rows: 1, seatsPerRow: 2, price: 100 }] })
  const reports = await race('one-seat', 64 / PROCESSES)
  expect(total(reports, 'held')).toBe(1)
  expect(total(reports, 'taken')).toBe(63)
  expect(await night.counts()).toMatchObject({ held: 1, free: 1 })
  expect(await night.verify()).toMatchObject({ ok: true, problems: [] })
})

it('sells to 5,000 buyers in 4 processes, who want the same tenth of the house, no seat twice', async () => {
  const sections = [{ name: 'A', rows: 40, seatsPerRow: 50, price: 4999 }]
  const night = await open({ currency: 'EUR', perCustomer: 8, sections })
  const reports = await race('crowd', 5_000 / PROCESSES)
  const sold = reports.flatMap((report) => report.sold)
  expect(new Set(sold).size).toBe(sold.length)
  await expect.poll(async () => (await night.counts()).held, { timeout: 10_000 }).toBe(0)
  const map = await night.map()
  expect(map.seats.flatMap(({ id, state }) => (state === 'sold' ? [id] : [])).sort()).toEqual(sold.sort())
  expect(await night.counts()).toMatchObject({ sold: sold.length, free: 2_000 - sold.length })
  expect(await night.verify()).toMatchObject({ ok: true, problems: [] })
  for (const word of ['held twice', 'unlike']) expect(total(reports, word)).toBe(0)
  for (const word of ['held', 'taken', 'confirmed', 'released']) expect(total(reports, word)).toBeGreaterThan(50)
})
