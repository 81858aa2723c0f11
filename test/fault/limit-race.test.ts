import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect, type Holdfast } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LIMIT, RACES } from './limit-races.ts'

const PROCESSES = 4
// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const RACER = fileURLToPath(new URL('./limit-racer.ts', import.meta.url))

let server: TestServer
let hf: Holdfast | undefined
let racers: ChildProcess[] = []

beforeAll(async () => {
  server = await startServer()
})
afterEach(async () => {
  for (const racer of racers.splice(0)) racer.kill('SIGKILL')
  await hf?.close()
  hf = undefined
})
afterAll(() => server.stop())

// Four processes that compile the sources take their time where others work too.
it('admits exactly the limit to four processes that hammer one id, by every algorithm that is exact', {
  timeout: 90_000,
}, async () => {
  const namespace = testNamespace('race')
  const callers = LIMIT / 2
  racers = Array.from({ length: PROCESSES }, () => {
    const args = ['--import', LOADER, RACER, server.url, namespace, String(callers)]
    return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  })
  const lines = racers.map((racer) => createInterface({ input: racer.stdout! })[Symbol.asyncIterator]())
  for (const line of lines) expect((await line.next()).value).toBe('ready')
  for (const racer of racers) racer.stdin!.write('go\n')
  const reports = await Promise.all(
    lines.map(async (line) => JSON.parse((await line.next()).value) as Record<string, number>),
  )
  await Promise.all(racers.map((racer) => racer.exitCode ?? once(racer, 'exit')))
  for (const name of Object.keys(RACES))
    expect([name, reports.reduce((sum, report) => sum + (report[name] ?? 0), 0)]).toEqual([name, LIMIT])
})

describe('what is often got wrong', () => {
  const key = 'naive'

  it('two who come first at once: naively each finds nothing and begins the window anew (GET, then SETEX), here both are counted', async () => {
    const [one, two] = await Promise.all([server.command('GET', 'window'), server.command('GET', 'window')])
    expect([one, two]).toEqual([null, null])
    await Promise.all([server.command('SETEX', 'window', 60, 1), server.command('SETEX', 'window', 60, 1)])
    // Two were let in, and one is counted.
    expect(await server.command('GET', 'window')).toBe('1')

    hf = await connect(server.url, { namespace: testNamespace('naive'), timeout: '10s' })
    const api = hf.limiter('api', { rules: [{ limit: 3, per: '1m', algorithm: 'fixed' }] })
    const turns = await Promise.all(Array.from({ length: 8 }, () => api.consume('ann')))
    expect(turns.filter(({ allowed }) => allowed)).toHaveLength(3)
    expect(await api.peek('ann')).toMatchObject({ allowed: false, remaining: 0 })
  })

  it('a process that dies between INCR and EXPIRE: naively a limit for ever, here a key with a life from its first write on', async () => {
    // Naively: two steps, and only one of them is done.
    await server.command('INCR', key)
    expect(await server.command('PTTL', key)).toBe(-1)

    const namespace = testNamespace('naive')
    hf = await connect(server.url, { namespace, timeout: '10s' })
    const api = hf.limiter('api', { rules: [{ limit: 1, per: '1h', algorithm: 'fixed' }] })
    // One step for the server: it is done, or it is not. Killed the moment it was sent.
    const consuming = api.consume('ann').catch(() => {})
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await consuming
    for (const made of await server.command<string[]>('KEYS', `*${namespace}*`))
      expect(await server.command('PTTL', made)).toBeGreaterThan(0)
  })

  it('a refused caller who keeps asking: naively his counter grows and his window with it, here it does not', async () => {
    hf = await connect(server.url, { namespace: testNamespace('naive'), timeout: '10s' })
    const api = hf.limiter('api', { rules: [{ limit: 2, per: '1h', algorithm: 'fixed' }] })
    await api.consume('ann', { cost: 2 })
    const first = await api.consume('ann')
    for (let i = 0; i < 20; i++) await api.consume('ann')
    const last = await api.consume('ann')
    expect(last.resetMs).toBeLessThanOrEqual(first.resetMs)
    // A raised quota helps at once, for no refusal was counted.
    expect(await api.consume('ann', { limits: { '1h': 3 } })).toMatchObject({ allowed: true, remaining: 0 })
  })

  it('a window that ends between the look and the count: naively a count with no end, here one step', async () => {
    const namespace = testNamespace('naive')
    hf = await connect(server.url, { namespace, timeout: '10s' })
    const api = hf.limiter('api', { rules: [{ limit: 1_000_000, per: 2, algorithm: 'fixed' }] })
    for (let i = 0; i < 300; i++) {
      const turn = await api.consume('ann')
      expect(turn).toMatchObject({ allowed: true })
      expect(turn.resetMs).toBeLessThanOrEqual(2)
    }
    await expect.poll(() => server.command('KEYS', `*${namespace}*`)).toEqual([])
  })
})
