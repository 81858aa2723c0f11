// Reads from replicas: only those that never load, and never at the price of an answer.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { connect, type Holdfast } from '../../src/index.ts'
import { startCluster, startSentinel, type TestCluster, type TestSentinel } from '../../src/testing/index.ts'

let cluster: TestCluster
let group: TestSentinel

beforeAll(async () => {
  ;[cluster, group] = await Promise.all([startCluster({ announceHostnames: true }), startSentinel({ replicas: 1 })])
})
afterEach(() => Promise.all([cluster.heal(), group.heal()]))
afterAll(() => Promise.all([cluster.stop(), group.stop()]))

const topologies = [
  ['Sentinel', () => ({ url: group.url, options: {}, servers: group.servers })],
  ['Cluster', () => ({ url: cluster.url, options: { addressMap: cluster.addressMap }, servers: cluster.nodes })],
] as const

/** How often each server was asked for a GET or MGET. */
async function readsOf(servers: ReturnType<(typeof topologies)[number][1]>['servers']): Promise<Map<string, number>> {
  const reads = new Map<string, number>([
    ['master', 0],
    ['slave', 0],
  ])
  for (const server of servers) {
    const info = await server.command<string>('INFO', 'everything')
    const role = /^role:(\w+)/m.exec(info)?.[1] as string
    const calls = [...info.matchAll(/^cmdstat_m?get:calls=(\d+)/gm)].reduce((sum, [, n]) => sum + Number(n), 0)
    reads.set(role, (reads.get(role) ?? 0) + calls)
  }
  return reads
}

const ids = Array.from({ length: 40 }, (_, i) => `id-${i}`)

describe.each(topologies)('on %s', (_name, where) => {
  test('peeks at replicas when asked to, and reads what may lead to a load from primaries', async () => {
    const { url, options, servers } = where()
    await using hf = (await connect(url, { ...options, namespace: 'reads', timeout: '5s' })) as Holdfast
    const plain = hf.cache<number>('n', { ttl: '1m', readFrom: 'replica' })
    await Promise.all(ids.map((id, i) => plain.set(id, i)))
    // The replicas' connections are opened by the first reads, which primaries answer meanwhile.
    await vi.waitFor(async () => {
      const before = await readsOf(servers)
      const found = await Promise.all(ids.map((id) => plain.peek(id)))
      expect(found).toEqual(ids.map((_, i) => i))
      expect([...(await plain.getMany(ids)).values()]).toEqual(found)
      const after = await readsOf(servers)
      expect(after.get('master')).toBe(before.get('master'))
      expect(after.get('slave')).toBeGreaterThan(before.get('slave') as number)
    })
    const loading = hf.cache<number>('m', { ttl: '1m', load: (id) => Number(id), readFrom: 'replica' })
    const before = await readsOf(servers)
    await Promise.all(ids.map((_, i) => loading.get(String(i))))
    expect((await readsOf(servers)).get('slave')).toBe(before.get('slave'))
  })

  test('lets the primary answer while a replica is frozen or gone', async () => {
    const { url, options, servers } = where()
    await using hf = (await connect(url, {
      ...options,
      namespace: 'away',
      timeout: '5s',
      readFrom: 'replica',
    })) as Holdfast
    const plain = hf.cache<number>('n', { ttl: '1m' })
    await Promise.all(ids.map((id, i) => plain.set(id, i)))
    await Promise.all(ids.map((id) => plain.peek(id)))
    const roles = await Promise.all(servers.map((server) => server.command<string[]>('ROLE')))
    const replicas = servers.filter((_, i) => roles[i]?.[0] === 'slave')
    await Promise.all(replicas.map((replica) => replica.pause()))
    expect(await Promise.all(ids.map((id) => plain.peek(id)))).toEqual(ids.map((_, i) => i))
    await Promise.all(replicas.map((replica) => replica.kill()))
    expect(await Promise.all(ids.map((id) => plain.peek(id)))).toEqual(ids.map((_, i) => i))
    await Promise.all(replicas.map((replica) => replica.restart()))
  })
})

test('refuses to read from replicas what is kept in memory', async () => {
  await using hf = (await connect(group.url)) as Holdfast
  expect(() => hf.cache('n', { ttl: '1m', memory: {}, readFrom: 'replica' })).toThrow(/readFrom/)
  // The default of the instance does not reach such a cache.
  await using reader = (await connect(group.url, { readFrom: 'replica' })) as Holdfast
  expect(await reader.cache('m', { ttl: '1m', memory: {} }).peek('x')).toBeUndefined()
})
