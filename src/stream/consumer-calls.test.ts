import { afterAll, beforeAll, expect, it } from 'vitest'
import { connect, Holdfast } from '../holdfast.ts'
import { startServer, type TestServer } from '../testing/index.ts'
import { ConsumerCalls } from './consumer-calls.ts'
import { ConsumerLease } from './consumer-lease.ts'
import { StreamKeys } from './keys.ts'
import { Layout } from './layout.ts'

let server: TestServer
let hf: Holdfast

beforeAll(async () => {
  server = await startServer()
  hf = await connect(server.url)
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

it('reads what a turn brought by the layout that it was sent with, also where a lane was opened before its answer is read', async () => {
  const redis = Holdfast.redisOf(hf)
  await hf.queue('jobs').add('x')
  const shape = { mode: 'stream', shards: 1, groupConcurrency: 1 } as const
  const keys = new StreamKeys(redis.keyspace, 'queue', 'jobs').shard(0)
  const layout = new Layout(redis, keys, { shape })
  await layout.open(0, 'queue.turn')
  const calls = new ConsumerCalls(redis, layout, 'queue')
  const lease = new ConsumerLease(15_000, { lost: () => {}, settled: () => {} })
  const bounds = { deadMost: 10, groupMost: 1, rate: 0, perMs: 0 }
  await calls.turn(lease, { done: new Map(), others: [], size: 0 }, 0, '', bounds)
  const turned = await calls.turnBeside(lease, 1, '', bounds, async (words) => {
    const options = { operation: 'queue.turn', repeat: false, bytes: true }
    const reply = await redis.call(keys.state, 'EVALSHA', words, options)
    // By another connection, whose answer is read first.
    await layout.open(7, 'queue.add')
    return reply
  })
  expect(turned).toMatchObject({ deliveries: [{ lane: 0 }] })
  lease.end()
})
