// What queues promise of replicas, and what their workers do when another server takes over.
import { connect, type Holdfast } from 'holdfast'
import { startSentinel, type TestSentinel, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'

const SOON = { timeout: 20_000, interval: 10 }
let group: TestSentinel
const open: Holdfast[] = []

beforeAll(async () => {
  group = await startSentinel({ replicas: 1, sentinels: 1, appendOnly: false })
})
afterEach(async () => {
  await group.heal()
  for (const hf of open.splice(0)) await hf.close()
})
afterAll(() => group.stop())

async function join(namespace: string, timeout = 10_000): Promise<Holdfast> {
  const hf = await connect(group.url, { namespace, timeout })
  open.push(hf)
  return hf
}
const replicaOf = async () => {
  const primary = await group.primary()
  return group.servers.find((server) => server !== primary) as (typeof group.servers)[0]
}

it('says of an add whether the replicas have it, and keeps through a failover what they had', async () => {
  const namespace = testNamespace('durable')
  const hf = await join(namespace, 800)
  const queue = hf.queue<number>('jobs', { durability: 'replica', shards: 2 })
  await vi.waitFor(async () => expect(await queue.add(1, { id: 'one' })).toMatchObject({ durable: true }), SOON)
  expect(await queue.add(2, { durability: 'async' })).toEqual({ id: expect.any(String), added: true })
  const many = await queue.addMany([3, 4, 5], (n) => ({ priority: n, ...(n === 5 && { durability: 'async' }) }))
  expect(many.map(({ added, durable }) => [added, durable])).toEqual([
    [true, true],
    [true, true],
    [true, undefined],
  ])
  const replica = await replicaOf()
  await replica.pause()
  try {
    const startedMs = performance.now()
    const [alone, lot, plain] = await Promise.all([
      queue.add(6, { id: 'six' }),
      queue.addMany([7, 8], { delay: 1 }),
      // Nobody waits for replicas behind those who do.
      queue.add(9, { durability: 'async' }).then(() => performance.now() - startedMs),
    ])
    expect(alone).toEqual({ id: 'six', added: true, durable: false })
    expect(lot.map(({ added, durable }) => [added, durable])).toEqual([
      [true, false],
      [true, false],
    ])
    expect(performance.now() - startedMs).toBeGreaterThan(600)
    expect(plain).toBeLessThan(600)
  } finally {
    await replica.resume()
  }
  await vi.waitFor(
    async () => expect(await queue.add(6, { id: 'six' })).toEqual({ id: 'six', added: false, durable: true }),
    SOON,
  )
  const primary = await group.primary()
  await primary?.kill()
  await vi.waitFor(async () => expect(await group.primary()).toBe(replica), SOON)
  const left = await vi.waitFor(() => queue.counts(), SOON)
  expect(left.waiting + left.delayed).toBe(9)
  // Its only replica is gone.
  expect(await queue.add(10)).toMatchObject({ added: true, durable: false })
  await primary?.restart()
}, 40_000)

describe('a worker that waits on the server', () => {
  const waitingOn = async (server: TestServer, name: string) =>
    String(await server.command('CLIENT', 'LIST'))
      .split('\n')
      .filter((line) => line.includes(` name=${name}:block `) && line.includes(' cmd=blpop '))
      .map((line) => /^id=(\d+)/.exec(line)?.[1] as string)
  /** Waits until the worker blocks, and no turn is under way. */
  const blockedOn = (server: TestServer, name: string) =>
    vi.waitFor(async () => {
      const ids = await waitingOn(server, name)
      expect(ids).toHaveLength(1)
      return ids[0] as string
    }, SOON)

  it('goes on when it is unblocked, cut off, unknown to a flushed server, and when the server is replaced', async () => {
    const namespace = testNamespace('blocked')
    const hf = await connect(group.url, { namespace, timeout: '10s', name: namespace })
    open.push(hf)
    const queue = hf.queue<string>('jobs', { lease: '2s' })
    const ran: string[] = []
    queue.process((job) => void ran.push(`${job.data} ${job.attempt}`), { wake: 'block', onError: () => {} })
    const primary = (await group.primary()) as TestServer
    const done = async (data: string) => {
      await queue.add(data)
      await vi.waitFor(() => expect(ran).toContain(`${data} 1`), SOON)
    }
    await blockedOn(primary, namespace)
    await done('waited for')
    await primary.command('CLIENT', 'UNBLOCK', await blockedOn(primary, namespace), 'ERROR')
    await done('unblocked')
    await primary.command('CLIENT', 'KILL', 'ID', await blockedOn(primary, namespace))
    await done('cut off')
    await blockedOn(primary, namespace)
    await primary.command('SCRIPT', 'FLUSH')
    await done('flushed')
    await blockedOn(primary, namespace)
    await group.failover()
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    const next = (await group.primary()) as TestServer
    await blockedOn(next, namespace)
    await done('replaced')
    // Frozen for longer than anything waits: nothing is believed of what was asked before.
    const far = await connect(next.url, { namespace, timeout: 300, name: `${namespace}-far` })
    open.push(far)
    const errors: unknown[] = []
    const other = far.queue<string>('other', { lease: '2s' })
    other.process((job) => void ran.push(`${job.data} ${job.attempt}`), {
      wake: 'block',
      onError: (e) => errors.push(e),
    })
    await blockedOn(next, `${namespace}-far`)
    await next.pause()
    await vi.waitFor(() => expect(errors.length).toBeGreaterThan(0), SOON)
    await next.resume()
    await hf.queue<string>('other').add('frozen')
    await vi.waitFor(() => expect(ran).toContain('frozen 1'), SOON)
    await far.close()
    const worker = other.stats.workers[0]
    expect(worker).toBeUndefined()
    expect(ran.toSorted()).toEqual(['cut off 1', 'flushed 1', 'frozen 1', 'replaced 1', 'unblocked 1', 'waited for 1'])
    await queue.close()
    await vi.waitFor(async () => expect(await waitingOn(next, namespace)).toEqual([]), SOON)
  }, 60_000)
})
