// Several servers, one of which is slower than the others.
import { connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { gate } from '../cache-deferred.ts'

let servers: TestServer[]
let slow: TestProxy
let hf: Holdfast
const namespace = testNamespace('slow')

beforeAll(async () => {
  servers = await Promise.all([startServer(), startServer()])
  slow = await startProxy({ target: servers[1] as TestServer })
  const [fast] = servers as [TestServer]
  hf = await connect(`redis+shards://fast=127.0.0.1:${fast.port},slow=127.0.0.1:${slow.port}`, {
    namespace,
    timeout: '5s',
  })
})
afterAll(async () => {
  await hf?.close()
  await slow?.close()
  await Promise.all(servers.map((server) => server.stop()))
})

/** What getMany loads of two missing ids, one of a slow server, and one that is being loaded until the other server has answered. */
async function loadedBesides(): Promise<{ readonly loaded: readonly string[]; readonly onSlow: string }> {
  const cache = hf.cache<string>('it', { ttl: '1m' })
  await cache.getMany(
    Array.from({ length: 20 }, (_, i) => `${i}`),
    (ids) => ids.map(() => 'there'),
  )
  const [onFast, onSlow] = (await Promise.all(
    servers.map(async (server) => {
      const [key] = await server.command<string[]>('KEYS', `{${namespace}:cache:it:*`)
      return /:(\d+)\}$/.exec(key as string)?.[1]
    }),
  )) as [string, string]
  await cache.clear()
  const loading = gate<string>()
  const first = cache.get(onFast, loading.load)
  await loading.began
  const reads = async () => {
    const stats = (await servers[0]?.command<string>('INFO', 'commandstats')) as string
    return Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0)
  }
  const before = await reads()
  slow.delay(300)
  let loaded: readonly string[] = []
  const many = cache.getMany([onFast, onSlow], (missing) => {
    loaded = missing
    return missing.map(() => 'by getMany')
  })
  await vi.waitFor(async () => expect(await reads()).toBe(before + 1), { interval: 5 })
  loading.answer('loaded')
  expect(await first).toBe('loaded')
  expect([...(await many).keys()]).toEqual([onFast, onSlow])
  slow.delay(0)
  await cache.clear()
  return { loaded, onSlow }
}

it('answers both', async () => {
  const { loaded, onSlow } = await loadedBesides()
  expect(loaded).toContain(onSlow)
})

// The look said that the fast id is missing; its load, which was in the air then, has landed when the slow server answers.
it('does not load an id again whose load landed while the slow server was waited for', async () => {
  const { loaded, onSlow } = await loadedBesides()
  expect(loaded).toEqual([onSlow])
})
