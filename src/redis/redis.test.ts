import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { HoldfastError } from '../base/errors.ts'
import { startServer, type TestServer } from '../testing/index.ts'
import { isOutage, Redis } from './redis.ts'
import type { Rights } from './rights.ts'
import { type ConnectOptions, resolveSettings } from './settings.ts'

let server: TestServer
const open: Redis[] = []

beforeAll(async () => {
  server = await startServer({
    users: { default: 'on nopass ~* &* +@all', bare: 'on >pw ~* &* +ping', stuck: 'on >pw ~* &* +@all -select' },
  })
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((redis) => redis.close()))
})

afterAll(() => server.stop())

const redisAt = (url: string, options: ConnectOptions = {}): Redis => {
  const redis = new Redis(resolveSettings(url, options))
  open.push(redis)
  return redis
}

const RIGHTS: Rights = { commands: ['GET', 'SET', 'EVAL'], keys: ['{hf:*'], channels: ['hf:*'] }
const READ = { operation: 'test.read', repeat: true }

/** Warnings of this library until `work` has ended. */
async function warnings(work: () => Promise<void>): Promise<(Error & { code?: string })[]> {
  const seen: (Error & { code?: string })[] = []
  const note = (warning: Error & { code?: string }) => {
    if (warning.code?.startsWith('HOLDFAST')) seen.push(warning)
  }
  process.on('warning', note)
  await work()
  const last = once(process, 'warning')
  process.emitWarning('the last one', { code: 'TEST_LAST' })
  await last
  process.off('warning', note)
  return seen
}

const vet = (redis: Redis, room: string, role: 'cache' | 'state') =>
  redis.vet(room, role, RIGHTS, redis.keyspace.entity(room, 'x'), redis.keyspace.channel(room))

test('knows the server once it is connected', async () => {
  const redis = redisAt(server.url)
  expect(redis.facts.version).toBeUndefined()
  await redis.connect()
  expect(redis.facts).toMatchObject({ version: server.version, mode: 'standalone', role: 'primary' })
  expect(Math.abs(redis.serverNowMs() - Date.now())).toBeLessThan(50)
})

test('connects as a user who may do nothing but ping', async () => {
  await redisAt(server.url.replace('//', '//bare:pw@')).connect()
})

test('refuses at once what waiting will not change', async () => {
  await using clustered = await startServer({ config: { 'cluster-enabled': 'yes' } })
  await using guarded = await startServer({ password: 's3cr3t' })
  await using closed = await startServer({ users: { default: 'on nopass ~* &* +@all -ping' } })
  const startMs = performance.now()
  const refused = [
    [clustered.url, 'SERVER_UNFIT', /Cluster/],
    [guarded.url.replace('s3cr3t', 'wrong'), 'AUTH_FAILED', /refused the user name or password/],
    [guarded.url.replace(':s3cr3t@', ''), 'AUTH_FAILED', /refused the user name or password/],
    [server.url.replace('//', '//nobody:pw@'), 'AUTH_FAILED', /refused the user name or password/],
    [`${server.url}/99`, 'SERVER_ERROR', /DB index is out of range/],
    [`${server.url.replace('//', '//stuck:pw@')}/1`, 'SERVER_DENIED', /\+select/],
    [closed.url, 'SERVER_DENIED', /\+ping/],
  ] as const
  for (const [url, code, message] of refused) {
    const error = await redisAt(url, { timeout: '10s' })
      .connect()
      .catch((caught) => caught)
    expect([error.code, error.message]).toEqual([code, expect.stringMatching(message)])
  }
  expect(performance.now() - startMs).toBeLessThan(1_000)
})

test('answers no keys with no values', async () => {
  const redis = redisAt(server.url)
  const [a, b] = [redis.keyspace.entity('test', 'a'), redis.keyspace.entity('test', 'b')]
  await redis.call(a, 'SET', [a, '1'], { operation: 'test', repeat: true })
  expect(await redis.getAll([b, a], READ)).toEqual([null, '1'])
  expect(await redis.getAll([], READ)).toEqual([])
})

test('cuts items into lots in their order', () => {
  const redis = redisAt(server.url)
  const keyOf = (n: number) => redis.keyspace.entity('test', `${n}`)
  expect(redis.groupByPlace([1, 2, 3, 4, 5], keyOf, 2)).toEqual([[1, 2], [3, 4], [5]])
  expect(redis.groupByPlace([], keyOf, 2)).toEqual([])
})

test('warns once a room of rights that are missing, with the rule that grants them', async () => {
  await server.command('ACL', 'SETUSER', 'half', 'reset', 'on', '>pw', '~*', '&*', '+@all', '-set')
  const seen = await warnings(async () => {
    const redis = redisAt(server.url.replace('//', '//half:pw@'))
    await Promise.all([vet(redis, 'cache', 'cache'), vet(redis, 'cache', 'cache')])
    await vet(redis, 'cache', 'cache')
  })
  expect(seen.map(({ code }) => code)).toEqual(['HOLDFAST_RIGHTS'])
  expect(seen[0]?.message).toContain('may not SET, which cache needs. Grant: ~{hf:* &hf:* +get +set +eval')
  expect(seen[0]?.message).not.toContain('pw')
})

test('warns a room of state, and no other, that the server may evict what it keeps', async () => {
  await using evicting = await startServer({ config: { maxmemory: '100mb', 'maxmemory-policy': 'allkeys-lru' } })
  await using unbounded = await startServer({ config: { 'maxmemory-policy': 'allkeys-lru' } })
  const seen = await warnings(async () => {
    await vet(redisAt(evicting.url), 'cache', 'cache')
    await vet(redisAt(unbounded.url), 'lock', 'state')
    await vet(redisAt(server.url), 'lock', 'state')
    await vet(redisAt(evicting.url), 'lock', 'state')
  })
  expect(seen.map(({ code, message }) => [code, message])).toEqual([
    ['HOLDFAST_EVICTION', expect.stringContaining('maxmemory-policy allkeys-lru')],
  ])
})

test('looks again at the next use when the server was away at the first', async () => {
  await using away = await startServer({ config: { maxmemory: '100mb', 'maxmemory-policy': 'volatile-ttl' } })
  const redis = redisAt(away.url, { timeout: 200 })
  const seen = await warnings(async () => {
    await away.kill()
    await vet(redis, 'lock', 'state')
    await away.restart()
    await redis.call(redis.keyspace.entity('a'), 'PING', [], { ...READ, timeoutMs: 5_000 })
    await vet(redis, 'lock', 'state')
  })
  expect(seen.map(({ code }) => code)).toEqual(['HOLDFAST_EVICTION'])
})

test('opens nothing after it was closed', async () => {
  const redis = redisAt(server.url)
  await redis.connect()
  await Promise.all([redis.close(), redis.close()])
  await expect(redis.listeners.listen('hf:bell', () => {})).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  await expect(redis.getAll([redis.keyspace.entity('a')], READ)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
})

test('knows which errors mean that Redis cannot be asked now', () => {
  for (const code of ['TIMEOUT', 'CONNECTION_LOST', 'AUTH_FAILED', 'SERVER_UNFIT'] as const)
    expect(isOutage(new HoldfastError(code, 'x'))).toBe(true)
  for (const code of ['SERVER_FULL', 'SERVER_DENIED', 'CONFIG_INVALID', 'CONNECTION_CLOSED'] as const)
    expect(isOutage(new HoldfastError(code, 'x'))).toBe(false)
  for (const stranger of [undefined, null, 'TIMEOUT', new Error('x'), {}]) expect(isOutage(stranger)).toBe(false)
})
