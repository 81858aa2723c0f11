// What the way to a Cluster does when slots move and nodes fail, for real. Steady load through all of it: test/chaos.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { monotonicMs } from '../../src/base/clock.ts'
import { asKey } from '../../src/redis/keyspace.ts'
import { Redis } from '../../src/redis/redis.ts'
import { type ConnectOptions, resolveSettings } from '../../src/redis/settings.ts'
import { slotOf } from '../../src/redis/slots.ts'
import { HandToHand } from '../chaos/lock-moves.ts'
import { connect, startCluster, type TestCluster, type TestServer } from './cluster.fixture.ts'
import { Counting } from './figures.ts'

let cluster: TestCluster
const open: { close(): Promise<void> }[] = []

beforeAll(async () => {
  cluster = await startCluster({ announceHostnames: true })
})
afterEach(async () => {
  await cluster.heal()
  await Promise.all(open.splice(0).map((each) => each.close()))
})
afterAll(() => cluster.stop())

const READ = { operation: 'test.read', repeat: true }
const ONCE = { operation: 'test.once', repeat: false }

async function redisAt(options: ConnectOptions = {}): Promise<Redis> {
  const settings = { addressMap: cluster.addressMap, timeout: '10s', ...options } as ConnectOptions
  const redis = new Redis(resolveSettings(cluster.url, settings))
  open.push(redis)
  await redis.connect()
  return redis
}

const get = (redis: Redis, key: string) => redis.call(asKey(key), 'GET', [key], READ)
const set = (redis: Redis, key: string, value: string) => redis.call(asKey(key), 'SET', [key, value], READ)
const incr = (redis: Redis, key: string) => redis.call(asKey(key), 'INCR', [key], ONCE)

/**
 * Begins to move a key's slot: new keys of it are made on the target. All moves of a test go to one node: a target that gets the next
 * epoch while the news of another's is still under way may be taken for the older one, and two nodes then name each other.
 */
async function openSlot(key: string, target?: TestServer) {
  const slot = slotOf(key)
  const from = await cluster.primaryOf(key)
  const to = target ?? ((await cluster.primaries()).find((node) => node !== from) as TestServer)
  const [fromId, toId] = [await cluster.idOf(from), await cluster.idOf(to)]
  await to.command('CLUSTER', 'SETSLOT', slot, 'IMPORTING', fromId)
  await from.command('CLUSTER', 'SETSLOT', slot, 'MIGRATING', toId)
  const migrate = async (...keys: string[]) =>
    await from.command('MIGRATE', '127.0.0.1', to.port, '', 0, 5_000, 'KEYS', ...keys)
  const finish = async () => {
    for (const node of [to, from]) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
    for (const node of await cluster.primaries()) await node.command('CLUSTER', 'SETSLOT', slot, 'NODE', toId)
  }
  return { from, to, migrate, finish }
}

describe('while a slot moves', () => {
  test('a call follows the key, whichever side has it, and the map learns of the move', async () => {
    const redis = await redisAt()
    const [here, there] = ['{moving:1}:here', '{moving:1}:there']
    await Promise.all([set(redis, here, 'a'), set(redis, there, 'b')])
    const { migrate, finish, to } = await openSlot(here)
    await migrate(there)
    expect([await get(redis, here), await get(redis, there)]).toEqual(['a', 'b'])
    // A key that was on neither side is made where the slot goes to.
    expect(await incr(redis, '{moving:1}:new')).toBe(1)
    expect(await to.command('CLUSTER', 'COUNTKEYSINSLOT', slotOf(here))).toBe(2)
    await migrate(here)
    await finish()
    const { redirects } = redis.stats
    expect(await get(redis, here)).toBe('a')
    expect(redis.stats.redirects).toBe(redirects + 1)
    expect(await Promise.all([get(redis, here), get(redis, there)])).toEqual(['a', 'b'])
    expect(redis.stats.redirects).toBe(redirects + 1)
  })

  test('many calls of one tick are each sent on, and none gets another one s answer', async () => {
    const redis = await redisAt()
    const keys = Array.from({ length: 60 }, (_, i) => `{moving:2}:${i}`)
    await Promise.all(keys.map((key) => set(redis, key, key)))
    const { migrate, finish } = await openSlot(keys[0] as string)
    await migrate(...keys.filter((_, i) => i % 2 === 0))
    const others = Array.from({ length: 60 }, (_, i) => `other:${i}`)
    const read = await Promise.all([...keys, ...others].map((key) => get(redis, key)))
    expect(read).toEqual([...keys, ...others.map(() => null)])
    await migrate(...keys.filter((_, i) => i % 2 === 1))
    await finish()
    expect(await Promise.all(keys.map((key) => get(redis, key)))).toEqual(keys)
  })

  test('a command of several keys waits out the moment in which they are apart', async () => {
    const redis = await redisAt()
    const keys = ['{moving:3}:a', '{moving:3}:b'].map(asKey)
    await Promise.all(keys.map((key) => set(redis, key, key)))
    const { migrate, finish } = await openSlot(keys[0] as string)
    await migrate(keys[0] as string)
    let settled = false
    const both = redis.getAll(keys, READ).finally(() => {
      settled = true
    })
    await vi.waitFor(() => expect(redis.stats.repeats).toBeGreaterThan(3))
    expect(settled).toBe(false)
    await migrate(keys[1] as string)
    await finish()
    expect(await both).toEqual(keys)
  })

  test('what is not to be repeated is sent on too: a redirect says that it was not carried out', async () => {
    const redis = await redisAt()
    await incr(redis, '{moving:4}:n')
    const { migrate, finish } = await openSlot('{moving:4}:n')
    let over = false
    const callers = Promise.all(
      Array.from({ length: 16 }, async () => {
        let done = 0
        while (!over) done += Number((await incr(redis, '{moving:4}:n')) !== null)
        return done
      }),
    )
    await migrate('{moving:4}:n')
    await finish()
    await vi.waitFor(() => expect(redis.stats.redirects).toBeGreaterThan(0))
    over = true
    const done = (await callers).reduce((sum, count) => sum + count, 0)
    expect(Number(await get(redis, '{moving:4}:n'))).toBe(done + 1)
  })

  test('locks go from hand to hand, each by one at a time and by rising fences, and who has one keeps it', async () => {
    const instances = await Promise.all([connect(cluster), connect(cluster)])
    open.push(...instances)
    const names = ['moving-a', 'moving-b', 'moving-c']
    const target = await cluster.primaryOf('{hf:lock:moving-c}')
    const held = await instances[0]!.lock('moving-held').acquire()
    const locks = new HandToHand(instances, names, 3)
    const moreOf = async (name: string) => {
      const before = locks.holdsOf(name)
      await vi.waitFor(() => expect(locks.holdsOf(name)).toBeGreaterThan(before + 20), 10_000)
    }
    for (const name of [...names, 'moving-held']) {
      const key = `{hf:lock:${name}}`
      if ((await cluster.primaryOf(key)) === target) continue
      const { migrate, finish } = await openSlot(key, target)
      if (name !== 'moving-held') await moreOf(name)
      await migrate(key)
      if (name !== 'moving-held') await moreOf(name)
      await finish()
      await moreOf('moving-a')
    }
    expect(await locks.stop()).toBeGreaterThan(100)
    expect(locks.problems).toEqual([])
    await held.extend('40s')
    expect([held.valid(), await held.release()]).toEqual([true, 'released'])
    expect(instances[0]!.stats.redirects).toBeGreaterThan(0)
  })

  test('what is counted, measured and moved is there once, whichever side has its keys', async () => {
    const hf = await connect(cluster)
    open.push(hf)
    const counting = new Counting(hf, 'moving')
    const more = async (rounds: number) => {
      const before = counting.rounds
      await vi.waitFor(() => expect(counting.rounds).toBeGreaterThanOrEqual(before + rounds), 10_000)
    }
    await more(20)
    const tags = ['{hf:analytics:moving:0/1}', '{hf:monitor:moving}', '{hf:geo:moving:1/4}']
    const target = await cluster.primaryOf('{hf:monitor:moving}')
    for (const tag of tags) {
      if ((await cluster.primaryOf(tag)) === target) continue
      const { from, migrate, finish } = await openSlot(tag, target)
      // Some keys are on the one side by now and some on the other: what takes both waits until they are together.
      const keys = await from.command<string[]>('CLUSTER', 'GETKEYSINSLOT', slotOf(tag), 100)
      await migrate(...keys.slice(0, 1))
      await vi.waitFor(() => expect(hf.stats.repeats + hf.stats.redirects).toBeGreaterThan(0), 10_000)
      for (;;) {
        const left = await from.command<string[]>('CLUSTER', 'GETKEYSINSLOT', slotOf(tag), 100)
        if (left.length === 0) break
        await migrate(...left)
      }
      await finish()
      await more(20)
    }
    const { found, expected } = await counting.stop()
    expect(counting.problems).toEqual([])
    expect(found).toEqual(expected)
  })

  test('memory keeps nothing that was read from the side which it does not listen to', async () => {
    const hf = await connect(cluster)
    open.push(hf)
    const cache = hf.cache<string>('m', { ttl: '1h', memory: {} })
    await cache.set('k', 'old')
    await vi.waitFor(async () => {
      await cache.get('k')
      expect(cache.stats.memory.entries).toBe(1)
    })
    const key = '{hf:cache:m:k}'
    const { migrate, finish, to } = await openSlot(key)
    await migrate(key)
    // Its deletion on the one side is news enough to forget it.
    await vi.waitFor(() => expect(cache.stats.memory.entries).toBe(0))
    expect(await cache.get('k')).toBe('old')
    expect(cache.stats.memory.entries).toBe(0)
    await finish()
    await vi.waitFor(async () => {
      await cache.get('k')
      expect(cache.stats.memory.entries).toBe(1)
    })
    await to.command('DEL', key)
    await vi.waitFor(async () => expect(await cache.get('k')).toBeUndefined())
  })
})

describe('every node', () => {
  test('is met by patterns and clear(), while slots move to and fro', async () => {
    const hf = await connect(cluster)
    open.push(hf)
    const cache = hf.cache<number>('sweep', { ttl: '1h' })
    const ids = Array.from({ length: 2_000 }, (_, i) => `${i}`)
    const target = (await cluster.primaries())[0] as TestServer
    let moved = 0
    for (let round = 0; round < 3; round++) {
      await Promise.all(ids.map((id) => cache.set(id, round)))
      let over = false
      const moves = (async () => {
        for (let i = 0; !over; i++) {
          const key = `{hf:cache:sweep:${(i * 3 + round) % 2_000}}`
          if ((await cluster.primaryOf(key)) === target) continue
          moved++
          const { migrate, finish, from } = await openSlot(key, target)
          const keys = await from.command<string[]>('CLUSTER', 'GETKEYSINSLOT', slotOf(key), 100)
          if (keys.length > 0) await migrate(...keys)
          await finish()
        }
      })()
      await (round === 1 ? cache.invalidatePattern('*') : cache.clear())
      over = true
      await moves
      const left = await Promise.all(
        (await cluster.primaries()).map((node) => node.command<string[]>('KEYS', '*cache:sweep*')),
      )
      expect(left.flat()).toEqual([])
    }
    expect(moved).toBeGreaterThan(10)
  })

  test('is met although one of them fails over meanwhile', async () => {
    const hf = await connect(cluster)
    open.push(hf)
    const cache = hf.cache<number>('over', { ttl: '1h' })
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => cache.set(`${i}`, i)))
    const [victim] = (await cluster.primaries()) as [TestServer]
    const [clearing] = await Promise.all([cache.clear().then(() => monotonicMs()), victim.kill()])
    expect(clearing).toBeGreaterThan(0)
    const running = (await cluster.primaries()).filter((node) => node.pid !== undefined)
    await vi.waitFor(
      async () => expect((await cluster.primaries()).filter(({ pid }) => pid !== undefined).length).toBe(3),
      {
        timeout: 10_000,
      },
    )
    for (const node of new Set([...running, ...(await cluster.primaries())]))
      expect(await node.command('KEYS', '*cache:over*')).toEqual([])
    await victim.restart()
    await cluster.settled()
  })
})

describe('a primary that', () => {
  test('is killed costs its own keys a failover, and the others nothing', async () => {
    const redis = await redisAt()
    const victim = await cluster.primaryOf('victim')
    const other = Array.from({ length: 100 }, (_, i) => `safe:${i}`)
    const safe: string[] = []
    for (const key of other) if ((await cluster.primaryOf(key)) !== victim) safe.push(key)
    await Promise.all([set(redis, 'victim', '1'), ...safe.map((key) => set(redis, key, key))])
    await victim.command('WAIT', 1, 1_000)
    await victim.kill()
    const waiting = get(redis, 'victim')
    let slowestMs = 0
    let isBack = false
    void waiting.finally(() => {
      isBack = true
    })
    while (!isBack) {
      const startMs = monotonicMs()
      expect(await get(redis, safe[0] as string)).toBe(safe[0])
      slowestMs = Math.max(slowestMs, monotonicMs() - startMs)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await waiting).toBe('1')
    expect(slowestMs).toBeLessThan(1_000)
    expect(redis.stats.failovers).toBe(1)
    await victim.restart()
    await cluster.settled()
  })

  test('sleeps and wakes is not believed: what it acknowledges then was never told to anyone', async () => {
    const redis = await redisAt()
    const sleeper = await cluster.primaryOf('sleeper')
    await set(redis, 'sleeper', '0')
    await sleeper.pause()
    let told = 0
    const writes = (async () => {
      for (let i = 1; i <= 500; i++) {
        await set(redis, 'sleeper', `${i}`)
        told = i
      }
    })()
    await vi.waitFor(() => expect(told).toBeGreaterThan(10), { timeout: 10_000 })
    await sleeper.resume()
    await writes
    expect(await get(redis, 'sleeper')).toBe('500')
    await cluster.settled()
    expect(await get(redis, 'sleeper')).toBe('500')
  })
})

test('says which servers it could not reach when the map of addresses is missing', async () => {
  const redis = new Redis(resolveSettings(cluster.url, { timeout: '1s' }))
  await expect(redis.connect()).rejects.toMatchObject({
    code: expect.stringMatching(/TIMEOUT|CONNECTION_LOST/),
    message: expect.stringContaining('.invalid'),
  })
})
