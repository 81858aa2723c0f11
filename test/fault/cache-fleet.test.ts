import { type ChildProcess, fork } from 'node:child_process'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LEASE_MS } from '../../src/cache/entries.ts'

let server: TestServer
const children: ChildProcess[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

interface Said {
  readonly said: string
  readonly loads: number
  readonly lastMs: number
  readonly right: boolean
}

/** The next thing of that kind which the child says. */
const hear = (child: ChildProcess, said: string) =>
  new Promise<Said>((resolve, reject) => {
    const onMessage = (message: unknown) => {
      if ((message as Said).said !== said) return
      child.off('message', onMessage)
      resolve(message as Said)
    }
    child.on('message', onMessage)
    child.once('exit', (code) => reject(new Error(`the child ended with ${code} before it said ${said}`)))
  })

async function fleet(count: number, order: { stampede: 'process' | 'fleet'; callers: number; loadMs: number }) {
  const namespace = testNamespace('fleet')
  return Promise.all(
    Array.from({ length: count }, async () => {
      const child = fork(new URL('./cache-child.ts', import.meta.url), {
        execArgv: ['--import', new URL('../../scripts/typescript.mjs', import.meta.url).href],
        stdio: 'inherit',
      })
      children.push(child)
      await hear(child, 'up')
      const ready = hear(child, 'ready')
      child.send({ url: server.url, namespace, id: 'cold', ...order })
      await ready
      return child
    }),
  )
}

const commandCalls = async (): Promise<number> => {
  const stats = await server.command<string>('INFO', 'commandstats')
  return [...stats.matchAll(/^cmdstat_(evalsha|eval|get|mget):calls=(\d+)/gm)].reduce(
    (sum, [, , calls]) => sum + Number(calls),
    0,
  )
}

describe('4 processes with 250 callers each of one cold key', () => {
  it.each([
    ['fleet', 1],
    ['process', 4],
  ] as const)('load it once with one loader per %s', async (stampede, most) => {
    const processes = await fleet(4, { stampede, callers: 250, loadMs: 50 })
    const done = processes.map((child) => hear(child, 'done'))
    for (const child of processes) child.send('go')
    const said = await Promise.all(done)
    expect(said.every(({ right }) => right)).toBe(true)
    const loads = said.reduce((sum, one) => sum + one.loads, 0)
    expect(loads).toBeGreaterThanOrEqual(1)
    expect(loads).toBeLessThanOrEqual(most)
    console.info(
      `stampede ${stampede}: ${loads} loads, last answer after ${Math.max(...said.map((one) => one.lastMs))} ms`,
    )
  })

  it('do not poll while they wait: the fill wakes them', async () => {
    const processes = await fleet(4, { stampede: 'fleet', callers: 250, loadMs: 1_000 })
    const done = processes.map((child) => hear(child, 'done'))
    await server.command('CONFIG', 'RESETSTAT')
    for (const child of processes) child.send('go')
    const said = await Promise.all(done)
    expect(said.reduce((sum, one) => sum + one.loads, 0)).toBe(1)
    const calls = await commandCalls()
    // 1,000 looks; 4 leases, 1 fill and its read by the others, and one look each 100 to 200 ms by each of 3 who wait.
    expect(calls).toBeLessThan(1_000 + 100)
    const last = Math.max(...said.map((one) => one.lastMs))
    console.info(`waiting processes: ${calls} commands, last answer ${last - 1_000} ms after the load`)
  })

  it('load it again within the lease when its holder is killed with -9', async () => {
    const processes = await fleet(3, { stampede: 'fleet', callers: 10, loadMs: 300 })
    const first = Promise.race(processes.map((child) => hear(child, 'loading').then(() => child)))
    const done = processes.map((child) => hear(child, 'done').catch(() => undefined))
    for (const child of processes) child.send('go')
    const holder = await first
    const killedMs = performance.now()
    holder.kill('SIGKILL')
    const said = (await Promise.all(done)).filter((one) => one !== undefined)
    expect(said.length).toBe(2)
    expect(said.every(({ right }) => right)).toBe(true)
    expect(said.reduce((sum, one) => sum + one.loads, 0)).toBe(1)
    expect(performance.now() - killedMs).toBeLessThan(LEASE_MS + 300 + 700)
  })
})
