import { connect as connectSocket, createServer, type Server, type Socket } from 'node:net'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { ConnectionError, ServerError, TimeoutError } from '../base/errors.ts'
import { startProxy, startServer, type TestProxy, type TestServer } from '../testing/index.ts'
import type { CallOptions } from './call.ts'
import { Calls } from './calls.ts'
import { openIoredisWire } from './ioredis.ts'
import { Node } from './node.ts'
import { resolveSettings } from './settings.ts'

const READ: CallOptions = { operation: 'test.read', repeat: true }
const ONCE: CallOptions = { operation: 'test.once', repeat: false }

let server: TestServer
let proxy: TestProxy
const open = new Map<Node, Calls>()

beforeAll(async () => {
  server = await startServer()
  proxy = await startProxy({ target: server })
})

afterEach(async () => {
  await Promise.all([...open.keys()].map(close))
  open.clear()
  await proxy.heal()
})

afterAll(async () => {
  await proxy.close()
  await server.stop()
})

const nodeAt = (url: string, timeout = 1_000): Node => {
  const { address, connection, timeoutMs } = resolveSettings(url, { timeout })
  const calls = new Calls(timeoutMs)
  const node = new Node(address, connection, calls, openIoredisWire)
  open.set(node, calls)
  return node
}

const statsOf = (node: Node) => {
  const { pending, repeats } = (open.get(node) as Calls).stats
  return { pending, repeats, connections: node.connections, ready: node.ready }
}

async function close(node: Node): Promise<void> {
  await open.get(node)?.close()
  node.close()
}

const failure = async (
  call: Promise<unknown>,
): Promise<{ error: Error & Record<string, unknown>; afterMs: number }> => {
  const startMs = performance.now()
  try {
    await call
  } catch (error) {
    return { error: error as Error & Record<string, unknown>, afterMs: performance.now() - startMs }
  }
  throw new Error('it succeeded')
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

test('opens its connection with the first call, and answers text or bytes as asked for', async () => {
  const node = nodeAt(server.url)
  expect(node.ready).toBe(false)
  expect(await node.call('SET', ['a', Buffer.from([0, 255, 13, 10])], ONCE)).toBe('OK')
  expect(await node.call('GET', ['a'], { ...READ, bytes: true })).toEqual(Buffer.from([0, 255, 13, 10]))
  expect(await node.call('STRLEN', ['a'], READ)).toBe(4)
  expect(await node.call('GET', ['none'], READ)).toBe(null)
  expect(statsOf(node)).toEqual({ pending: 0, repeats: 0, connections: 1, ready: true })
})

test('keeps the order of calls', async () => {
  const node = nodeAt(server.url)
  const calls = Array.from({ length: 500 }, () => node.call('INCR', ['order'], ONCE))
  expect(await Promise.all(calls)).toEqual(Array.from({ length: 500 }, (_, i) => i + 1))
})

test("makes the server's error a typed one, with its first word", async () => {
  const node = nodeAt(server.url)
  await node.call('SET', ['text', 'x'], ONCE)
  const { error } = await failure(node.call('LPUSH', ['text', 'y'], ONCE))
  expect(error).toBeInstanceOf(ServerError)
  expect(error).toMatchObject({ code: 'SERVER_ERROR', reply: 'WRONGTYPE', operation: 'test.once', retryable: false })
  // Arguments are the user's data, and no part of a message.
  const unknown = await failure(node.call('NOSUCH', ['s3cr3t'], ONCE))
  expect(inspect(unknown.error, { depth: 10 })).not.toContain('s3cr3t')
})

test('ends every call at its deadline while the server is silent, each at its own', async () => {
  const node = nodeAt(proxy.url, 300)
  await node.call('PING', [], READ)
  proxy.drop()
  const [short, usual] = await Promise.all([
    failure(node.call('INCR', ['n'], { ...ONCE, timeoutMs: 100 })),
    failure(node.call('GET', ['n'], READ)),
  ])
  expect(short.error).toBeInstanceOf(TimeoutError)
  expect(short.error).toMatchObject({ code: 'TIMEOUT', sent: true, timeoutMs: 100, operation: 'test.once' })
  expect(short.afterMs).toBeGreaterThanOrEqual(99)
  expect(short.afterMs).toBeLessThan(150)
  expect(usual.afterMs).toBeLessThan(350)
})

test('sends again what may be repeated when the connection breaks under it, and nothing else', async () => {
  const node = nodeAt(proxy.url)
  await node.call('DEL', ['n'], ONCE)
  proxy.delay(Number.POSITIVE_INFINITY)
  const read = node.call('STRLEN', ['n'], READ)
  const write = failure(node.call('INCR', ['n'], ONCE))
  await turn()
  proxy.cut()
  const { error } = await write
  expect(error).toBeInstanceOf(ConnectionError)
  expect(error).toMatchObject({ code: 'CONNECTION_LOST', sent: true, retryable: true })
  await proxy.heal()
  expect(await read).toBe(0)
  expect(statsOf(node)).toMatchObject({ repeats: 1, pending: 0 })
})

test('sends what waits for a connection as soon as there is one, also what may not be repeated', async () => {
  await proxy.refuse()
  const node = nodeAt(proxy.url)
  const write = node.call('INCR', ['parked'], ONCE)
  await turn()
  await proxy.heal()
  expect(await write).toBe(1)
})

test('fails at once while the server has been away for longer than the call may wait', async () => {
  await proxy.refuse()
  const node = nodeAt(proxy.url, 100)
  const first = await failure(node.call('GET', ['x'], READ))
  expect(first.error).toMatchObject({ code: 'TIMEOUT', sent: false })
  expect(first.error.cause).toMatchObject({ message: expect.stringContaining('ECONNREFUSED') })
  await turn()
  const second = await failure(node.call('GET', ['x'], READ))
  expect(second.error).toMatchObject({ code: 'CONNECTION_LOST', sent: false, retryable: true })
  expect(second.afterMs).toBeLessThan(20)
  // Whoever may wait longer than the server has been away, waits.
  const patient = node.call('PING', [], { ...READ, timeoutMs: 5_000 })
  await proxy.heal()
  expect(await patient).toBe('PONG')
})

test('carries what may be repeated over to a new socket when only the old one was dead', async () => {
  const node = nodeAt(proxy.url, 300)
  await node.call('PING', [], READ)
  proxy.dropReplies()
  const first = failure(node.call('PING', [], READ))
  await new Promise((resolve) => setTimeout(resolve, 200))
  const later = node.call('PING', [], READ)
  // The lossy weather ends just before the first deadline, and the old socket stays deaf: bytes of it were lost.
  const { error } = await first.finally(() => {})
  expect(error).toMatchObject({ code: 'TIMEOUT', sent: true })
  await proxy.heal()
  expect(await later).toBe('PONG')
  expect(statsOf(node).connections).toBe(2)
})

test('replaces a dead socket to a server that is well, long before the deadline of what waits on it', async () => {
  const pipes: Socket[] = []
  const network = createServer((socket) => {
    const onward = connectSocket(server.port, server.host)
    pipes.push(
      socket.on('error', () => {}),
      onward.on('error', () => {}),
    )
    socket.pipe(onward).pipe(socket)
  })
  await new Promise<void>((resolve) => network.listen(0, '127.0.0.1', resolve))
  const node = nodeAt(`redis://127.0.0.1:${(network.address() as { port: number }).port}`, 20_000)
  await node.call('DEL', ['n'], ONCE)
  // Half-open: what is said on the first socket goes nowhere, and nobody says so. New ones pass.
  pipes[0]?.unpipe()
  const read = node.call('STRLEN', ['n'], READ)
  const write = failure(node.call('INCR', ['n'], ONCE))
  expect(await read).toBe(0)
  expect((await write).error).toMatchObject({ code: 'CONNECTION_LOST', sent: true })
  expect(statsOf(node)).toMatchObject({ connections: 2, pending: 0 })
  await close(node)
  for (const pipe of pipes) pipe.destroy()
  network.close()
})

test('keeps the connection of a server that is slow but alive', async () => {
  const node = nodeAt(server.url)
  await node.call('PING', [], READ)
  const slow = failure(node.call('BLPOP', ['nothing', '0.4'], { ...ONCE, timeoutMs: 100 }))
  // Answers to others of the same socket prove that it lives.
  const others = node.call('PING', [], { ...READ, timeoutMs: 2_000 })
  expect((await slow).error).toMatchObject({ code: 'TIMEOUT', sent: true })
  await others
})

test('keeps the connection when it was this process that stood still', async () => {
  const node = nodeAt(proxy.url)
  await node.call('PING', [], READ)
  proxy.delay(20)
  const calls = [ONCE, READ].map((options) => failure(node.call('PING', [], { ...options, timeoutMs: 100 })))
  const endMs = performance.now() + 250
  while (performance.now() < endMs);
  for (const { error } of await Promise.all(calls)) expect(error).toMatchObject({ code: 'TIMEOUT', sent: true })
  expect(await node.call('PING', [], READ)).toBe('PONG')
  expect(statsOf(node).connections).toBe(1)
})

test('goes on when the peer closes politely, whenever calls come', async () => {
  // Between the end of the stream and the end of the socket nothing can be written: a call that was refused there,
  // and sent again on the same socket at once, would be refused for ever without letting anything else happen.
  const node = nodeAt(server.url)
  await node.call('PING', [], READ)
  const calls: Promise<unknown>[] = []
  let over = false
  const caller = (async () => {
    while (!over) {
      if (statsOf(node).pending < 100) calls.push(node.call('PING', [], READ))
      await turn()
    }
  })()
  for (let i = 0; i < 6; i++) {
    await server.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await node.call('PING', [], READ)
  }
  over = true
  await caller
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['PONG']))
  expect(statsOf(node).pending).toBe(0)
  expect(statsOf(node).connections).toBeGreaterThan(5)
})

test('waits out a script that runs for long, and repeats what it kept off', async () => {
  await using busy = await startServer({ config: { 'busy-reply-threshold': 20 } })
  const node = nodeAt(busy.url, 3_000)
  await node.call('PING', [], READ)
  const spin = `local ending = redis.call('TIME')[1] * 1000 + redis.call('TIME')[2] / 1000 + 400
    while redis.call('TIME')[1] * 1000 + redis.call('TIME')[2] / 1000 < ending do end return 'done'`
  const other = nodeAt(busy.url, 3_000)
  const script = other.call('EVAL', [spin, 0], ONCE)
  // Sent once the script runs: the server then answers BUSY.
  let blocked: unknown
  while (!(blocked instanceof Error)) blocked = await busy.command('GET', 'n').catch((error) => error)
  expect(await node.call('INCR', ['n'], ONCE)).toBe(1)
  expect(await script).toBe('done')
  expect(statsOf(node).repeats).toBeGreaterThan(0)
})

test('learns a script by the call that needed it, within that call and its deadline', async () => {
  const node = nodeAt(server.url)
  const script = "return redis.call('INCR', KEYS[1])"
  const sha = String(await server.command('SCRIPT', 'LOAD', script))
  await server.command('SCRIPT', 'FLUSH')
  const options = { ...ONCE, script }
  expect(await node.call('EVALSHA', [sha, 1, 'scripted'], options)).toBe(1)
  expect(await server.command('SCRIPT', 'EXISTS', sha)).toEqual([1])
  expect(await node.call('EVALSHA', [sha, 1, 'scripted'], options)).toBe(2)
  expect((await failure(node.call('EVALSHA', ['f'.repeat(40), 0], ONCE))).error).toMatchObject({ reply: 'NOSCRIPT' })
})

test('lets calls under way end when it is closed, takes no new ones, and may be closed by several at once', async () => {
  const node = nodeAt(server.url)
  await node.call('PING', [], READ)
  const slow = node.call('BLPOP', ['nothing', '0.05'], ONCE)
  const closings = [close(node), close(node)]
  const { error } = await failure(node.call('PING', [], READ))
  expect(error).toMatchObject({ code: 'CONNECTION_CLOSED', retryable: false })
  expect(await slow).toBe(null)
  await Promise.all(closings)
  await close(node)
  expect(statsOf(node)).toMatchObject({ pending: 0, ready: false })
})

test('ends what waits for a connection at once when it is closed', async () => {
  await proxy.refuse()
  const node = nodeAt(proxy.url, 10_000)
  const waiting = [failure(node.call('PING', [], READ)), failure(node.call('INCR', ['n'], ONCE))]
  await close(node)
  for (const { error, afterMs } of await Promise.all(waiting)) {
    expect(error).toMatchObject({ code: 'CONNECTION_CLOSED' })
    expect(afterMs).toBeLessThan(100)
  }
})

test('closes within a deadline when the server has frozen under a call', async () => {
  const node = nodeAt(proxy.url, 200)
  await node.call('PING', [], READ)
  proxy.drop()
  const call = failure(node.call('PING', [], READ))
  const startMs = performance.now()
  await close(node)
  expect(performance.now() - startMs).toBeLessThan(300)
  expect((await call).error).toMatchObject({ code: 'TIMEOUT' })
})

test('does not run in circles on a server that takes connections only to drop them', async () => {
  let sockets = 0
  const rude: Server = createServer((socket: Socket) => {
    sockets++
    socket.destroy()
  })
  await new Promise<void>((resolve) => rude.listen(0, '127.0.0.1', resolve))
  const { port } = rude.address() as { port: number }
  const node = nodeAt(`redis://127.0.0.1:${port}`, 500)
  const { error } = await failure(node.call('PING', [], READ))
  expect(error).toMatchObject({ code: 'TIMEOUT' })
  expect(sockets).toBeGreaterThan(2)
  expect(sockets).toBeLessThan(30)
  await close(node)
  rude.close()
})

test('fails within the deadline on something that is no Redis', async () => {
  const web = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
  const { port } = web.address() as { port: number }
  const node = nodeAt(`redis://127.0.0.1:${port}`, 200)
  const { error, afterMs } = await failure(node.call('PING', [], READ))
  expect(['TIMEOUT', 'CONNECTION_LOST']).toContain(error.code)
  expect(afterMs).toBeLessThan(260)
  await close(node)
  web.close()
})

test('settles each of 20,000 calls exactly once while the network breaks again and again', async () => {
  const node = nodeAt(proxy.url, 500)
  await node.call('DEL', ['counted'], ONCE)
  let settled = 0
  let added = 0
  let unsure = 0
  const codes = new Set<unknown>()
  const work = Array.from({ length: 40 }, async () => {
    for (let i = 0; i < 500; i++) {
      await node.call('INCR', ['counted'], ONCE).then(
        () => added++,
        (error) => {
          codes.add(error.code)
          if (error.sent) unsure++
        },
      )
      settled++
    }
  })
  let over = false
  const weather = (async () => {
    while (!over) {
      proxy.cut()
      for (let i = 0; i < 20; i++) await turn()
    }
  })()
  await Promise.all(work)
  over = true
  await weather
  expect(settled).toBe(20_000)
  const counted = Number(await server.command('GET', 'counted'))
  expect(counted).toBeGreaterThanOrEqual(added)
  expect(counted).toBeLessThanOrEqual(added + unsure)
  expect(statsOf(node).pending).toBe(0)
  for (const code of codes) expect(['CONNECTION_LOST', 'TIMEOUT']).toContain(code)
})
