// What the way to a Sentinel group does when the primary fails, sleeps or is replaced as planned, for real.
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { type ConnectOptions, connect, type Holdfast } from '../../src/index.ts'
import { startSentinel, type TestSentinel } from '../../src/testing/index.ts'

const SOON = { timeout: 20_000, interval: 20 }

let group: TestSentinel
const open: Holdfast[] = []

beforeAll(async () => {
  group = await startSentinel({ password: 'server secret', sentinelPassword: 'sentinel secret' })
})
afterEach(async () => {
  await group.heal()
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})
afterAll(() => group.stop())

async function connected(options: ConnectOptions = {}): Promise<Holdfast> {
  const hf = await connect(group.url, { timeout: '10s', ...options })
  open.push(hf)
  return hf
}

/** Callers that write counters of their own and look for each write that was acknowledged; what they found wrong. */
function writers(hf: Holdfast, count: number) {
  const cache = hf.cache<number>('own', { ttl: '1h' })
  const wrong: string[] = []
  let over = false
  let done = 0
  const work = Promise.all(
    Array.from({ length: count }, async (_, caller) => {
      for (let i = 0; !over; i++) {
        await cache.set(`${caller}:${i % 50}`, i)
        const found = await cache.peek(`${caller}:${i % 50}`)
        if (found !== i) wrong.push(`wrote ${i}, read ${found}`)
        done++
        await wait(2)
      }
    }),
  )
  // A test that fails before it stops them closes what they use.
  work.catch(() => {})
  onTestFinished(() => {
    over = true
  })
  return {
    get done() {
      return done
    },
    async stop() {
      over = true
      await work
      return wrong
    },
  }
}

describe('the primary', () => {
  test('is replaced as planned, and nothing that was acknowledged is lost', async () => {
    const hf = await connected()
    const work = writers(hf, 16)
    await vi.waitFor(() => expect(work.done).toBeGreaterThan(500), SOON)
    await group.failover()
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    const before = work.done
    await vi.waitFor(() => expect(work.done).toBeGreaterThan(before + 500), SOON)
    expect(await work.stop()).toEqual([])
  })

  test('is killed, and callers go on with the next one', async () => {
    const hf = await connected()
    const work = writers(hf, 16)
    await vi.waitFor(() => expect(work.done).toBeGreaterThan(500), SOON)
    const victim = await group.primary()
    await victim.kill()
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    const before = work.done
    await vi.waitFor(() => expect(work.done).toBeGreaterThan(before + 500), SOON)
    expect(await work.stop()).toEqual([])
    await victim.restart()
  })

  test('sleeps, is replaced, and what it says when it wakes is not believed', async () => {
    const hf = await connected()
    const work = writers(hf, 16)
    await vi.waitFor(() => expect(work.done).toBeGreaterThan(500), SOON)
    const sleeper = await group.primary()
    await sleeper.pause()
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    await sleeper.resume()
    const before = work.done
    await vi.waitFor(() => expect(work.done).toBeGreaterThan(before + 2_000), SOON)
    expect(await work.stop()).toEqual([])
  })

  test('is followed by those who listen: doorbells ring and memory is true after a failover', async () => {
    const [hf, other] = [await connected(), await connected()]
    const night = hf.seats('night')
    await night.create({
      currency: 'EUR',
      perCustomer: 8,
      sections: [{ name: 'A', rows: 1, seatsPerRow: 9, price: 1 }],
    })
    const heard: string[] = []
    const ending = new AbortController()
    const following = (async () => {
      for await (const change of night.changes({ since: 0, signal: ending.signal })) heard.push(change.kind)
    })().catch(() => {})
    const kept = hf.cache<number>('kept', { ttl: '1h', memory: {} })
    const writing = other.cache<number>('kept', { ttl: '1h' })
    await writing.set('k', 1)
    await vi.waitFor(async () => {
      expect(await kept.get('k')).toBe(1)
      expect(kept.stats.memory.entries).toBe(1)
    }, SOON)
    await group.failover()
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    await writing.set('k', 2)
    await vi.waitFor(async () => expect(await kept.get('k')).toBe(2), SOON)
    await vi.waitFor(async () => {
      await kept.get('k')
      expect(kept.stats.memory.entries).toBe(1)
    }, SOON)
    await other.seats('night').hold({ id: 'h', customer: 'c', seats: ['A-1-1'], for: '1m' })
    await vi.waitFor(() => expect(heard).toContain('held'), SOON)
    ending.abort()
    await following
    await night.remove()
  })
})

describe('the Sentinels', () => {
  test('may be down but one, also while the primary fails', async () => {
    const hf = await connected()
    const cache = hf.cache<number>('n', { ttl: '1h' })
    // One that nobody hears: the others tell of the failover.
    await group.sentinels[0]?.pause()
    await group.failover().catch(() => {})
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    await cache.set('k', 1)
    expect(await cache.peek('k')).toBe(1)
    await group.sentinels[0]?.resume()
  })

  test('are not needed while nothing fails', async () => {
    const hf = await connected()
    const cache = hf.cache<number>('n', { ttl: '1h' })
    await Promise.all(group.sentinels.map((sentinel) => sentinel.kill()))
    await cache.set('k', 2)
    expect(await cache.peek('k')).toBe(2)
    await Promise.all(group.sentinels.map((sentinel) => sentinel.restart()))
  })

  test('that were not named are found, and asked when those that were are gone', async () => {
    const [named, ...others] = group.sentinels
    const hf = await connect(group.url.replace(/127\.0\.0\.1:[\d,:.]+/, `127.0.0.1:${named?.port}`), { timeout: '10s' })
    open.push(hf)
    await named?.kill()
    expect(others.length).toBe(2)
    await group.failover()
    await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), SOON)
    await hf.cache('n', { ttl: '1h' }).set('k', 3)
    await named?.restart()
  })

  test('are asked one after the other at the start: a frozen and an absent one cost no more than moments', async () => {
    await group.sentinels[0]?.pause()
    await group.sentinels[1]?.kill()
    const startMs = performance.now()
    await connected()
    // By itself 0.2 s; a second for a machine that has much to do.
    expect(performance.now() - startMs).toBeLessThan(2_000)
    await group.sentinels[0]?.resume()
    await group.sentinels[1]?.restart()
  })
})

test('reaches servers that announce other addresses through the map', async () => {
  const announced = group.servers.map(({ port }) => [`127.0.0.1:${port}`, `localhost:${port}`])
  const hf = await connected({ addressMap: Object.fromEntries(announced) })
  await hf.cache('n', { ttl: '1h' }).set('k', 1)
  // The Sentinels name 127.0.0.1, and a wrong map leads astray: it is asked.
  const astray = Object.fromEntries(group.servers.map(({ port }) => [`127.0.0.1:${port}`, 'nowhere.invalid']))
  await expect(connect(group.url, { addressMap: astray, timeout: '500ms' })).rejects.toMatchObject({
    message: expect.stringContaining('nowhere.invalid'),
  })
})

test.each([
  [
    'a name that they do not know',
    (url: string) => url.replace('/primary', '/other'),
    'SERVER_UNFIT',
    /know no primary named 'other'/,
  ],
  [
    'a wrong password of the Sentinels',
    (url: string) => url.replace('sentinel%20secret', 'x'),
    'AUTH_FAILED',
    /refused/,
  ],
  ['a wrong password of the servers', (url: string) => url.replace('server%20secret', 'x'), 'AUTH_FAILED', /refused/],
  [
    'the address of a server',
    () => `redis+sentinel://127.0.0.1:${group.servers[0]?.port}/primary?sentinelPassword=server%20secret`,
    'SERVER_UNFIT',
    /no Sentinel/,
  ],
])('refuses %s at once', async (_what, change, code, message) => {
  const startMs = performance.now()
  const error = await connect(change(group.url), { timeout: '10s' }).then(
    () => undefined,
    (caught) => caught,
  )
  expect([error?.code, error?.message]).toEqual([code, expect.stringMatching(message)])
  expect(performance.now() - startMs).toBeLessThan(2_000)
  expect(`${error.message} ${error.stack}`).not.toContain('secret')
})
