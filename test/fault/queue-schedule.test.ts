import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { connect, type Holdfast } from 'holdfast'
import { startServer, type TestServer } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'

// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const CHILD = fileURLToPath(new URL('./queue-schedule-child.ts', import.meta.url))
const EVERY_MS = 100

let server: TestServer
let hf: Holdfast
const children: ChildProcess[] = []

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url, { timeout: '10s' })
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await hf?.close()
  await server?.stop()
})

/** A process that has run its first job. */
async function startChild(): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['--import', LOADER, CHILD, server.url], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await once(child.stdout!, 'data')
  child.stdout!.resume()
  return child
}

it('has exactly one job a slot and loses none, while processes are killed between slots and jobs', async () => {
  const queue = hf.queue<string>('jobs', { lease: '300ms' })
  const [first, second] = await Promise.all([startChild(), startChild()])
  const ran = async () =>
    Object.entries(await queue.tallies()).map(([id, times]) => ({ slot: Number(id.replace('tick@', '')), times }))
  const more = async (count: number) => {
    const before = (await ran()).length
    await vi.waitFor(async () => expect((await ran()).length).toBeGreaterThanOrEqual(before + count), {
      timeout: 30_000,
      interval: 10,
    })
  }
  await more(3)
  first.kill('SIGKILL')
  await more(4)
  // From here on nobody is there for some slots.
  second.kill('SIGKILL')
  await once(second, 'close')
  queue.process((job, { tally }) => tally(job.id), { concurrency: 5 })
  await more(3)
  await queue.unrepeat('tick')
  await vi.waitFor(
    async () => expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 }),
    {
      timeout: 30_000,
      interval: 10,
    },
  )

  const slots = (await ran()).sort((a, b) => a.slot - b.slot)
  const start = slots[0]?.slot as number
  expect(slots).toEqual(slots.map((_, i) => ({ slot: start + i * EVERY_MS, times: 1 })))
})
