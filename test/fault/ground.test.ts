// What the way to Redis does when Redis fails, for real: processes are killed and frozen, sockets cut, servers filled.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ConnectionError, type HoldfastError, ServerError, TimeoutError } from '../../src/base/errors.ts'
import { connect } from '../../src/holdfast.ts'
import { Redis } from '../../src/redis/redis.ts'
import { defineScript } from '../../src/redis/script.ts'
import { type ConnectOptions, resolveSettings } from '../../src/redis/settings.ts'
import { startProxy, startServer, type TestServer } from '../../src/testing/index.ts'

const READ = { operation: 'test.read', repeat: true }
const ONCE = { operation: 'test.once', repeat: false }
const TIMEOUT_MS = 400
/** What a busy machine may add to a deadline. */
const SLACK_MS = 150

const unhandled: unknown[] = []
const noteUnhandled = (error: unknown) => unhandled.push(error)
const open: Redis[] = []

beforeAll(() => {
  process.on('unhandledRejection', noteUnhandled)
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((redis) => redis.close()))
  await turn()
  expect(unhandled.splice(0)).toEqual([])
})

afterAll(() => {
  process.off('unhandledRejection', noteUnhandled)
})

const redisAt = (url: string, options: ConnectOptions = {}): Redis => {
  const redis = new Redis(resolveSettings(url, { timeout: TIMEOUT_MS, ...options }))
  open.push(redis)
  return redis
}

const key = (redis: Redis, name: string) => redis.keyspace.entity('test', name)
const get = (redis: Redis, name = 'n') => redis.call(key(redis, name), 'GET', [key(redis, name)], READ)
const incr = (redis: Redis, name = 'n') => redis.call(key(redis, name), 'INCR', [key(redis, name)], ONCE)

interface Outcome {
  readonly value?: unknown
  readonly error?: HoldfastError & Record<string, unknown>
  readonly afterMs: number
}

async function outcome(work: Promise<unknown>): Promise<Outcome> {
  const startMs = performance.now()
  try {
    return { value: await work, afterMs: performance.now() - startMs }
  } catch (error) {
    return { error: error as Outcome['error'] as never, afterMs: performance.now() - startMs }
  }
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** Reads again and again until one succeeds; how long that took. */
async function untilItWorks(redis: Redis, withinMs: number): Promise<number> {
  const startMs = performance.now()
  for (;;) {
    const { error } = await outcome(get(redis))
    const tookMs = performance.now() - startMs
    if (error === undefined) return tookMs
    expect(['TIMEOUT', 'CONNECTION_LOST']).toContain(error.code)
    if (tookMs > withinMs) throw new Error(`not back after ${withinMs} ms`, { cause: error })
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

test('rejects typed and within the timeout when there is no Redis at the start', async () => {
  await using server = await startServer()
  await server.kill()
  const { error, afterMs } = await outcome(connect(server.url, { timeout: 300 }))
  expect(error).toBeInstanceOf(ConnectionError)
  expect(error).toMatchObject({ code: 'CONNECTION_LOST', operation: 'connect', sent: false, retryable: true })
  expect(error?.message).toContain(`127.0.0.1:${server.port}`)
  expect(error?.message).toContain('ECONNREFUSED')
  expect(afterMs).toBeGreaterThan(250)
  expect(afterMs).toBeLessThan(300 + SLACK_MS)
})

test('connects when Redis comes up within the timeout', async () => {
  await using server = await startServer()
  await server.kill()
  const connecting = connect(server.url, { timeout: '5s' })
  await server.restart()
  await using hf = await connecting
  expect(hf.server.version).toBe(server.version)
})

test('returns at once when lazy, and works as soon as the server appears', async () => {
  await using server = await startServer()
  await server.kill()
  const { value, afterMs } = await outcome(connect(server.url, { lazy: true, timeout: 300 }))
  expect(afterMs).toBeLessThan(50)
  await (value as { close(): Promise<void> }).close()
  const redis = redisAt(server.url)
  const first = await outcome(incr(redis))
  expect(first.error).toMatchObject({ code: 'TIMEOUT', sent: false })
  await server.restart()
  expect(await untilItWorks(redis, 1_000)).toBeLessThan(600)
  expect(await incr(redis)).toBe(1)
})

test('goes on by itself when Redis was killed and comes back, and loses no repeatable call meanwhile', async () => {
  await using server = await startServer({ appendOnly: true, config: { appendfsync: 'always' } })
  const redis = redisAt(server.url, { timeout: '5s' })
  expect(await incr(redis)).toBe(1)
  await server.kill()
  const reads = Array.from({ length: 100 }, () => get(redis))
  await server.restart()
  expect(new Set(await Promise.all(reads))).toEqual(new Set(['1']))
  expect(await incr(redis)).toBe(2)
  expect(redis.stats.pending).toBe(0)
})

test('answers by the deadline while Redis is frozen, fails fast after it, and goes on within a second of the thaw', async () => {
  await using server = await startServer()
  const redis = redisAt(server.url)
  await incr(redis)
  await server.pause()
  const frozen = await Promise.all(Array.from({ length: 50 }, (_, i) => outcome(i % 2 ? get(redis) : incr(redis))))
  expect(frozen[0]?.error).toBeInstanceOf(TimeoutError)
  expect(frozen[0]?.error).toMatchObject({ code: 'TIMEOUT', sent: true, timeoutMs: TIMEOUT_MS })
  for (const { error, afterMs } of frozen) {
    // The first to expire gives the dead socket up; what was sent on it a moment later may break with it.
    expect(['TIMEOUT', 'CONNECTION_LOST']).toContain(error?.code)
    expect(error?.sent).toBe(true)
    expect(afterMs).toBeLessThan(TIMEOUT_MS + SLACK_MS)
  }
  // The first new socket may still prove that only the old one was dead.
  await outcome(get(redis))
  for (let i = 0; i < 20; i++) {
    const { error, afterMs } = await outcome(i % 2 ? get(redis) : incr(redis))
    expect(error).toMatchObject({ code: 'CONNECTION_LOST', sent: false, retryable: true })
    expect(afterMs).toBeLessThan(50)
  }
  await server.resume()
  expect(await untilItWorks(redis, 2_000)).toBeLessThan(1_000)
  expect(redis.stats).toMatchObject({ pending: 0, ready: true })
})

test('connects to a frozen Redis within the timeout or not at all', async () => {
  await using server = await startServer()
  await server.pause()
  const { error, afterMs } = await outcome(connect(server.url, { timeout: 300 }))
  expect(['TIMEOUT', 'CONNECTION_LOST']).toContain(error?.code)
  expect(afterMs).toBeLessThan(300 + SLACK_MS)
  const startMs = performance.now()
  const redis = redisAt(server.url)
  const call = outcome(get(redis))
  await redis.close()
  expect(performance.now() - startMs).toBeLessThan(50)
  expect((await call).error).toMatchObject({ code: 'CONNECTION_CLOSED' })
  await server.resume()
})

test('goes on with a server that restarted empty, scripts and all', async () => {
  await using server = await startServer()
  const redis = redisAt(server.url, { timeout: '5s' })
  const lua = "return {'is', redis.call('INCR', KEYS[1])}"
  const script = defineScript<{ n: ReturnType<typeof key> }, Record<never, never>, ['is', number]>({
    name: 'test/incr',
    sha: createHash('sha1').update(lua).digest('hex'),
    flags: [],
    keys: ['n'],
    args: [],
    replies: { is: ['int'] },
    lua,
  })
  const run = () => script.run(redis, { n: key(redis, 'n') }, {}, ONCE)
  expect(await run()).toEqual(['is', 1])
  await server.restart({ empty: true })
  expect(await run()).toEqual(['is', 1])
  await server.command('SCRIPT', 'FLUSH')
  expect(await Promise.all([run(), run(), run()])).toEqual([
    ['is', 2],
    ['is', 3],
    ['is', 4],
  ])
})

test('refuses writes and nothing else on a full server', async () => {
  await using server = await startServer({ config: { maxmemory: '3mb', 'maxmemory-policy': 'noeviction' } })
  const redis = redisAt(server.url)
  await incr(redis)
  const fill = (i: number) =>
    redis.call(key(redis, `${i}`), 'SET', [key(redis, `${i}`), Buffer.alloc(100_000)], {
      ...ONCE,
      operation: 'test.fill',
    })
  let full: Outcome = { afterMs: 0 }
  for (let i = 0; i < 100 && full.error === undefined; i++) full = await outcome(fill(i))
  // What the server spends on its clients comes and goes: well below what is stored, it stays full.
  await server.command('CONFIG', 'SET', 'maxmemory', '2mb')
  expect(full.error).toBeInstanceOf(ServerError)
  expect(full.error).toMatchObject({ code: 'SERVER_FULL', reply: 'OOM', operation: 'test.fill', retryable: true })
  expect(await get(redis)).toBe('1')
  expect((await outcome(incr(redis))).error).toMatchObject({ code: 'SERVER_FULL' })
  const eval_ = (lua: string) => redis.call(key(redis, '0'), 'EVAL', [lua, 1, key(redis, '0')], ONCE)
  expect((await outcome(eval_("#!lua\nreturn redis.call('DEL', KEYS[1])"))).error).toMatchObject({
    code: 'SERVER_FULL',
  })
  expect(await eval_("#!lua flags=allow-oom\nreturn redis.call('DEL', KEYS[1])")).toBe(1)
  for (let i = 1; i < 30; i++) await redis.call(key(redis, `${i}`), 'UNLINK', [key(redis, `${i}`)], READ)
  expect(await incr(redis)).toBe(2)
})

test('says what to grant when the server denies a command, a key or a channel', async () => {
  await using server = await startServer({
    users: { default: 'on nopass ~* &* +@all', app: 'on >pw ~{hf:* +ping +get +eval' },
  })
  const redis = redisAt(server.url.replace('//', '//app:pw@'))
  const denied = await outcome(
    redis.call(key(redis, 'n'), 'SET', [key(redis, 'n'), '1'], { ...ONCE, needs: '~{hf:* +set' }),
  )
  expect(denied.error).toBeInstanceOf(ServerError)
  expect(denied.error).toMatchObject({ code: 'SERVER_DENIED', reply: 'NOPERM', needs: '~{hf:* +set', retryable: false })
  expect(denied.error?.message).toContain('~{hf:* +set')
  const other = await outcome(redis.call(key(redis, 'n'), 'GET', ['other'], READ))
  expect(other.error).toMatchObject({ code: 'SERVER_DENIED' })
  const inside = "return redis.call('SET', KEYS[1], 1)"
  const script = await outcome(
    redis.call(key(redis, 'n'), 'EVAL', [inside, 1, key(redis, 'n')], { ...ONCE, needs: '+set' }),
  )
  expect(script.error).toMatchObject({ code: 'SERVER_DENIED', needs: '+set' })
  // It goes on as soon as the right is there.
  await server.command('ACL', 'SETUSER', 'app', '+set')
  expect(await redis.call(key(redis, 'n'), 'SET', [key(redis, 'n'), '1'], ONCE)).toBe('OK')
})

test('repeats what may be repeated when replies are lost, and says of the rest that it was sent', async () => {
  await using server = await startServer()
  await using proxy = await startProxy({ target: server })
  const redis = redisAt(proxy.url)
  expect(await incr(redis)).toBe(1)
  proxy.dropReplies()
  const lost = outcome(incr(redis))
  await new Promise((resolve) => setTimeout(resolve, TIMEOUT_MS / 2))
  const read = get(redis)
  const { error, afterMs } = await lost
  expect(error).toMatchObject({ code: 'TIMEOUT', sent: true })
  expect(afterMs).toBeLessThan(TIMEOUT_MS + SLACK_MS)
  await proxy.heal()
  // The effect that the error spoke of exists.
  expect(await read).toBe('2')
})

test('repeats what may be repeated when the connection is cut, and says of the rest that it was sent', async () => {
  await using server = await startServer()
  await using proxy = await startProxy({ target: server })
  const redis = redisAt(proxy.url, { timeout: '5s' })
  await incr(redis)
  for (let round = 0; round < 5; round++) {
    proxy.delay(Number.POSITIVE_INFINITY)
    const reads = Array.from({ length: 20 }, () => outcome(get(redis)))
    const writes = Array.from({ length: 20 }, () => outcome(incr(redis)))
    await turn()
    proxy.cut()
    await proxy.heal()
    for (const { value } of await Promise.all(reads)) expect(value).toBe('1')
    for (const { error } of await Promise.all(writes)) {
      expect(error).toBeInstanceOf(ConnectionError)
      expect(error).toMatchObject({ code: 'CONNECTION_LOST', sent: true, retryable: true })
    }
  }
})

test('fails typed when the password becomes wrong, and goes on when it is right again', async () => {
  await using server = await startServer({ password: 'one' })
  const given = { password: 'one' }
  const redis = redisAt(server.url, { password: () => given.password, timeout: 100 })
  await redis.connect()
  given.password = 'wrong'
  await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  let last: Outcome = { afterMs: 0 }
  for (let i = 0; i < 500 && last.error?.code !== 'AUTH_FAILED'; i++) {
    last = await outcome(get(redis))
    await turn()
  }
  expect(last.error).toMatchObject({ code: 'AUTH_FAILED', retryable: false })
  expect(JSON.stringify(last.error) + last.error?.stack).not.toMatch(/wrong|one'/)
  given.password = 'one'
  const startMs = performance.now()
  while ((await outcome(get(redis))).error !== undefined) {
    expect(performance.now() - startMs).toBeLessThan(1_000)
    await turn()
  }
})

test('waits while the server loads its data, within the deadline, and says so beyond it', async () => {
  // Each key costs the loader 2 ms, and every few keys it looks at its clients.
  const config = { 'key-load-delay': 2_000, 'loading-process-events-interval-bytes': 1_024 }
  await using server = await startServer({ config })
  const filler = redisAt(server.url)
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => incr(filler, `${i}`)))
  await server.command('SAVE')
  await filler.close()
  const patient = redisAt(server.url, { timeout: '8s' })
  const hasty = redisAt(server.url, { timeout: 300 })
  await get(patient)
  await get(hasty)
  const back = server.restart()
  let loading: Outcome = { afterMs: 0 }
  const endMs = performance.now() + 4_000
  const isLoading = () => (loading.error?.cause as { prefix?: string } | undefined)?.prefix === 'LOADING'
  while (!isLoading() && performance.now() < endMs) {
    await turn()
    loading = await outcome(incr(hasty, '0'))
  }
  expect(isLoading()).toBe(true)
  expect(loading.error).toMatchObject({ code: 'TIMEOUT' })
  expect(loading.afterMs).toBeLessThan(300 + SLACK_MS)
  expect(await get(patient, '0')).toBe('1')
  await back
})

test('waits while another script runs, within the deadline, and says so beyond it', async () => {
  await using server = await startServer({ config: { 'busy-reply-threshold': 20 } })
  const redis = redisAt(server.url)
  await incr(redis)
  const spin = redisAt(server.url, { timeout: '10s' })
  await get(spin)
  const running = outcome(spin.call(key(spin, 'x'), 'EVAL', ['while true do end', 0], ONCE))
  let blocked: unknown
  while (!(blocked instanceof Error)) blocked = await server.command('GET', 'x').catch((error) => error)
  const { error, afterMs } = await outcome(incr(redis))
  expect(error).toMatchObject({ code: 'TIMEOUT', cause: { prefix: 'BUSY' } })
  expect(afterMs).toBeLessThan(TIMEOUT_MS + SLACK_MS)
  const waiting = incr(redis)
  await server.command('SCRIPT', 'KILL')
  expect(await waiting).toBe(2)
  expect((await running).error).toMatchObject({ code: 'SERVER_ERROR' })
})

test('lets the process end at once after close, whatever state the server is in', async () => {
  const sources = fileURLToPath(new URL('../../src/holdfast.ts', import.meta.url))
  const hooks = fileURLToPath(new URL('../../scripts/typescript.mjs', import.meta.url))
  const end = async (server: TestServer, program: string) => {
    const body = `import { connect } from ${JSON.stringify(sources)}; const url = ${JSON.stringify(server.url)};
      ${program}
      const closedMs = performance.now(); process.on('exit', () => console.log(Math.round(performance.now() - closedMs)))`
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, ['--import', hooks, '--input-type=module', '-e', body], {
      timeout: 60_000,
    })
    return Number(stdout)
  }
  await using server = await startServer()
  await using frozen = await startServer()
  await using gone = await startServer()
  await frozen.pause()
  await gone.kill()
  const tookMs = [
    await end(server, 'const hf = await connect(url); await hf.close()'),
    await end(server, 'const hf = await connect(url, { lazy: true }); await hf.close()'),
    await end(frozen, 'await connect(url, { timeout: 200 }).catch((error) => error.code)'),
    await end(gone, 'await connect(url, { timeout: 200 }).catch((error) => error.code)'),
  ]
  for (const ms of tookMs) expect(ms).toBeLessThan(SLACK_MS)
  await frozen.resume()
}, 150_000)

test('keeps no more pending and no more memory after a long time without Redis than before it', async () => {
  const program = fileURLToPath(new URL('./ground-outage.ts', import.meta.url))
  const hooks = fileURLToPath(new URL('../../scripts/typescript.mjs', import.meta.url))
  const seconds = Number(process.env.HOLDFAST_OUTAGE_SECONDS ?? 6)
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--expose-gc', '--import', hooks, program, `${seconds}`],
    {
      timeout: (seconds + 60) * 1_000,
    },
  )
  const report = JSON.parse(stdout.trim().split('\n').at(-1) as string)
  expect(report.unhandled).toBe(0)
  expect(report.callsDuring).toBeGreaterThan(seconds * 300)
  expect(Math.max(report.slowestMs, 0)).toBeLessThan(report.timeoutMs + 250)
  expect(report.pendingAfter).toBeLessThanOrEqual(report.pendingBefore * 1.1 + 1)
  expect(report.heapAfter).toBeLessThanOrEqual(report.heapBefore * 1.1)
  expect(report.backMs).toBeLessThan(1_000)
}, 150_000)
