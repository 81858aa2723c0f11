// Those traps of the list that a server must be flushed for, or be cut off: on one of its own, which nobody else asks.
import { type CacheOptions, connect, type Holdfast } from 'holdfast'
import { startProxy, startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { gate } from '../cache-deferred.ts'
import { keepInMemory } from '../cache-memory.ts'

let server: TestServer
let namespace: string
const open: Holdfast[] = []

beforeAll(async () => {
  server = await startServer()
})
afterAll(() => server.stop())
beforeEach(() => {
  namespace = testNamespace('traps')
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})

async function join(url = server.url): Promise<Holdfast> {
  const hf = await connect(url, { namespace })
  open.push(hf)
  return hf
}

/** The same cache in two instances: two processes, as far as it can tell. */
async function two<T = unknown>(options: Partial<CacheOptions<T>> = {}, url = server.url) {
  const [a, b] = await Promise.all([join(url), join()])
  const made = { ttl: '1m', ...options } as CacheOptions<T>
  return [a.cache<T>('it', made), b.cache<T>('it', made)] as const
}

describe('the memory tier', () => {
  const memory = { maxEntries: 1_000 }

  it('3: keeps no value whose change was told while it was being read by FLUSHALL', async () => {
    const [a, b] = await two<number>({ memory })
    await keepInMemory(a, 'warm', 0)
    for (let round = 1; round <= 200; round++) {
      const id = `k${round}`
      await b.set(id, 0)
      const reads = [a.get(id, () => -1)]
      const change = round % 2 === 0 ? server.command('FLUSHALL').then(() => b.set(id, round)) : b.set(id, round)
      reads.push(a.get(id, () => -1))
      await Promise.all([...reads, change])
    }
    // The news of the last change are under way at most; nothing older may have stayed.
    await vi.waitFor(async () => {
      for (let round = 191; round <= 200; round++) {
        const [ours, theirs] = [await a.get(`k${round}`, () => -2), await b.peek(`k${round}`)]
        expect(ours === theirs || theirs === undefined).toBe(true)
      }
    })
  })

  it('5: is off within its bound when the stream is silently lost, and on again when it is back', {
    timeout: 15_000,
  }, async () => {
    const proxy = await startProxy({ target: server })
    const [a, b] = await two<string>({ memory }, proxy.url)
    await keepInMemory(a, 'k', 'old')
    proxy.drop()
    await b.set('k', 'new')
    const changedMs = performance.now()
    let lastOldMs = 0
    for (;;) {
      const startMs = performance.now()
      const value = await a.get('k', () => 'new')
      if (value === 'new') break
      lastOldMs = startMs - changedMs
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    expect(lastOldMs).toBeLessThan(2_000)
    await proxy.heal()
    await vi.waitFor(
      async () => {
        const before = a.stats.hits.memory
        expect(await a.get('k', () => 'never')).toBe('new')
        expect(a.stats.hits.memory).toBe(before + 1)
      },
      { timeout: 5_000 },
    )
    await proxy.close()
  })
})

describe('10: a caller who comes after an invalidation', () => {
  it('does not get it while Redis is away either', async () => {
    const proxy = await startProxy({ target: server })
    const [a, b] = await two({}, proxy.url)
    const slow = gate<string>()
    const early = a.get('k', slow.load)
    await slow.began
    await b.delete('k')
    const late = a.get('k', () => 'new')
    proxy.cut()
    await proxy.refuse()
    slow.answer('old')
    expect(await early).toBe('old')
    expect(await late).toBe('new')
    await proxy.close()
  })

  it('does not get what a load that had begun without Redis brings', async () => {
    const proxy = await startProxy({ target: server })
    const [a, b] = await two({}, proxy.url)
    await proxy.refuse()
    proxy.cut()
    const slow = gate<string>()
    const early = a.get('k', slow.load)
    await slow.began
    await b.delete('k')
    const late = a.get('k', () => 'new')
    const many = a.getMany(['k'], (ids) => ids.map(() => 'new'))
    await new Promise((resolve) => setTimeout(resolve, 20))
    slow.answer('old')
    expect(await early).toBe('old')
    expect(await late).toBe('new')
    expect((await many).get('k')).toBe('new')
    await proxy.close()
  })
})
