// Ways in which queues on Redis are known to go wrong, each by its rule; those that have a test elsewhere are named in docs/queue.md.
import { connect, type Holdfast } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { drain } from '../contract/queue-drain.ts'

const SOON = { timeout: 15_000, interval: 5 }
let server: TestServer
let namespace: string
let near: Holdfast
let far: Holdfast

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('traps')
  near = await connect(server.url, { namespace, timeout: '10s', name: namespace })
  far = await connect(server.url, { namespace, timeout: '10s' })
})
afterEach(() => Promise.all([near.close(), far.close()]))
afterAll(() => server.stop())

const keyOf = (part: string) => `{${namespace}:queue:jobs:0}:${part}`
/** As if the processes that hold jobs had stood still for longer than their lease. */
async function endLeases(): Promise<void> {
  const all = await server.command<string[]>('ZRANGE', keyOf('leases'), 0, -1)
  for (const one of all.filter((name) => name.length > 1)) await server.command('ZADD', keyOf('leases'), 1, one)
}

it('skips nothing that was added before anybody worked', async () => {
  await near.queue<number>('jobs').addMany([1, 2, 3])
  expect(await drain(far.queue<number>('jobs'))).toEqual([1, 2, 3])
})

it('looks at no job that runs to find those of the dead', async () => {
  const queue = near.queue<number>('jobs')
  await queue.addMany(Array.from({ length: 3_000 }, (_, i) => i))
  const worker = queue.process(() => new Promise(() => {}), { concurrency: 3_000 })
  await vi.waitFor(() => expect(worker.stats.running).toBe(3_000), SOON)
  await server.command('CONFIG', 'RESETSTAT')
  const other = far.queue<number>('jobs')
  for (let i = 0; i < 20; i++) expect(await other.take()).toBeUndefined()
  const stats = String(await server.command('INFO', 'commandstats'))
  expect(stats).toContain('cmdstat_evalsha')
  // Whoever has jobs and no lease is looked for by consumers, of which there are two.
  expect(stats).not.toMatch(/cmdstat_(xautoclaim|xclaim|xrange|xpending)/)
  await queue.close({ timeout: 0 })
})

it('takes no job back by a beat once it was given to another', async () => {
  const queue = near.queue<string>('jobs', { lease: 300 })
  await queue.add('x')
  const job = await queue.take()
  await endLeases()
  const other = far.queue<string>('jobs', { lease: '1m' })
  const again = await other.take()
  expect(again).toMatchObject({ id: job?.id, attempt: 2 })
  // The beat of the first one is told so.
  await vi.waitFor(() => expect(job?.signal.reason).toMatchObject({ code: 'JOB_LEASE_LOST' }), SOON)
  expect(await server.command<string[][]>('XPENDING', keyOf('lane:0'), 'g', '-', '+', 10)).toHaveLength(1)
  await again?.complete()
  expect(again?.signal.aborted).toBe(false)
})

it('keeps jobs of equal payloads apart, also by exact priority', async () => {
  const queue = near.queue<object>('jobs', { mode: 'priority' })
  await queue.addMany([{ same: 1 }, { same: 1 }, { same: 1 }], { priority: 7 })
  expect((await queue.counts()).waiting).toBe(3)
  expect(await drain(queue)).toEqual([{ same: 1 }, { same: 1 }, { same: 1 }])
})

it('blocks no connection that others use', async () => {
  const queue = near.queue<string>('jobs')
  queue.process(() => {}, { wake: 'block' })
  const blocked = async () => {
    const list = String(await server.command('CLIENT', 'LIST')).split('\n')
    return list.filter((line) => / flags=b /.test(line)).map((line) => / name=(\S*)/.exec(line)?.[1])
  }
  await vi.waitFor(async () => expect(await blocked()).toEqual([`${namespace}:block`]), SOON)
  await near.queue<string>('other').add('goes by the common one')
  expect(await blocked()).toEqual([`${namespace}:block`])
})

it('keeps nothing in a stream that waits for its time', async () => {
  const queue = near.queue<string>('jobs', { backoff: { base: '1h' } })
  await queue.add('delayed', { delay: '1h' })
  await queue.addMany(['retried', 'later'])
  await (await queue.take())?.fail(new Error('no'))
  await (await queue.take())?.fail(new Error('no'))
  expect(await queue.counts()).toMatchObject({ delayed: 3, waiting: 0, active: 0 })
  expect(await server.command('XLEN', keyOf('lane:0'))).toBe(0)
})

it('takes no more than it has places for, over however many priorities', async () => {
  const queue = near.queue<number>('jobs')
  await queue.addMany(
    Array.from({ length: 40 }, (_, i) => i),
    (i) => ({ priority: i % 8 }),
  )
  const worker = queue.process(() => new Promise(() => {}), { concurrency: 3 })
  await vi.waitFor(() => expect(worker.stats.running).toBe(3), SOON)
  expect(await queue.counts()).toMatchObject({ active: 3, waiting: 37 })
  await queue.close({ timeout: 0 })
})

it('goes by the clock of the server, however wrong that of the process is', async () => {
  const lying = vi.spyOn(Date, 'now').mockReturnValue(Date.now() - 3_600_000)
  try {
    const queue = near.queue<string>('jobs', { lease: '5s' })
    await queue.addMany(['now', 'soon'], (data) => ({ delay: data === 'soon' ? 600 : 0 }))
    const job = await queue.take()
    expect(job?.addedAtMs).toBeGreaterThan(Date.now() + 3_000_000)
    expect(await far.queue<string>('jobs', { lease: '5s' }).take()).toBeUndefined()
    await job?.complete()
    await vi.waitFor(async () => expect(await queue.take()).toMatchObject({ data: 'soon' }), SOON)
  } finally {
    lying.mockRestore()
  }
})

it('forgets no place of a group whose process died', async () => {
  const queue = near.queue<string>('jobs', { lease: '1m' })
  await queue.addMany(['a', 'b', 'c'], { group: 'g' })
  expect(await queue.take()).toMatchObject({ data: 'a' })
  await endLeases()
  const other = far.queue<string>('jobs', { lease: '1m' })
  const again = await other.take()
  expect(again).toMatchObject({ data: 'a', attempt: 2 })
  // Still one at a time.
  expect(await other.take()).toBeUndefined()
  await again?.complete()
  expect(await drain(other)).toEqual(['b', 'c'])
  expect(await server.command('EXISTS', keyOf('running'))).toBe(0)
})
