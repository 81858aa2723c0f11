import { connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Child } from './lock.fixture.ts'

let server: TestServer
let proxy: TestProxy
let namespace: string
let near: Holdfast
// Slow to start, so it starts at once and is waited for where it is needed.
let child: Child
const closing: (() => Promise<unknown>)[] = []

beforeAll(async () => {
  server = await startServer({ config: { 'repl-diskless-sync-delay': 0 } })
  child = new Child(server.url)
  proxy = await startProxy({ target: server })
})
beforeEach(async () => {
  namespace = testNamespace('lock')
  near = await open(server.url)
})
afterEach(async () => {
  await server.heal()
  await proxy.heal()
  await Promise.all(closing.splice(0).map((close) => close()))
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
})
afterAll(async () => {
  await child.kill()
  await proxy.close()
  await server.stop()
})

async function open(url: string, timeout = 300): Promise<Holdfast> {
  const hf = await connect(url, { namespace, timeout })
  closing.push(() => hf.close())
  return hf
}

const waiting = (count: number) =>
  vi.waitFor(async () => expect((await near.lock('l').inspect()).waiting).toBe(count), { interval: 5, timeout: 10_000 })

/** A holder hears of its loss before the server can have given the lock to another. */
async function expectHeardInTime(cutOff: () => unknown): Promise<void> {
  const far = await open(proxy.url, 1_000)
  const held = await far.lock('l', { ttl: '600ms' }).acquire()
  let heardMs = 0
  held.signal.addEventListener('abort', () => {
    heardMs = performance.now()
  })
  await cutOff()
  const next = await near.lock('l').acquire()
  const takenMs = performance.now()
  expect(held.valid()).toBe(false)
  expect(held.signal.reason).toMatchObject({ code: 'LOCK_LOST' })
  expect(heardMs).toBeGreaterThan(0)
  expect(heardMs).toBeLessThanOrEqual(takenMs)
  expect(next.fence).toBeGreaterThan(held.fence)
  await next.release()
}

describe('a holder who is cut off', () => {
  it('hears of the loss in a network that swallows everything', () => expectHeardInTime(() => proxy.drop()))
  it('hears of the loss when its renewals arrive and their answers do not, once they stop', () =>
    expectHeardInTime(async () => {
      proxy.dropReplies()
      await vi.waitFor(async () => expect((await near.lock('l').inspect()).holders[0]?.leftMs).toBeLessThan(250), {
        timeout: 10_000,
        interval: 5,
      })
      proxy.drop()
    }))
  it('hears of the loss when nobody lets it connect any more', () =>
    expectHeardInTime(async () => {
      await proxy.refuse()
      proxy.cut()
    }))

  it('keeps the lock through a broken connection', async () => {
    const far = await open(proxy.url)
    const held = await far.lock('l', { ttl: '2s' }).acquire()
    proxy.cut()
    await held.extend('5s')
    expect(held.valid()).toBe(true)
    expect(await near.lock('l').tryAcquire()).toBeUndefined()
    expect(await held.release()).toBe('released')
  })

  it('lets its work end, and its release, without hanging on a dead network', async () => {
    const far = await open(proxy.url, 200)
    const held = far.lock('l', { ttl: '300ms' }).run(async ({ signal }) => {
      proxy.drop()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      const reason: Error = signal.reason
      throw reason
    })
    await expect(held).rejects.toMatchObject({ code: 'LOCK_LOST' })
  })
})

describe('answers that are lost', () => {
  it('take no lock twice and leave none behind', async () => {
    const far = await open(proxy.url, 250)
    proxy.dropReplies()
    await expect(far.lock('l', { wait: '100ms' }).acquire()).rejects.toMatchObject({ code: 'TIMEOUT', sent: true })
    // What was taken unheard is given back as soon as anything gets through.
    await proxy.heal()
    const held = await near.lock('l').acquire()
    expect(await held.release()).toBe('released')
  })

  it('are made good within the deadline: a repeat finds its own token', async () => {
    const far = await open(proxy.url, 5_000)
    const before = proxy.bytes.toServer
    proxy.dropReplies()
    const taking = far.lock('l').acquire()
    await vi.waitFor(() => expect(proxy.bytes.toServer).toBeGreaterThan(before))
    await vi.waitFor(async () => expect((await near.lock('l').inspect()).state).toBe('held'))
    await proxy.heal()
    const held = await taking
    expect((await near.lock('l').inspect()).holders[0]?.fence).toBe(held.fence)
    expect(await held.release()).toBe('released')
  })

  it('delay a grant by no more than two beats', async () => {
    const far = await open(proxy.url, 1_000)
    const held = await near.lock('l').acquire()
    const wanted = far.lock('l').acquire()
    await waiting(1)
    // The message that tells of the grant is lost with the connection that listens.
    await vi.waitFor(async () =>
      expect(await server.command('PUBSUB', 'CHANNELS', `${namespace}:lock:*`)).toHaveLength(1),
    )
    proxy.cut()
    await held.release()
    const startMs = performance.now()
    const next = await wanted
    expect(performance.now() - startMs).toBeLessThan(2_000)
    expect(next.valid()).toBe(true)
    await next.release()
  })
})

describe('the server', () => {
  it('may forget its scripts', async () => {
    const lock = near.lock('l')
    for (let i = 0; i < 3; i++) {
      await server.command('SCRIPT', 'FLUSH')
      const held = await lock.acquire()
      await server.command('SCRIPT', 'FLUSH')
      await held.extend('20s')
      await server.command('SCRIPT', 'FLUSH')
      expect(await held.release()).toBe('released')
    }
  })

  it('that is full refuses to take locks, and lets go, extend and pass on', async () => {
    const held = await near.lock('l').acquire()
    const permit = await near.semaphore('s', { permits: 1 }).acquire()
    const [next, nextPermit] = [near.lock('l').acquire(), near.semaphore('s', { permits: 1 }).acquire()]
    await waiting(1)
    await vi.waitFor(async () => expect((await near.semaphore('s', { permits: 1 }).inspect()).waiting).toBe(1))
    let finish: (() => void) | undefined
    const once = near.once('k', () => new Promise<number>((resolve) => (finish = () => resolve(1))), { ttl: '1m' })
    await vi.waitFor(() => expect(finish).toBeDefined())
    await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
    await expect(near.lock('other').acquire()).rejects.toMatchObject({ code: 'SERVER_FULL' })
    await expect(near.once('other', () => 1, { ttl: '1m' })).rejects.toMatchObject({ code: 'SERVER_FULL' })
    await Promise.all([held.extend('20s'), permit.extend('20s')])
    expect(await Promise.all([held.release(), permit.release()])).toEqual(['released', 'released'])
    expect(await Promise.all([(await next).release(), (await nextPermit).release()])).toEqual(['released', 'released'])
    finish?.()
    expect(await once).toBe(1)
    expect(await near.once('k', () => 2, { ttl: '1m' })).toBe(1)
  })

  it('that freezes ends every call by its deadline', async () => {
    const held = await near.lock('l', { ttl: '10s' }).acquire()
    await server.pause()
    const startMs = performance.now()
    await expect(near.lock('m').acquire()).rejects.toMatchObject({ code: 'TIMEOUT' })
    await expect(held.release()).rejects.toMatchObject({ code: expect.stringMatching(/TIMEOUT|CONNECTION_LOST/) })
    expect(performance.now() - startMs).toBeLessThan(2_000)
    await server.resume()
    await vi.waitFor(async () => expect(['released', 'gone']).toContain(await held.release()))
  })

  it('that comes back empty gives the lock anew, with a higher fence, and the old holder hears', async () => {
    const other = await startServer()
    closing.push(() => other.stop())
    const hf = await open(other.url, 2_000)
    const held = await hf.lock('l', { ttl: '600ms' }).acquire()
    const once = await hf.lock('m').acquire()
    await other.restart({ empty: true })
    const next = await hf.lock('l').acquire()
    expect(next.fence).toBeGreaterThan(held.fence)
    await vi.waitFor(() => expect(held.signal.aborted).toBe(true), { timeout: 5_000 })
    expect(await once.release()).toBe('gone')
    expect(next.valid()).toBe(true)
    await next.release()
  })

  it('that was a replica, and had not heard of the lock when it was promoted, gives a higher fence', async () => {
    const config = { replicaof: `127.0.0.1 ${server.port}`, 'repl-diskless-sync-delay': 0 }
    const replica = await startServer({ config })
    closing.push(() => replica.stop())
    await vi.waitFor(
      async () => expect(await replica.command('INFO', 'replication')).toContain('master_link_status:up'),
      {
        timeout: 10_000,
      },
    )
    const first = await near.lock('l').acquire()
    await first.release()
    await vi.waitFor(async () => expect(await replica.command('EXISTS', `{${namespace}:lock:l}`)).toBe(1))
    await replica.command('REPLICAOF', 'NO', 'ONE')
    const old = await near.lock('l').acquire()
    const promoted = await open(replica.url)
    const next = await promoted.lock('l').acquire()
    // Two hold it, which no promise of ours denies; what checks the fence is safe.
    expect(old.valid() && next.valid()).toBe(true)
    expect(next.fence).toBeGreaterThan(old.fence)
    await Promise.all([old.release(), next.release()])
  })
})

// Last, for the process takes long to start.
describe('a process', () => {
  it('that was stopped past its lease knows so at its first look, and its write is refused', async () => {
    child.do('stopped', namespace)
    const fence = BigInt((await child.said('held ')).slice(5))
    child.stop()
    const stoppedMs = performance.now()
    const next = await near.lock('l').acquire()
    expect(next.fence).toBeGreaterThan(fence)
    await server.command('SET', `${namespace}:guarded`, `${next.fence}`)
    await vi.waitFor(() => expect(performance.now() - stoppedMs).toBeGreaterThan(400))
    child.resume()
    expect(JSON.parse(await child.said('{'))).toEqual({ valid: false, aborted: true, code: 'LOCK_LOST' })
    expect(await child.said('refused')).toBe('refused')
    await next.release()
  })

  it('that dies delays those behind it by no more than two seconds, however often it waits', async () => {
    const held = await near.lock('l').acquire()
    child.do('wait', namespace, 4)
    await waiting(4)
    child.do('once', namespace)
    await child.said('running')
    const others = await Promise.all([open(server.url), open(server.url)])
    const order: number[] = []
    const ranMs: number[] = []
    const all: Promise<void>[] = []
    for (let i = 0; i < 12; i++) {
      const run = () => {
        order.push(i)
        ranMs.push(performance.now())
      }
      all.push(others[i % 2]!.lock('l').run(run))
      await waiting(5 + i)
    }
    const once = near.once('k', () => 'mine', { ttl: '1m' })
    await child.kill()
    const startMs = performance.now()
    await held.release()
    await Promise.all(all)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(child.lines).not.toContain('ran')
    expect(ranMs[0]! - startMs).toBeLessThan(2_000)
    // What it ran once is run by who waited for it.
    expect(await once).toBe('mine')
  })
})
