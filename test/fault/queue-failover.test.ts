// What queues promise of replicas, and what their workers do when another server takes over.
import { connect, type Holdfast } from 'holdfast'
import { startSentinel, type TestSentinel, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'

const SOON = { timeout: 20_000, interval: 10 }
let group: TestSentinel
const open: Holdfast[] = []

beforeAll(async () => {
  group = await startSentinel({ replicas: 1, sentinels: 1, appendOnly: false })
})
afterEach(async () => {
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
