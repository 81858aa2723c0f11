import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { startProxy, startServer, type TestProxy, type TestServer } from './index.ts'
import { RespConnection } from './resp.ts'

let server: TestServer
let proxy: TestProxy
const clients: RespConnection[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())

beforeEach(async () => {
  await server.command('FLUSHALL')
  proxy = await startProxy({ target: server })
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await proxy.close()
})

function client(timeoutMs = 5_000): RespConnection {
  const connection = new RespConnection({ address: { host: proxy.host, port: proxy.port }, timeoutMs })
  clients.push(connection)
  return connection
}

/** What a raw connection sees: everything that it received until it was closed. */
function raw(): { socket: Socket; closed: Promise<unknown>; received: () => string } {
  const socket = connect(proxy.port, proxy.host)
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  return { socket, closed: closing(socket), received: () => text }
}

/** Not events.once: that one rejects on a reset, which is a way to close. */
function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => socket.on('error', () => {}).once('close', resolve))
}

describe('a proxy', () => {
  it('passes everything on at first, and counts it', async () => {
    expect(proxy.url).toBe(`redis://127.0.0.1:${proxy.port}`)
    await client().send(['SET', 'k', 'x'.repeat(1_000_000)])
    const got = (await client().send(['GET', 'k'])) as Buffer
    expect(got.length).toBe(1_000_000)
    expect(proxy.connections).toBe(2)
    expect(proxy.bytes.toServer).toBeGreaterThan(1_000_000)
    expect(proxy.bytes.toClient).toBeGreaterThan(1_000_000)
  })

  it('reaches a server on a unix socket', async () => {
    const local = await startServer({ unixSocket: true })
    const door = await startProxy({ target: local })
    const through = new RespConnection({ address: { host: door.host, port: door.port } })
    expect(await through.send(['PING'])).toBe('PONG')
    through.close()
    await door.close()
    await local.stop()
  })

  it.each([
    ['target', undefined],
    ['target', 'redis://127.0.0.1:6379'],
    ['target.host', { port: 6379 }],
    ['target.port', { host: '127.0.0.1' }],
    ['target.port', { host: '127.0.0.1', port: 65_536 }],
    ['target.socketPath', { socketPath: '' }],
    ['to', { host: '127.0.0.1', port: 1 }],
  ])('refuses a wrong %s: %j', async (option, value) => {
    const options = option === 'to' ? { target: server, to: value } : { target: value }
    const expected = { code: 'CONFIG_INVALID', option: option === 'to' ? 'startProxy.to' : option }
    await expect(startProxy(options as never)).rejects.toMatchObject(expected)
  })

  it('gives the reply to one who closed its own side after asking', async () => {
    const { socket, closed, received } = raw()
    socket.end('PING\r\n')
    await closed
    expect(received()).toBe('+PONG\r\n')
  })

  it('delays each direction by the time given, and keeps the order', async () => {
    const connection = client()
    await connection.send(['PING'])
    proxy.delay('40ms')
    const startedAt = performance.now()
    const replies = [connection.send(['RPUSH', 'l', 1])]
    proxy.delay(20)
    replies.push(connection.send(['RPUSH', 'l', 2]), connection.send(['RPUSH', 'l', 3]))
    expect(await Promise.all(replies)).toEqual([1, 2, 3])
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(39)
  })

  it('holds bytes back without end, and delivers them late when healed', async () => {
    const connection = client()
    await connection.send(['PING'])
    proxy.delay(Number.POSITIVE_INFINITY)
    const late = connection.send(['ECHO', 'late'])
    await server.command('PING')
    await proxy.heal()
    expect(String(await late)).toBe('late')
  })

  it('keeps connections open and silent while it drops, and resets those that lost bytes when healed', async () => {
    const quiet = client()
    await quiet.send(['PING'])
    proxy.drop()
    const { socket, closed, received } = raw()
    socket.write('SET lost 1\r\n')
    const timedOut = client(30)
    await expect(timedOut.send(['SET', 'lost', 2])).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(socket.destroyed).toBe(false)
    await proxy.heal()
    await closed
    expect(received()).toBe('')
    expect(await server.command('EXISTS', 'lost')).toBe(0)
    expect(String(await quiet.send(['PING']))).toBe('PONG')
  })

  it('keeps the end of a server from a client while it drops', async () => {
    const own = await startServer()
    const door = await startProxy({ target: own })
    const socket = connect(door.port, door.host)
    const closed = closing(socket)
    socket.write('PING\r\n')
    await once(socket, 'data')
    door.drop()
    await own.stop()
    expect(door.connections).toBe(1)
    expect(socket.readableEnded).toBe(false)
    await door.heal()
    await closed
    await door.close()
  })

  it('lets requests reach the server and loses their replies', async () => {
    const connection = client()
    await connection.send(['PING'])
    proxy.dropReplies()
    const asked = connection.send(['SET', 'done', 1])
    asked.catch(() => {})
    await vi.waitFor(async () => expect(await server.command('EXISTS', 'done')).toBe(1))
    await proxy.heal()
    await expect(asked).rejects.toMatchObject({ code: 'CONNECTION_LOST', sent: true })
  })

  it('cuts every connection and welcomes new ones', async () => {
    const before = client()
    await before.send(['PING'])
    proxy.cut()
    await expect(before.send(['PING'])).rejects.toMatchObject({ code: 'CONNECTION_LOST' })
    expect(proxy.connections).toBe(0)
    expect(await client().send(['PING'])).toBe('PONG')
  })

  it('refuses new connections alone, and takes the same port again when healed', async () => {
    const before = client()
    await before.send(['PING'])
    const { port } = proxy
    await proxy.refuse()
    await expect(client().send(['PING'])).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
    expect(await before.send(['PING'])).toBe('PONG')
    await proxy.heal()
    expect(proxy.port).toBe(port)
    expect(await client().send(['PING'])).toBe('PONG')
  })

  it('ends a client whose server is away', async () => {
    const { port } = await startServer().then(async (gone) => {
      await gone.stop()
      return gone
    })
    const door = await startProxy({ target: { host: '127.0.0.1', port } })
    const socket = connect(door.port, door.host)
    await closing(socket.resume())
    await door.close()
  })

  it('closes its port and every connection, once', async () => {
    const { closed } = raw()
    await proxy.close()
    await proxy.close()
    await closed
    await expect(client().send(['PING'])).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
  })
})
