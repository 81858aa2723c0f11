import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { connect, type Holdfast, type Quorum } from '../index.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'

let servers: TestServer[] = []
let hf: Holdfast
let quorum: Quorum
let namespace: string

beforeAll(async () => {
  servers = await Promise.all(Array.from({ length: 3 }, () => startServer()))
})
beforeEach(async () => {
  namespace = testNamespace('quorum')
  hf = await connect(servers[0]!.url, { namespace })
  quorum = hf.quorum(urls(), { serverTimeout: '500ms' })
})
afterEach(async () => {
  await Promise.all(servers.map((server) => server.paused && server.resume()))
  await hf.close()
})
afterAll(async () => void (await Promise.all(servers.map((server) => server.stop()))))

const urls = () => servers.map(({ url }) => url)
const key = () => `{${namespace}:quorum:l}`
const holding = async () => {
  const values = await Promise.all(servers.map((server) => server.command('GET', key())))
  return values.filter((value) => String(value).startsWith('h')).length
}

it('holds the lock on all servers, alone, and gives it back on all', async () => {
  const held = await quorum.lock('l').acquire()
  expect(held.valid()).toBe(true)
  expect('fence' in held).toBe(false)
  await vi.waitFor(async () => expect(await holding()).toBe(3))
  expect(await quorum.lock('l').tryAcquire()).toBeUndefined()
  await expect(quorum.lock('l', { wait: '30ms' }).acquire()).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
  await held.extend('1m')
  expect(await held.release()).toBe('released')
  await vi.waitFor(async () => expect(await holding()).toBe(0))
  for (const server of servers) expect(await server.command('PTTL', key())).toBeGreaterThan(0)
})

it('gives it to one of several who ask at once, and then to each of the others', async () => {
  let [inside, done] = [0, 0]
  await Promise.all(
    Array.from({ length: 6 }, () =>
      quorum.lock('l', { wait: '20s' }).run(async () => {
        expect(++inside).toBe(1)
        await new Promise((resolve) => setImmediate(resolve))
        inside--
        done++
      }),
    ),
  )
  expect(done).toBe(6)
})

it('does not wait for a server that is away, and goes on with the others', async () => {
  await quorum.lock('l').run(() => {})
  await servers[2]!.pause()
  const startMs = performance.now()
  const held = await quorum.lock('l', { ttl: '1s' }).acquire()
  expect(performance.now() - startMs).toBeLessThan(400)
  const untilMs = performance.now() + 1_200
  await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(untilMs), { timeout: 5_000 })
  expect(held.valid()).toBe(true)
  expect(await held.release()).toBe('released')
})

it('is lost with the majority, and its holder hears in time', async () => {
  const held = await quorum.lock('l', { ttl: '700ms' }).acquire()
  await Promise.all([servers[1]!.pause(), servers[2]!.pause()])
  await new Promise((resolve) => held.signal.addEventListener('abort', resolve))
  expect(held.signal.reason).toMatchObject({ code: 'LOCK_LOST' })
  await expect(quorum.lock('l', { wait: '50ms' }).acquire()).rejects.toMatchObject({
    code: expect.stringMatching(/TIMEOUT|CONNECTION_LOST/),
  })
})

it('leaves nothing behind where there was no majority', async () => {
  await Promise.all(
    servers
      .slice(1)
      .map((server) =>
        server.command(
          'SET',
          key(),
          `h${'1'.repeat(16)}${'x'.repeat(22)}9999999999999${'y'.repeat(22)}other`,
          'PX',
          20_000,
        ),
      ),
  )
  expect(await quorum.lock('l').tryAcquire()).toBeUndefined()
  await vi.waitFor(async () => expect(String(await servers[0]!.command('GET', key()))).toMatch(/^f/))
})

it('asks for three servers, and refuses two addresses of one', async () => {
  const [one = '', two = ''] = urls()
  for (const wrong of [[], [one, two], [one, two, one], 'x'])
    expect(() => hf.quorum(wrong as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', option: 'urls' }))
  const twice = hf.quorum([one, two, one.replace('127.0.0.1', 'localhost')], { serverTimeout: '2s' })
  // Seen once both have answered; a majority of others needs no answer of theirs.
  await vi.waitFor(() =>
    expect(twice.lock('m').run(() => {})).rejects.toMatchObject({ code: 'CONFIG_INVALID', option: 'urls' }),
  )
})
