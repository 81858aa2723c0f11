import { type ChildProcess, fork } from 'node:child_process'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { moveShards, planShards } from '../../src/ops/shards/index.ts'
import { asKey, type Key, Keyspace } from '../../src/redis/keyspace.ts'
import { Redis } from '../../src/redis/redis.ts'
import { Rendezvous } from '../../src/redis/rendezvous.ts'
import { resolveSettings } from '../../src/redis/settings.ts'
import { LayoutKeys } from '../../src/redis/shards/layout.ts'
import { LIFT } from '../../src/redis/shards/scripts.ts'
import { move, ShardGroup } from './shards.fixture.ts'
import type { ShardOrder } from './shards-child.ts'
import { Traffic } from './shards-traffic.ts'

const groups: ShardGroup[] = []
const children: ChildProcess[] = []
const start = async (names: string): Promise<ShardGroup> => {
  const group = await ShardGroup.start(names)
  groups.push(group)
  return group
}
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  await Promise.all(groups.splice(0).map((group) => group.stop()))
})

/** Begins a move and leaves it where it first says `step`, as a mover would that was killed there. */
async function abandon(group: ShardGroup, from: string, to: string, step: string): Promise<void> {
  const abort = new AbortController()
  const onProgress = (progress: { step: string }) => {
    if (progress.step === step) abort.abort(new Error('left'))
  }
  await expect(move(group, from, to, { signal: abort.signal, onProgress })).rejects.toThrow('left')
}

async function order(what: ShardOrder): Promise<ChildProcess> {
  const child = fork(new URL('./shards-child.ts', import.meta.url), {
    execArgv: ['--import', new URL('../../scripts/typescript.mjs', import.meta.url).href],
    stdio: 'inherit',
  })
  children.push(child)
  await hear(child, 'up')
  child.send(what)
  return child
}

const hear = (child: ChildProcess, said: string) =>
  new Promise<Record<string, unknown>>((resolve, reject) => {
    const onMessage = (message: unknown) => {
      const heard = message as Record<string, unknown>
      if (heard.said === 'wrong') reject(new Error(`read ${heard.found} after writing ${heard.count}`))
      if (heard.said !== said) return
      child.off('message', onMessage)
      resolve(heard)
    }
    child.on('message', onMessage)
    child.once('exit', (code) => reject(new Error(`the child ended with ${code} before it said ${said}`)))
  })

describe('a move under traffic', () => {
  it('fails no call and loses no value, from one shard to three and back, with old and new addresses', async () => {
    const group = await start('abc')
    const clients = [await group.connect('a'), await group.connect('abc'), await group.connect('a')]
    const kept = clients[0]?.cache<string>('kept', { ttl: '10m' })
    for (let i = 0; i < 500; i++) await kept?.set(`k${i}`, `v${i}`)
    const traffic = new Traffic(clients)
    for (const [from, to] of [
      ['a', 'abc'],
      ['abc', 'a'],
    ] as const) {
      const report = await move(group, from, to)
      expect(report).toMatchObject({ status: 'moved', from: [...from], to: [...to], lost: [], removed: 0 })
      for (const name of to) expect(await group.layoutOn(name)).toMatchObject({ phase: 'stable' })
      const found = await clients[1]
        ?.cache<string>('kept', { ttl: '10m' })
        .getMany(Array.from({ length: 500 }, (_, i) => `k${i}`))
      expect([...(found ?? [])].filter(([id, value]) => value !== id.replace('k', 'v'))).toEqual([])
      expect(found?.size).toBe(500)
    }
    await traffic.stop()
    expect(await group.keysOn('b')).toEqual([])
    expect(await group.keysOn('c')).toEqual([])
    console.info(`${traffic.calls} calls, the longest ${Math.round(traffic.longestMs)} ms`)
    expect(traffic.longestMs).toBeLessThan(4_000)
  })

  it('goes on after its mover was killed with -9 in the middle', async () => {
    const group = await start('ab')
    const clients = [await group.connect('a'), await group.connect('ab')]
    const kept = clients[0]?.cache<string>('kept', { ttl: '10m' })
    await Promise.all(Array.from({ length: 3_000 }, (_, i) => kept?.set(`k${i}`, `v${i}`)))
    const traffic = new Traffic(clients)
    const options = { url: group.url('a'), to: group.url('ab'), namespace: group.namespace }
    const mover = await order({ do: 'move', options })
    await hear(mover, 'move')
    mover.kill('SIGKILL')
    expect(await group.layoutOn('a')).toMatchObject({ phase: 'pulling' })
    await expect(move(group, 'a', 'b')).rejects.toMatchObject({ code: 'CHANGE_REFUSED', reason: 'busy' })
    let report: Awaited<ReturnType<typeof move>> | undefined
    await vi.waitFor(
      async () => {
        report = await move(group, 'a', 'ab')
      },
      { timeout: 10_000, interval: 200 },
    )
    expect(report).toMatchObject({ status: 'moved', resumed: true })
    await traffic.stop()
    const found = await kept?.getMany(Array.from({ length: 3_000 }, (_, i) => `k${i}`))
    expect([...(found ?? [])].filter(([id, value]) => value !== id.replace('k', 'v'))).toEqual([])
    expect(found?.size).toBe(3_000)
    const places = new Rendezvous(['a', 'b'])
    for (const name of 'ab')
      for (const key of await group.keysOn(name)) expect(places.names[places.placeOf(key)]).toBe(name)
  })

  it('loses no acknowledged write of processes that stood still while it began, wherever they stood', async () => {
    const group = await start('ab')
    const ids = group.idsOf('b', 'ab', 2)
    const clients = await Promise.all(
      ids.map((id) => order({ do: 'write', url: group.url('a'), namespace: group.namespace, id })),
    )
    await Promise.all(clients.map((client) => hear(client, 'wrote')))
    for (const client of clients) client.kill('SIGSTOP')
    await move(group, 'a', 'ab')
    const other = (await group.connect('ab')).cache<number>('it', { ttl: '10m' })
    for (const id of ids) await other.set(id, -1)
    for (const client of clients) client.kill('SIGCONT')
    for (const id of ids)
      await vi.waitFor(async () => expect(await other.get(id)).toBeGreaterThan(0), { timeout: 5_000 })
    for (const [i, client] of clients.entries()) {
      const done = hear(client, 'done')
      client.send('stop')
      const { count } = await done
      expect(await other.get(ids[i] as string)).toBe(count)
    }
  })
})

describe('a move from four shards to five', () => {
  it('moves what the plan says, about a fifth, and every value keeps its time to live', async () => {
    const group = await start('abcde')
    const old = await group.connect('abcd')
    const ids = Array.from({ length: 3_000 }, (_, i) => `id${i}`)
    const cache = old.cache<string>('it', { ttl: '10m' })
    await Promise.all(ids.map((id) => cache.set(id, `value of ${id}`)))
    const request = { url: group.url('abcd'), to: group.url('abcde'), namespace: group.namespace }
    const plan = await planShards(request)
    expect(plan).toMatchObject({
      keys: 3_000,
      from: [...'abcd'],
      to: [...'abcde'],
      strays: 0,
      unreachable: [],
      isDone: false,
    })
    expect(plan.transfers.map(({ from, to }) => from + to)).toEqual(['ae', 'be', 'ce', 'de'])
    expect(plan.share).toBeGreaterThan(0.2 * 0.85)
    expect(plan.share).toBeLessThan(0.2 * 1.15)
    const placesBefore = new Rendezvous([...'abcd'])
    const placesAfter = new Rendezvous([...'abcde'])
    const moving = ids.filter((id) => placesAfter.names[placesAfter.placeOf(group.cacheKey(id))] === 'e')
    expect(plan.keysMoving).toBe(moving.length)
    // Bytes are of the servers' memory; one entry has some 150.
    expect(plan.bytesMoving / plan.keysMoving).toBeGreaterThan(80)
    expect(plan.bytesMoving / plan.keysMoving).toBeLessThan(400)

    const report = await moveShards(request)
    expect(report.keys).toBe(plan.keysMoving)
    expect((await group.keysOn('e')).length).toBe(plan.keysMoving)
    for (const hf of [old, await group.connect('abcde')]) {
      const found = await hf.cache<string>('it', { ttl: '10m' }).getMany(ids)
      expect([...found].every(([id, value]) => value === `value of ${id}`)).toBe(true)
    }
    for (const id of moving.slice(0, 50)) {
      const from = placesBefore.names[placesBefore.placeOf(group.cacheKey(id))] as string
      expect(await group.at(from).command('EXISTS', group.cacheKey(id))).toBe(0)
      const ttlMs = await group.at('e').command<number>('PTTL', group.cacheKey(id))
      expect(ttlMs).toBeGreaterThan(600_000 - 30_000)
      expect(ttlMs).toBeLessThanOrEqual(600_000)
    }
    expect(await planShards(request)).toMatchObject({ isDone: true, keysMoving: 0 })
    expect(await moveShards(request)).toMatchObject({ status: 'same', keys: 0 })
  })
})

describe('while keys move', () => {
  it('brings nothing back that was cleared, wherever it was on its way', async () => {
    const group = await start('ab')
    const hf = await group.connect('a')
    const caches = ['cleared', 'matched'].map((name) => hf.cache<string>(name, { ttl: '10m' }))
    for (const cache of caches) await cache.invalidatePattern('*')
    await Promise.all(caches.flatMap((cache) => Array.from({ length: 3_000 }, (_, i) => cache.set(`id${i}`, 'old'))))
    await abandon(group, 'a', 'ab', 'move')
    const { version } = (await group.layoutOn('a')) as { version: number }
    const keys = new LayoutKeys(new Keyspace(group.namespace))
    const places = new Rendezvous(['a', 'b'])
    const left = (await group.keysOn('a')).filter((key) => keys.isOwn(key) && places.placeOf(key) === 1)
    expect(left.length).toBeGreaterThan(100)
    // Aside on its old shard, as a process leaves it that dies between two steps.
    for (const key of left.slice(0, 100))
      expect(
        await group.at('a').command('EVAL', LIFT.lua, 3, keys.record, key, keys.parked(key, version), version, 1 << 20),
      ).toMatchObject(['lifted', expect.anything(), expect.anything()])
    await caches[0]?.clear()
    await caches[1]?.invalidatePattern('id*')
    for (const name of 'ab') expect(await group.keysOn(name)).toEqual([])
    await finish(group, 'a', 'ab')
    for (const name of 'ab') expect(await group.keysOn(name)).toEqual([])
  })

  it('serves nothing from memory that has changed', async () => {
    const group = await start('ab')
    const near = (await group.connect('a')).cache<string>('it', { ttl: '10m', memory: { ttl: '10m' } })
    const far = (await group.connect('a')).cache<string>('it', { ttl: '10m' })
    const ids = group.idsOf('b', 'ab', 20)
    await Promise.all(ids.map((id) => far.set(id, '0')))
    const allAre = async (value: string) => {
      for (const id of ids) expect(await near.get(id)).toBe(value)
    }
    const warm = async () => {
      const { memory } = near.stats.hits
      await vi.waitFor(async () => {
        for (const id of ids) await near.get(id)
        expect(near.stats.hits.memory - memory).toBeGreaterThanOrEqual(ids.length)
      })
    }
    await warm()
    await abandon(group, 'a', 'ab', 'move')
    await Promise.all(ids.map((id) => far.set(id, '1')))
    await vi.waitFor(() => allAre('1'), { timeout: 2_000, interval: 20 })
    await finish(group, 'a', 'ab')
    await Promise.all(ids.map((id) => far.set(id, '2')))
    await vi.waitFor(() => allAre('2'), { timeout: 2_000, interval: 20 })
    await warm()
    await Promise.all(ids.map((id) => far.set(id, '3')))
    await vi.waitFor(() => allAre('3'), { timeout: 2_000, interval: 20 })
  })

  it('keeps keys apart in one command that have one place now and two to be, and says so of a call that has them together', async () => {
    const group = await start('ab')
    const redis = new Redis(resolveSettings(group.url('a'), { namespace: group.namespace, timeout: '5s' }))
    try {
      await redis.connect()
      const together = [...group.idsOf('a', 'ab', 2), ...group.idsOf('b', 'ab', 2)].map((id) =>
        asKey(group.cacheKey(id)),
      )
      const options = { operation: 'test', repeat: true }
      for (const key of together) await redis.call(key, 'SET', [key, key], options)
      expect(redis.groupByPlace(together, (key) => key, 9).length).toBe(1)
      await abandon(group, 'a', 'ab', 'stop')
      await vi.waitFor(() => expect(redis.groupByPlace(together, (key) => key, 9).length).toBe(2))
      const late = redis.call(together[0] as Key, 'MGET', together, options)
      await expect(late).rejects.toMatchObject({ code: 'CONNECTION_LOST', sent: false, retryable: true })
      expect(await redis.getAll(together, options)).toEqual(together)
    } finally {
      await redis.close()
    }
  })

  it('goes on by itself where the mover left all waiting', async () => {
    const group = await start('ab')
    const cache = (await group.connect('a')).cache<string>('it', { ttl: '10m', whenDown: 'throw' })
    const id = group.idOf('b', 'ab')
    await cache.set(id, 'kept')
    await abandon(group, 'a', 'ab', 'stop')
    await vi.waitFor(async () => expect(await group.layoutOn('b')).toMatchObject({ phase: 'pulling' }), {
      timeout: 5_000,
    })
    expect(await cache.get(id)).toBe('kept')
    await finish(group, 'a', 'ab')
    expect(await cache.get(id)).toBe('kept')
    expect(await group.keysOn('b')).toEqual([group.cacheKey(id)])
  })

  it('makes errors, and loses nothing, when the new shard is away', async () => {
    const group = await start('ab')
    const cache = (await group.connect('a', { timeout: 400 })).cache<string>('it', { ttl: '10m', whenDown: 'throw' })
    const [stays, goes] = [group.idOf('a', 'ab'), group.idOf('b', 'ab')]
    await cache.set(stays, 'stays')
    await cache.set(goes, 'goes')
    await abandon(group, 'a', 'ab', 'stop')
    await vi.waitFor(async () => expect(await group.layoutOn('a')).toMatchObject({ phase: 'pulling' }), {
      timeout: 5_000,
    })
    await group.at('b').pause()
    for (let i = 0; i < 3; i++)
      expect(await cache.get(goes).catch((error) => error.code)).toMatch(/TIMEOUT|CONNECTION_LOST/)
    expect(await cache.get(stays)).toBe('stays')
    await group.at('b').resume()
    await vi.waitFor(async () => expect(await cache.get(goes)).toBe('goes'), { timeout: 5_000 })
  })
})

/** Runs an abandoned move again, when the lease of the one who left has ended. */
async function finish(group: ShardGroup, from: string, to: string): Promise<void> {
  await vi.waitFor(() => move(group, from, to), { timeout: 10_000, interval: 100 })
}
