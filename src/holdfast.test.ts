import { inspect } from 'node:util'
import { Redis as Ioredis } from 'ioredis'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { ConfigError } from './base/errors.ts'
import { type ConnectOptions, connect, type Holdfast } from './index.ts'
import { startServer, type TestServer } from './testing/index.ts'

const SECRET = 's3cr3t-p@ss/wörd'
let server: TestServer

beforeAll(async () => {
  server = await startServer({ password: SECRET })
})

afterEach(() => {
  vi.unstubAllEnvs()
})

afterAll(() => server.stop())

const failure = async (connecting: Promise<Holdfast>) => {
  try {
    await (await connecting).close()
  } catch (error) {
    return error as Error & Record<string, unknown>
  }
  throw new Error('it connected')
}

const works = async (connecting: Promise<Holdfast>) => {
  await using hf = await connecting
  expect(hf.server.version).toBe(server.version)
}

test('connects by address, by options, by REDIS_URL, by a URL object and by an ioredis client', async () => {
  await works(connect(server.url))
  await works(connect(server.url.replace(/:[^:@]*@/, '@'), { password: SECRET }))
  await works(connect({ url: server.url }))
  await works(connect(new URL(server.url), { namespace: 'shop' }))
  vi.stubEnv('REDIS_URL', server.url)
  await works(connect())
  await works(connect({ namespace: 'shop' }))
  const client = new Ioredis(server.url, { lazyConnect: true })
  await works(connect({ client }))
  expect(client.status).toBe('wait')
})

test('connects through a unix socket, with a password and a database', async () => {
  await using local = await startServer({ unixSocket: true, password: SECRET })
  await works(connect(local.url))
  await works(connect(`${local.url}?db=3`))
  await works(
    connect({ client: new Ioredis(local.socketPath as string, { password: SECRET, db: 2, lazyConnect: true }) }),
  )
})

test('rejects wrong options with a ConfigError before anything is sent', async () => {
  const wrong: [unknown, unknown?][] = [
    [5],
    [null],
    [server.url, { tiemout: 1 }],
    [server.url, { namespace: 5 }],
    [{ timeout: 'soon' }],
    ['http://h'],
  ]
  for (const [first, second] of wrong)
    expect(await failure(connect(first as string, second as ConnectOptions))).toBeInstanceOf(ConfigError)
})

test('shows no credentials, whatever goes wrong and however it is printed', async () => {
  await using renamed = await startServer({ config: { 'rename-command': 'AUTH ""' } })
  await using gone = await startServer()
  await gone.kill()
  await using frozen = await startServer()
  await frozen.pause()
  const login = (url: string, user = '') => url.replace(/\/\/.*@|\/\//, `//${user}:${encodeURIComponent(SECRET)}@`)
  const options = { timeout: 200 }
  const errors = [
    await failure(connect(login(server.url, 'nobody'), options)),
    await failure(connect(`${server.url}/99`, options)),
    await failure(connect(login(renamed.url, 'me'), options)),
    await failure(connect(login(gone.url), options)),
    await failure(connect(login(frozen.url), options)),
    await failure(connect(server.url.replace('@', 'x@'), { ...options, password: () => `${SECRET}x` })),
    await failure(connect(login('redis://h:port'), options)),
    await failure(connect(server.url, { ...options, unknown: 1 } as never)),
  ]
  await frozen.resume()
  const hf = await connect(server.url)
  await hf.close()
  for (const shown of [...errors, hf])
    for (const text of [
      inspect(shown, { depth: 10, showHidden: true, getters: true }),
      JSON.stringify(shown),
      String(shown),
      (shown as Error).stack ?? '',
    ])
      for (const part of [SECRET, encodeURIComponent(SECRET), 's3cr3t']) expect(text).not.toContain(part)
})

test('leaves nothing connected once it is closed', async () => {
  const hf = await connect(server.url, { name: 'closing' })
  const connected = async () => (await server.command<string>('CLIENT', 'LIST')).includes('name=closing')
  expect(await connected()).toBe(true)
  await Promise.all([hf.close(), hf.close()])
  await hf[Symbol.asyncDispose]()
  while (await connected()) await new Promise((resolve) => setImmediate(resolve))
})

test('leaves nothing connected when it could not connect', async () => {
  const before = (await server.command<string>('CLIENT', 'LIST')).split('\n').length
  await failure(connect(`${server.url}/99`))
  const after = async () => (await server.command<string>('CLIENT', 'LIST')).split('\n').length
  while ((await after()) > before) await new Promise((resolve) => setImmediate(resolve))
})

test('takes the namespace apart from others, by its name alone', async () => {
  await expect(connect(server.url, { namespace: 'x'.repeat(201) })).rejects.toMatchObject({ option: 'namespace' })
  await works(connect(server.url, { namespace: '' }))
  await works(connect(server.url, { namespace: 'with {braces} and *' }))
})
