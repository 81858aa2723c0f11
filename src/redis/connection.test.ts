import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { monotonicMs } from '../base/clock.ts'
import { startProxy, startServer, type TestProxy, type TestServer } from '../testing/index.ts'
import { Connection, type ConnectionEvents, type ConnectionSettings } from './connection.ts'
import { openIoredisWire } from './ioredis.ts'
import { resolveSettings } from './settings.ts'

let server: TestServer
let proxy: TestProxy
const open: Connection[] = []

beforeAll(async () => {
  server = await startServer({ users: { default: 'on >one ~* &* +@all' } })
  proxy = await startProxy({ target: server })
})

afterEach(async () => {
  for (const connection of open.splice(0)) connection.close()
  await proxy.heal()
})

afterAll(async () => {
  await proxy.close()
  await server.stop()
})

/** A connection that writes down what it goes through. */
function noting(settings: Partial<ConnectionSettings> = {}, events: Partial<ConnectionEvents> = {}) {
  const base = resolveSettings(proxy.url, { timeout: 500 }).connection
  const told: string[] = []
  const listeners: (() => void)[] = []
  const tell = (event: string) => {
    told.push(event)
    for (const listener of listeners.splice(0)) listener()
  }
  const connection = new Connection({ ...base, password: 'one', ...settings }, openIoredisWire, {
    up: () => tell('up'),
    down: () => tell('down'),
    refused: (fault) => tell(`refused: ${fault.message}`),
    ...events,
  })
  open.push(connection)
  const until = async (isTrue: () => boolean) => {
    while (!isTrue()) await new Promise<void>((resolve) => listeners.push(resolve))
  }
  return { connection, told, until }
}

const clients = async () => {
  const list = await server.command<string>('CLIENT', 'LIST')
  return list.split('\n').filter((line) => line.includes('name=holdfast:')).length
}

test('opens once, however often it is asked to', async () => {
  const { connection, told, until } = noting()
  for (let i = 0; i < 10; i++) connection.open()
  await until(() => told.includes('up'))
  connection.open()
  expect(told).toEqual(['up'])
  expect(connection.awayMs(monotonicMs() + 1_000)).toBe(0)
  expect(await clients()).toBe(1)
})

test('asks a password function anew for each connection', async () => {
  const given = ['wrong', 'one', 'two']
  let asked = 0
  const { connection, told, until } = noting({ password: async () => given[asked++] as string })
  connection.open()
  await until(() => told.includes('up'))
  expect(asked).toBe(2)
  expect(told[0]).toMatch(/^refused: WRONGPASS/)
  await server.command('ACL', 'SETUSER', 'default', '<one', '>two')
  proxy.cut()
  await until(() => told.filter((event) => event === 'up').length === 2)
  expect(asked).toBe(3)
  await server.command('ACL', 'SETUSER', 'default', '>one')
})

test.each([
  [
    'throws at once',
    () => {
      throw new Error('vault is shut')
    },
    'vault is shut',
  ],
  [
    'rejects',
    async () => {
      throw new Error('vault is shut')
    },
    'vault is shut',
  ],
  ['never answers', () => new Promise<string>(() => {}), 'no answer within'],
  ['answers with no text', () => 5 as unknown as string, 'gave no text'],
])('says so, and asks again, when a password function %s', async (_what, broken, message) => {
  let asked = 0
  const { connection, told, until } = noting({
    openTimeoutMs: 100,
    password: () => (asked++ === 0 ? broken() : 'one'),
  })
  connection.open()
  await until(() => told.includes('up'))
  expect(told[0]).toContain(message)
})

test('closes at once while a password is awaited, and opens no socket after', async () => {
  let give = (_: string) => {}
  const { connection, told } = noting({
    password: () =>
      new Promise<string>((resolve) => {
        give = resolve
      }),
  })
  connection.open()
  await new Promise((resolve) => setImmediate(resolve))
  const before = proxy.connections
  connection.close()
  give('one')
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(proxy.connections).toBeLessThanOrEqual(before)
  expect(told).toEqual([])
})

test('closes at whatever moment of an opening, and leaves no connection behind', async () => {
  for (let i = 0; i < 40; i++) {
    const { connection, told } = noting({}, { prepare: async (wire) => void (await wire.send('PING', [], false)) })
    connection.open()
    const endMs = monotonicMs() + i / 10
    while (monotonicMs() < endMs) await new Promise((resolve) => setImmediate(resolve))
    connection.close()
    connection.open()
    await new Promise((resolve) => setImmediate(resolve))
    expect(told.filter((event) => event !== 'up')).toEqual([])
    expect(connection.wire).toBeUndefined()
  }
  while ((await clients()) > 0) await new Promise((resolve) => setImmediate(resolve))
})

test('counts a wire as up only when it was prepared, and opens another when it ended meanwhile', async () => {
  let prepared = 0
  const { connection, told, until } = noting(
    {},
    {
      async prepare(wire) {
        if (prepared++ === 0) proxy.cut()
        await wire.send('PING', [], false).catch((error) => {
          throw wire.fault(error)
        })
      },
    },
  )
  connection.open()
  await until(() => told.includes('up'))
  expect(prepared).toBe(2)
  expect(told).toHaveLength(2)
  expect(told[0]).toMatch(/^refused/)
})

test('gives up a wire whose preparation gets no answer', async () => {
  let prepared = 0
  const { connection, told, until } = noting(
    { openTimeoutMs: 100 },
    {
      async prepare(wire) {
        if (prepared++ > 0) return
        proxy.dropReplies()
        await wire.send('PING', [], false).catch((error) => {
          throw wire.fault(error)
        })
      },
    },
  )
  connection.open()
  await until(() => told.length > 0)
  expect(told[0]).toMatch(/^refused/)
  await proxy.heal()
  await until(() => told.includes('up'))
})

test('knows how long it has been away, and starts anew within half a second of the return', async () => {
  const { connection, told, until } = noting()
  connection.open()
  await until(() => told.includes('up'))
  await proxy.refuse()
  proxy.cut()
  await until(() => told.includes('down'))
  const startMs = monotonicMs()
  await until(() => told.length >= 6)
  const nowMs = monotonicMs()
  expect(connection.awayMs(nowMs)).toBeGreaterThanOrEqual(nowMs - startMs)
  expect(connection.lastError?.message).toContain('ECONNREFUSED')
  await proxy.heal()
  const backMs = monotonicMs()
  await until(() => told.at(-1) === 'up')
  expect(monotonicMs() - backMs).toBeLessThan(500)
  expect(connection.lastError).toBeUndefined()
})

test('counts the silence of a wire that is renewed as time away', async () => {
  const { connection, told, until } = noting()
  connection.open()
  await until(() => told.includes('up'))
  connection.renew(5_000)
  const nowMs = monotonicMs()
  expect(connection.awayMs(nowMs)).toBeGreaterThanOrEqual(5_000)
  expect(connection.reopening(nowMs)).toBe(true)
  await until(() => told.filter((event) => event === 'up').length === 2)
  expect(told).toEqual(['up', 'down', 'up'])
  expect(connection.awayMs(monotonicMs())).toBe(0)
})

test('drops the wire of now, and no other', async () => {
  const { connection, told, until } = noting()
  connection.open()
  await until(() => told.includes('up'))
  const old = connection.wire
  if (old === undefined) throw new Error('no wire')
  connection.drop(old)
  expect(connection.wire).toBeUndefined()
  await until(() => told.filter((event) => event === 'up').length === 2)
  connection.drop(old)
  expect(connection.wire).toBeDefined()
  expect(told).toEqual(['up', 'down', 'up'])
})
