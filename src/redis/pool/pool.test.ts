import { getEventListeners } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast, type OwnConnection } from '../../index.ts'
import { startProxy, startServer, type TestServer } from '../../testing/index.ts'
import type { ConnectOptions } from '../settings.ts'

let server: TestServer
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await startServer()
})
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
afterAll(() => server.stop())

async function open(options: ConnectOptions = {}, url = server.url): Promise<Holdfast> {
  const hf = await connect(url, options)
  closing.push(() => hf.close())
  return hf
}

const idOf = (connection: OwnConnection) => connection.call('CLIENT', 'ID')
/** A promise and its ends, for a user who is to keep his connection until told. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}
/** Takes `count` connections, and answers with a function that gives them back. */
async function takeAll(hf: Holdfast, count: number): Promise<() => Promise<unknown>> {
  const done = gate()
  const users = Array.from({ length: count }, () => hf.pool.use(() => done.opened))
  await vi.waitFor(() => expect(hf.pool.stats.inUse).toBe(count))
  return () => {
    done.open()
    return Promise.all(users)
  }
}

it('lends a connection of its own, and the same one again when it was left as it was', async () => {
  const hf = await open({ name: 'shop' })
  const first = await hf.pool.use(async (own) => {
    expect(await own.call('SET', 'own', 'ü')).toBe('OK')
    expect(await own.call('CLIENT', 'GETNAME')).toBe('shop:own')
    return idOf(own)
  })
  expect(await hf.pool.use(idOf)).toBe(first)
  expect(await hf.pool.use((own) => own.call('GET', 'own'))).toBe('ü')
  expect(await hf.pool.use((own) => own.call('GET', 'own'), { bytes: true })).toEqual(Buffer.from('ü'))
  expect(hf.pool.stats).toMatchObject({ size: 1, idle: 1, inUse: 0, opened: 1, discarded: 0 })
  expect(hf.pool.stats.nodes[`127.0.0.1:${server.port}`]).toMatchObject({ size: 1, opened: 1 })
})

it('carries WATCH, MULTI and EXEC, and hands the connection on', async () => {
  const hf = await open()
  const change = (meanwhile: () => Promise<unknown>) =>
    hf.pool.use(async (own) => {
      await own.call('WATCH', 'stock')
      const stock = Number(await own.call('GET', 'stock'))
      await meanwhile()
      await own.call('MULTI')
      expect(await own.call('SET', 'stock', stock - 1)).toBe('QUEUED')
      return own.call('EXEC')
    })
  await server.command('SET', 'stock', '10')
  expect(await change(async () => {})).toEqual(['OK'])
  expect(await change(() => server.command('SET', 'stock', '5'))).toBeNull()
  expect(await server.command('GET', 'stock')).toBe('5')
  await hf.pool.use(async (own) => {
    await own.call('MULTI')
    await expect(own.call('NONSENSE')).rejects.toMatchObject({ code: 'SERVER_ERROR' })
    await expect(own.call('EXEC')).rejects.toMatchObject({ code: 'SERVER_ERROR', reply: 'EXECABORT' })
  })
  expect(hf.pool.stats).toMatchObject({ size: 1, opened: 1, discarded: 0 })
})

describe('never hands on a connection with', () => {
  const states: Record<string, (own: OwnConnection) => unknown> = {
    'a transaction left open': (own) => own.call('MULTI'),
    'a watched key': (own) => own.call('WATCH', 'k'),
    'a watched key, where UNWATCH was only queued': async (own) => {
      await own.call('WATCH', 'k')
      await own.call('MULTI')
      await own.call('UNWATCH')
    },
    subscriptions: (own) => own.call('SUBSCRIBE', 'news'),
    'another database': (own) => own.call('select', 3),
    'another name': (own) => own.call('CLIENT', 'SETNAME', 'x'),
    tracking: (own) => own.call('client', 'tracking', 'on'),
    'its login reset': (own) => own.call('RESET'),
    'a command still under way': (own) => void own.call('BLPOP', 'nothing', 5).catch(() => {}),
    'its socket ended by the server': async (own) => {
      const id = String(await idOf(own))
      const lost = new Promise((resolve) => own.signal.addEventListener('abort', resolve))
      await server.command('CLIENT', 'KILL', 'ID', id)
      await lost
      await expect(own.call('PING')).rejects.toMatchObject({ code: 'CONNECTION_LOST', retryable: true })
    },
  }
  it.each(Object.entries(states))('%s', async (_name, leave) => {
    const hf = await open()
    const before = await hf.pool.use(async (own) => {
      const id = await idOf(own)
      await leave(own)
      return id
    })
    const after = await hf.pool.use(async (own) => {
      expect(await own.call('CLIENT', 'INFO')).toMatch(/ db=0 sub=0 psub=0 .* multi=-1 .* user=default /)
      return idOf(own)
    })
    expect(after).not.toBe(before)
    expect(hf.pool.stats).toMatchObject({ size: 1, opened: 2, discarded: 1 })
  })
})

it('refuses what would leave nobody able to tell the answers apart', async () => {
  const hf = await open()
  await hf.pool.use(async (own) => {
    for (const command of [['CLIENT', 'REPLY', 'OFF'], ['monitor'], ['PSYNC', '?', '-1'], ['HELLO', '3'], ['']])
      await expect(own.call(...(command as [string]))).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    expect(await own.call('PING')).toBe('PONG')
  })
  expect(hf.pool.stats).toMatchObject({ size: 1, discarded: 0 })
})

it('refuses calls on a connection that was given back', async () => {
  const hf = await open()
  let kept: OwnConnection | undefined
  await hf.pool.use((own) => {
    kept = own
  })
  await expect(kept?.call('PING')).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  expect(kept?.signal.aborted).toBe(true)
})

it('lets an error of the user through, and tells what the server says in typed errors', async () => {
  const hf = await open()
  const mine = new Error('mine')
  await expect(hf.pool.use(() => Promise.reject(mine))).rejects.toBe(mine)
  await server.command('SET', 'text', 'x')
  await expect(hf.pool.use((own) => own.call('LPUSH', 'text', 'x'))).rejects.toMatchObject({
    ...{ code: 'SERVER_ERROR', reply: 'WRONGTYPE', operation: 'pool.call' },
  })
  expect(hf.pool.stats).toMatchObject({ size: 1, discarded: 0 })
})

it('says TIMEOUT, not sent, when all connections stay in use', async () => {
  const hf = await open({ pool: { max: 2, acquireTimeout: 50 } })
  const giveBack = await takeAll(hf, 2)
  await expect(hf.pool.use(idOf)).rejects.toMatchObject({
    ...{ code: 'TIMEOUT', operation: 'pool.acquire', sent: false, timeoutMs: 50, retryable: true },
  })
  await expect(hf.pool.use(idOf, { timeout: 20 })).rejects.toMatchObject({ code: 'TIMEOUT', timeoutMs: 20 })
  expect(hf.pool.stats).toMatchObject({ size: 2, inUse: 2, waiting: 0, timeouts: 2 })
  await giveBack()
  expect(await hf.pool.use(idOf)).toBeTypeOf('number')
})

it('serves those who wait in the order in which they came, also when what is given back is broken', async () => {
  const hf = await open({ pool: { max: 2 }, timeout: '5s' })
  const giveBack = await takeAll(hf, 2)
  const served: number[] = []
  const waiting = Array.from({ length: 40 }, (_, i) =>
    hf.pool.use(async (own) => {
      served.push(i)
      await own.call(i % 5 === 0 ? 'MULTI' : 'PING')
    }),
  )
  expect(hf.pool.stats.waiting).toBe(40)
  await giveBack()
  await Promise.all(waiting)
  // Two are served at a time: neighbours may change places while one of the two opens anew.
  for (const [place, i] of served.entries()) expect(Math.abs(i - place)).toBeLessThanOrEqual(1)
  expect(hf.pool.stats).toMatchObject({ waiting: 0, inUse: 0 })
})

it('lets one who gives up leave the queue at once, and takes nothing from the others', async () => {
  const hf = await open({ pool: { max: 1 } })
  const giveBack = await takeAll(hf, 1)
  const reason = new Error('no more')
  const controller = new AbortController()
  const leaving = Array.from({ length: 10 }, () => hf.pool.use(idOf, { signal: controller.signal }))
  const staying = hf.pool.use(idOf)
  controller.abort(reason)
  for (const one of leaving) await expect(one).rejects.toBe(reason)
  await expect(hf.pool.use(idOf, { signal: controller.signal })).rejects.toBe(reason)
  expect(hf.pool.stats.waiting).toBe(1)
  await giveBack()
  expect(await staying).toBeTypeOf('number')
  // Given up in the very turn in which it was asked for: nothing stays behind in the queue.
  for (let i = 0; i < 20; i++) {
    const early = new AbortController()
    const asked = hf.pool.use(idOf, { signal: early.signal })
    early.abort(reason)
    await expect(asked).rejects.toBe(reason)
  }
  expect(await hf.pool.use(idOf)).toBeTypeOf('number')
  expect(hf.pool.stats).toMatchObject({ size: 1, inUse: 0, waiting: 0 })
})

it('ends a blocking command when its signal fires, and never hands that connection on', async () => {
  const hf = await open({ timeout: 200 })
  const controller = new AbortController()
  const reason = new Error('enough')
  let id: unknown
  const blocked = hf.pool.use(
    async (own) => {
      id = await idOf(own)
      return own.call('BLPOP', 'nothing', 0)
    },
    { signal: controller.signal },
  )
  await vi.waitFor(async () => expect(await server.command('CLIENT', 'LIST')).toContain('cmd=blpop'))
  controller.abort(reason)
  await expect(blocked).rejects.toBe(reason)
  expect(await hf.pool.use(idOf)).not.toBe(id)
  await server.command('RPUSH', 'nothing', 'x')
  expect(await server.command('LLEN', 'nothing')).toBe(1)
  await server.command('DEL', 'nothing')
})

it('gives a blocking command the time that it asks for, and any other the timeout', async () => {
  const hf = await open({ timeout: 150 })
  await hf.pool.use(async (own) => {
    expect(await own.call('BLPOP', 'nothing', 0.3)).toBeNull()
    expect(await own.call('XREAD', 'BLOCK', 300, 'STREAMS', 'nothing', '$')).toBeNull()
  })
  await server.pause()
  await expect(hf.pool.use((own) => own.call('PING'))).rejects.toMatchObject({
    ...{ code: 'TIMEOUT', operation: 'pool.call', sent: true, timeoutMs: 150 },
  })
  await server.resume()
  expect(await hf.pool.use((own) => own.call('PING'), { timeout: '5s' })).toBe('PONG')
})

it('closes connections that nobody uses, and keeps as many as it was told', async () => {
  const hf = await open({ pool: { min: 1, max: 4, idle: 40 } })
  await (await takeAll(hf, 4))()
  expect(hf.pool.stats).toMatchObject({ size: 4, idle: 4 })
  await vi.waitFor(() => expect(hf.pool.stats).toMatchObject({ size: 1, idle: 1, evicted: 3 }))
  await vi.waitFor(async () => expect(String(await server.command('CLIENT', 'LIST')).match(/:own /g)).toHaveLength(1))
})

it('gives nobody a socket that has died, seen or unseen', async () => {
  const proxy = await startProxy({ target: server })
  closing.push(() => proxy.close())
  const hf = await open({ timeout: '3s' }, proxy.url)
  await hf.pool.use(idOf)
  proxy.cut()
  await vi.waitFor(() => expect(hf.pool.stats.size).toBe(0))
  expect(await hf.pool.use((own) => own.call('PING'))).toBe('PONG')
  // Alive for all that the process can see: only asking tells, and whoever was idle for a second is asked.
  const idleSince = performance.now()
  proxy.drop()
  await vi.waitFor(() => expect(performance.now() - idleSince).toBeGreaterThan(1_050), { timeout: 3_000 })
  const asked = hf.pool.use((own) => own.call('PING'))
  await vi.waitFor(() => expect(hf.pool.stats.size).toBe(0))
  await proxy.heal()
  expect(await asked).toBe('PONG')
})

it('says CONNECTION_LOST when there is nobody to connect to, and goes on by itself', async () => {
  const own = await startServer()
  closing.push(() => own.stop())
  const hf = await open({ timeout: 300 }, own.url)
  await own.kill()
  await expect(hf.pool.use(idOf)).rejects.toMatchObject({
    ...{ code: 'CONNECTION_LOST', operation: 'pool.acquire', sent: false },
  })
  const waiting = hf.pool.use(idOf, { timeout: '10s' })
  await own.restart()
  expect(await waiting).toBeTypeOf('number')
})

it('logs in as the other connections do, and says at once when it is not let in', async () => {
  const own = await startServer({ users: { app: 'on >pw ~* &* +@all' } })
  closing.push(() => own.stop())
  let password = 'pw'
  const url = own.url.replace('redis://', 'redis://app@')
  const hf = await open({ password: () => password, timeout: '5s' }, `${url}/2`)
  expect(await hf.pool.use((c) => c.call('CLIENT', 'INFO'))).toMatch(/ db=2 .* user=app /)
  await hf.pool.use((c) => c.call('RESET'))
  password = 'wrong'
  const startedMs = performance.now()
  await expect(hf.pool.use(idOf)).rejects.toMatchObject({ code: 'AUTH_FAILED', operation: 'pool.acquire' })
  expect(performance.now() - startedMs).toBeLessThan(2_500)
})

it('tells, and does not follow, that the server is a replica now', async () => {
  const own = await startServer()
  closing.push(() => own.stop())
  const hf = await open({}, own.url)
  const before = await hf.pool.use(idOf)
  await own.command('REPLICAOF', '127.0.0.1', server.port)
  await expect(hf.pool.use((c) => c.call('SET', 'k', 'v'))).rejects.toMatchObject({
    ...{ code: 'SERVER_ERROR', reply: 'READONLY', retryable: true },
  })
  expect(await hf.pool.use(idOf)).not.toBe(before)
})

it('waits for its users when it is closed, and sends away who waits', async () => {
  const hf = await open({ pool: { max: 1 }, timeout: '5s' })
  const user = hf.pool.use(async (own) => {
    await own.call('BLPOP', 'later', 5)
    return own.call('PING')
  })
  await vi.waitFor(async () => expect(await server.command('CLIENT', 'LIST')).toContain('cmd=blpop'))
  const waiting = hf.pool.use(idOf)
  const closed = hf.close()
  await expect(waiting).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  await expect(hf.pool.use(idOf)).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  await server.command('RPUSH', 'later', 'x')
  expect(await user).toBe('PONG')
  await closed
  expect(hf.pool.stats).toMatchObject({ size: 0, inUse: 0 })
})

it('waits no longer than the timeout for a user who does not end, and leaves no timer and no socket', async () => {
  const before = process.getActiveResourcesInfo().sort()
  const hf = await open({ timeout: 100, pool: { min: 2, max: 3 } })
  await (await takeAll(hf, 3))()
  let ended: unknown
  const user = hf.pool.use(async (own) => {
    own.signal.addEventListener('abort', () => {
      ended = own.signal.reason
    })
    return own.call('BLPOP', 'never', 0)
  })
  await vi.waitFor(async () => expect(await server.command('CLIENT', 'LIST')).toContain('cmd=blpop'))
  const startedMs = performance.now()
  const closed = hf.close()
  await expect(user).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
  await closed
  expect(performance.now() - startedMs).toBeLessThan(400)
  expect(ended).toMatchObject({ code: 'CONNECTION_CLOSED' })
  const kinds = (names: readonly string[]) => names.filter((name) => /Timeout|TCPSocket|Immediate/.test(name))
  await vi.waitFor(() => {
    const left = kinds(process.getActiveResourcesInfo())
    expect(left.length).toBeLessThanOrEqual(kinds(before).length + 1)
  })
})

it('leaks nothing in a thousand uses, clean and unclean', async () => {
  const hf = await open({ pool: { max: 5 }, timeout: '20s' })
  const { signal } = new AbortController()
  const use = (i: number) =>
    hf.pool.use(
      async (own) => {
        await own.call('SET', `leak:${i}`, i)
        if (i % 10 === 0) await own.call('WATCH', 'k')
        if (i % 25 === 0) throw new Error('by design')
      },
      { signal },
    )
  const outcomes = await Promise.allSettled(Array.from({ length: 1_000 }, (_, i) => use(i)))
  expect(outcomes.filter(({ status }) => status === 'rejected')).toHaveLength(40)
  // One may still have been on its way when the last user was served by another.
  await vi.waitFor(async () => {
    const { size, idle, inUse, waiting, opened, discarded, timeouts } = hf.pool.stats
    expect({ inUse, waiting, timeouts, discarded }).toEqual({ inUse: 0, waiting: 0, timeouts: 0, discarded: 100 })
    expect(size).toBeLessThanOrEqual(5)
    expect({ idle, left: opened - discarded }).toEqual({ idle: size, left: size })
    expect(String(await server.command('CLIENT', 'LIST')).match(/:own /g) ?? []).toHaveLength(size)
  })
  expect(getEventListeners(signal, 'abort')).toEqual([])
})

it('refuses wrong options by name', async () => {
  const hf = await open()
  const wrong: [unknown, string][] = [
    [{ max: 0 }, 'pool.max'],
    [{ min: 9 }, 'pool.min'],
    [{ min: -1 }, 'pool.min'],
    [{ idle: 'soon' }, 'pool.idle'],
    [{ acquireTimeout: 0 }, 'pool.acquireTimeout'],
    [{ size: 3 }, 'pool.size'],
    ['x', 'pool'],
  ]
  for (const [pool, option] of wrong)
    await expect(connect(server.url, { pool } as never)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
  await expect(hf.pool.use(undefined as never)).rejects.toMatchObject({ option: 'fn' })
  await expect(hf.pool.use(idOf, { key: 1 } as never)).rejects.toMatchObject({ option: 'key' })
  await expect(hf.pool.use(idOf, { timeout: -1 })).rejects.toMatchObject({ option: 'timeout' })
  await expect(hf.pool.use(idOf, { db: 1 } as never)).rejects.toMatchObject({ option: 'db' })
  for (const arg of [{ a: 1 }, ['a'], undefined, true])
    await expect(hf.pool.use((own) => own.call('SET', 'object', arg as never))).rejects.toMatchObject({
      option: 'args[1]',
    })
})
