import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Redis } from '../redis/redis.ts'
import { resolveSettings } from '../redis/settings.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import { removeMatching, removeTags } from './invalidation.ts'
import { CacheKeys } from './keys.ts'

let server: TestServer
let redis: Redis
let keys: CacheKeys

beforeAll(async () => {
  server = await startServer()
})
afterAll(async () => {
  await redis.close()
  await server.stop()
})
beforeEach(async () => {
  await redis?.close()
  redis = new Redis(resolveSettings(server.url, { namespace: testNamespace('sweep') }))
  await redis.connect()
  keys = new CacheKeys(redis.keyspace, 'it')
})

const ids = ['', '*', 'a', 'ab', 'a:b', 'b', '{a}', 'a}', 'ü', '[a]', '\\', 'a\nb', '?']

describe('removing what matches', () => {
  it.each<[string, readonly string[]]>([
    ['*', ids],
    ['', ['']],
    ['a', ['a']],
    ['a*', ['a', 'ab', 'a:b', 'a}', 'a\nb']],
    ['?', ['*', 'a', 'b', 'ü', '\\', '?']],
    ['\\*', ['*']],
    ['[ab]', ['a', 'b']],
    ['\\[a\\]', ['[a]']],
    ['*}', ['{a}', 'a}']],
    ['{*', ['{a}']],
    ['x*', []],
  ])('takes by %s these, with their leases, and no others', async (pattern, expected) => {
    const beside = new CacheKeys(redis.keyspace, 'it2')
    for (const id of ids) await server.command('MSET', keys.entry(id), 1, keys.lease(id), 1, beside.entry(id), 1)
    expect(await removeMatching(redis, keys, pattern, 'test')).toBe(expected.length)
    for (const id of ids)
      expect(await server.command('EXISTS', keys.entry(id), keys.lease(id), beside.entry(id)), id).toBe(
        expected.includes(id) ? 1 : 3,
      )
  })

  it('takes the leases first: what a load fills in between is found by the second pass', async () => {
    await server.command('MSET', keys.lease('slow'), 1, keys.entry('kept'), 1)
    const seen: string[] = []
    const watched = new Proxy(redis, {
      get(target, name) {
        const own = Reflect.get(target, name, target)
        if (name !== 'call') return typeof own === 'function' ? own.bind(target) : own
        return async (key: never, command: string, args: string[], options: never) => {
          seen.push(...args)
          // The load whose lease goes now had sent its fill before.
          if (args[0] === keys.lease('slow')) await server.command('SET', keys.entry('slow'), 'old')
          return redis.call(key, command, args, options)
        }
      },
    })
    expect(await removeMatching(watched as Redis, keys, '*', 'test')).toBe(2)
    expect(seen[0]).toBe(keys.lease('slow'))
    expect(await server.command('EXISTS', keys.entry('slow'))).toBe(0)
  })

  it('takes the tags of this cache and of no other', async () => {
    const beside = new CacheKeys(redis.keyspace, 'it2')
    await server.command('MSET', keys.tag('t'), 1, keys.generation, 1, keys.entry('k'), 1, beside.tag('t'), 1)
    await removeTags(redis, keys, 'test')
    expect(await server.command('EXISTS', keys.tag('t'), keys.generation)).toBe(0)
    expect(await server.command('EXISTS', keys.entry('k'), beside.tag('t'))).toBe(2)
  })
})
