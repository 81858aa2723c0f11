import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { openIoredisWire } from './ioredis.ts'
import { parseInfo, readClockOffset, readFacts, unfitness } from './server.ts'
import { resolveSettings } from './settings.ts'
import type { Wire } from './wire.ts'

let server: TestServer

beforeAll(async () => {
  server = await startServer({ users: { default: 'on nopass ~* &* +@all', shy: 'on >pw ~* &* +@all -time' } })
})

afterAll(() => server.stop())

async function on<T>(url: string, ask: (wire: Wire) => Promise<T>): Promise<T> {
  const wire = await openIoredisWire(resolveSettings(url, {}).connection as never, new AbortController().signal)
  try {
    return await ask(wire)
  } finally {
    wire.destroy()
  }
}

test('says what a server is', async () => {
  expect(await on(server.url, readFacts)).toEqual({
    product: server.kind,
    version: server.version,
    mode: 'standalone',
    role: 'primary',
  })
})

test('says whether it is a replica, or a node of a Cluster', async () => {
  await using replica = await startServer()
  await replica.command('REPLICAOF', '127.0.0.1', server.port)
  expect(await on(replica.url, readFacts)).toMatchObject({ role: 'replica' })
  await using clustered = await startServer({ config: { 'cluster-enabled': 'yes' } })
  expect(await on(clustered.url, readFacts)).toMatchObject({ mode: 'cluster' })
})

test('says what it may know where the user may not ask', async () => {
  await using renamed = await startServer({ config: { 'rename-command': 'HELLO ""' } })
  const nothing = { product: 'redis', version: undefined, mode: undefined, role: undefined }
  expect(await on(renamed.url, readFacts)).toEqual(nothing)
  const url = server.url.replace('//', '//shy:pw@')
  const ahead = await on(url, readClockOffset)
  expect(Math.abs(ahead + performance.now() - Date.now())).toBeLessThan(5)
})

test("knows the server's clock to a few milliseconds", async () => {
  const ahead = await on(server.url, readClockOffset)
  expect(Math.abs(ahead + performance.now() - Date.now())).toBeLessThan(20)
})

test('calls unfit what is too old, holds no data or is not alone', () => {
  const facts = { product: 'redis', version: '7.0.0', mode: 'standalone', role: 'primary' } as const
  for (const version of ['7.0.0', '7.2.4', '8.0.1', '10.1.0', undefined])
    expect(unfitness({ ...facts, version }, 'standalone')).toBeUndefined()
  for (const version of ['6.2.14', '5.0.0']) expect(unfitness({ ...facts, version }, 'standalone')).toContain('too old')
  expect(unfitness({ ...facts, product: 'valkey', version: '7.2.0' }, 'standalone')).toBeUndefined()
  expect(unfitness({ ...facts, product: 'valkey', version: '7.1.9' }, 'standalone')).toContain('too old')
  expect(unfitness({ ...facts, mode: 'sentinel' }, 'standalone')).toContain('Sentinel')
  expect(unfitness({ ...facts, mode: 'cluster' }, 'standalone')).toContain('Cluster')
})

test('reads INFO by its fields', async () => {
  const info = parseInfo(await server.command<string>('INFO'))
  expect(info.get('redis_version')).toMatch(/^\d+\.\d+\.\d+$/)
  expect(parseInfo('# Memory\r\na:b:c\r\n:x\r\n\r\nd:')).toEqual(
    new Map([
      ['a', 'b:c'],
      ['d', ''],
    ]),
  )
})
