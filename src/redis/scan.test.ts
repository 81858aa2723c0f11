import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { compileGlob, Keyspace } from './keyspace.ts'
import { Redis } from './redis.ts'
import { scanKeys } from './scan.ts'
import { resolveSettings } from './settings.ts'

const space = new Keyspace('scan')
let server: TestServer
let redis: Redis

beforeAll(async () => {
  server = await startServer()
  redis = new Redis(resolveSettings(server.url, {}))
})

afterAll(async () => {
  await redis.close()
  await server.stop()
})

const found = async (pattern: string): Promise<string[]> => {
  const keys = new Set<string>()
  for (const node of redis.topology.primaries())
    for await (const lot of scanKeys(node, pattern, 'test.scan')) for (const key of lot) keys.add(key)
  return [...keys].sort()
}

test('finds every key that is there from start to end, and none of a neighbour', async () => {
  const mine = Array.from({ length: 5_000 }, (_, i) => space.entity('cache', 'a', `${i}`))
  const theirs = Array.from({ length: 500 }, (_, i) => space.entity('cache', 'a*', `${i}`))
  await server.command('MSET', ...[...mine, ...theirs].flatMap((key) => [key, '1']))
  expect(await found(`{${space.stem('cache', 'a')}*}`)).toEqual([...mine].sort())
  expect(await found(`{${space.stem('cache', 'a*')}*}`)).toEqual([...theirs].sort())
})

test('finds names with globs in them as letters, when they are escaped', async () => {
  const names = ['*', '[x]', 'x', '?', 'a b', 'user:1', 'user:12', 'naïve']
  await server.command('MSET', ...names.flatMap((name) => [space.entity('cache', 'odd', name), '1']))
  for (const name of names) expect(await found(space.entity('cache', 'odd', name))).toHaveLength(1)
  const glob = compileGlob('user:?')
  const keys = await found(`{${space.stem('cache', 'odd')}${glob.superset}}`)
  expect(keys.filter((key) => glob.matches(key.slice(key.lastIndexOf(':user') + 1, -1)))).toEqual([
    space.entity('cache', 'odd', 'user:1'),
  ])
})

test('yields nothing on an empty match, and can be left early', async () => {
  expect(await found('{none}*')).toEqual([])
  for await (const lot of scanKeys(redis.topology.primaries()[0] as never, '*', 'test.scan')) {
    expect(lot.length).toBeGreaterThan(0)
    break
  }
  expect(redis.stats.pending).toBe(0)
})
