import { type HeldLock, type Holdfast, OnceConflictError, OnceFailedError, type Term } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Holdfast as Instance } from '../../src/holdfast.ts'
import { listLocks } from '../../src/lock/inspect.ts'
import { Place } from './place.ts'

const place = new Place({ locks: true })
let hf: Holdfast
let other: Holdfast

beforeEach(async () => {
  hf = await place.connect()
  other = await place.connect()
})

/** Every key of locks lives for a while, and says how long. */
async function expectLifetimes(): Promise<void> {
  const keys = (await place.keys(`*${place.namespace}*`)).filter((key) =>
    /:(lock|leader|rwlock|semaphore|once):/.test(key),
  )
  expect(keys.length).toBeGreaterThan(0)
  for (const key of keys) {
    const leftMs = await place.command<number>('PTTL', key)
    expect(leftMs, key).toBeGreaterThan(0)
    expect(leftMs, key).toBeLessThan(2 * 3_600_000)
  }
}

const waiting = (at: { inspect(): Promise<{ waiting: number }> }, count: number) =>
  vi.waitFor(async () => expect((await at.inspect()).waiting).toBe(count), { interval: 5 })

const release = (held: HeldLock | undefined) => held?.release()

describe('a readers-writer lock', () => {
  it('lets readers in together, and a writer alone', async () => {
    const [rw, there] = [hf.rwLock('r'), other.rwLock('r')]
    const readers = [await rw.read().acquire(), await there.read().acquire(), await rw.read().tryAcquire()]
    expect(readers.every((reader) => reader?.valid())).toBe(true)
    expect(await there.write().tryAcquire()).toBeUndefined()
    await expectLifetimes()
    for (const reader of readers) expect(await release(reader)).toBe('released')
    const writer = await there.write().acquire()
    expect(await rw.read().tryAcquire()).toBeUndefined()
    expect(await rw.write().tryAcquire()).toBeUndefined()
    expect(readers.every((reader) => (reader as HeldLock).fence < writer.fence)).toBe(true)
    await writer.release()
    await rw.read().run(({ fence }) => expect(fence).toBeGreaterThan(writer.fence))
  })

  it('does not let readers overtake a writer who waits', async () => {
    const rw = hf.rwLock('r')
    const first = await rw.read().acquire()
    const order: string[] = []
    const writer = other
      .rwLock('r')
      .write()
      .run(() => void order.push('writer'))
    await waiting(rw, 1)
    const late = [hf, other].map((at) =>
      at
        .rwLock('r')
        .read()
        .run(() => void order.push('reader')),
    )
    await waiting(rw, 3)
    expect(await rw.read().tryAcquire()).toBeUndefined()
    await first.release()
    await Promise.all([writer, ...late])
    expect(order).toEqual(['writer', 'reader', 'reader'])
  })

  it('lets in those behind a writer who has given up', async () => {
    const rw = hf.rwLock('r')
    const first = await rw.read().acquire()
    const controller = new AbortController()
    const writer = other.rwLock('r').write().acquire({ signal: controller.signal })
    writer.catch(() => {})
    await waiting(rw, 1)
    const reader = rw.read().acquire()
    await waiting(rw, 2)
    controller.abort(new Error('enough'))
    await expect(writer).rejects.toThrow('enough')
    await (await reader).release()
    await first.release()
  })
})

describe('a semaphore', () => {
  it('lets in as many as it has permits, first come first served', async () => {
    const [here, there] = [hf, other].map((at) => at.semaphore('s', { permits: 3, owner: 'w' }))
    let [inside, most] = [0, 0]
    const order: number[] = []
    const held = await Promise.all([here!.acquire(), there!.acquire(), here!.acquire()])
    const all: Promise<void>[] = []
    for (let i = 0; i < 8; i++) {
      all.push(
        [here!, there!][i % 2]!.run(async () => {
          order.push(i)
          most = Math.max(most, ++inside)
          await new Promise((resolve) => setTimeout(resolve, 5))
          inside--
        }),
      )
      await waiting(here!, i + 1)
    }
    await expectLifetimes()
    for (const one of held) await one.release()
    await Promise.all(all)
    expect(most).toBeLessThanOrEqual(3)
    expect(most).toBeGreaterThan(1)
    // Told in this order; two processes may be woken a moment apart.
    expect(order.slice().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(await here!.inspect()).toMatchObject({ state: 'free', waiting: 0 })
  })

  it('gives several permits at once, and holds up nobody who asks for more by those who ask for less', async () => {
    const s = hf.semaphore('s', { permits: 5 })
    const three = await s.acquire({ permits: 3 })
    const four = other.semaphore('s', { permits: 5 }).acquire({ permits: 4 })
    await waiting(s, 1)
    // Two are free, and the one who waits needs them.
    expect(await s.tryAcquire()).toBeUndefined()
    await three.release()
    const held = await four
    const one = await s.tryAcquire()
    expect(one).toBeDefined()
    expect(await s.tryAcquire()).toBeUndefined()
    expect((await s.inspect()).holders.map(({ permits }) => permits)).toEqual([4, 1])
    await Promise.all([held.release(), release(one)])
    expect(() => hf.semaphore('s', { permits: 0 })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    await expect(s.acquire({ permits: 6 })).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })

  it('takes back the permits of who died, and extends those of who lives', async () => {
    const s = hf.semaphore('s', { permits: 2, ttl: '250ms' })
    const lives = await s.acquire()
    const dead = await other.semaphore('s', { permits: 2, ttl: '250ms', extend: 'manual' }).acquire()
    const next = await s.acquire()
    expect(dead.valid()).toBe(false)
    expect(lives.valid()).toBe(true)
    expect(await dead.release()).toBe('gone')
    await lives.extend('10s')
    expect(await s.forceRelease()).toBe(true)
    await vi.waitFor(() => expect([lives.valid(), next.valid()]).toEqual([false, false]), { timeout: 5_000 })
    expect((await s.inspect()).state).toBe('free')
  })
})

it('lists what is held or waited for on every server, each once, up to a number', async () => {
  const redis = Instance.redisOf(other)
  expect(await listLocks(redis, { limit: 1 })).toEqual({ locks: [], complete: true })
  const names = Array.from({ length: 20 }, (_, i) => `${i} {x}:*\n`)
  const held = await Promise.all([
    ...names.map((name) => hf.lock(name, { owner: 'me' }).acquire()),
    ...[hf.rwLock('r').read().acquire(), hf.semaphore('s', { permits: 5 }).acquire({ permits: 2 })],
  ])
  await (await hf.lock('free').acquire()).release()
  const { locks, complete } = await listLocks(redis, { limit: 100 })
  expect(complete).toBe(true)
  expect(locks.map(({ kind, name }) => [kind, name]).sort()).toEqual(
    [...names.map((name) => ['lock', name]), ['rwlock', 'r'], ['semaphore', 's']].sort(),
  )
  expect(locks.every(({ holders, waiting }) => holders.length === 1 && waiting === 0)).toBe(true)
  const some = await listLocks(redis, { limit: 5, kinds: ['lock'] })
  expect([some.locks.length, some.complete]).toEqual([5, false])
  expect(await other.rwLock('r').forceRelease()).toBe(true)
  expect(await other.rwLock('r').forceRelease()).toBe(false)
  await Promise.all(held.map((one) => one.release()))
  expect((await listLocks(redis, { limit: 100 })).locks).toEqual([])
})

describe('several locks', () => {
  it('are taken together or not at all', async () => {
    const names = ['b', 'a', 'c', 'a']
    const all = await hf.locks(names).acquire()
    expect([...all.fences.keys()]).toEqual(['a', 'b', 'c'])
    expect(all.fence).toBe([...all.fences.values()].reduce((most, fence) => (fence > most ? fence : most)))
    expect(all.valid()).toBe(true)
    expect(await other.locks(['c', 'd']).tryAcquire()).toBeUndefined()
    expect(await other.lock('b').tryAcquire()).toBeUndefined()
    expect((await hf.lock('d').inspect()).state).toBe('free')
    await all.extend('40s')
    expect(await all.release()).toBe('released')
    for (const name of ['a', 'b', 'c']) expect((await hf.lock(name).inspect()).state).toBe('free')
    await expectLifetimes()
  })

  it('are waited for in one order, so that nobody waits in a circle', async () => {
    let inside = 0
    const sets = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'a'],
      ['c', 'b', 'a'],
    ]
    await Promise.all(
      Array.from({ length: 16 }, (_, i) =>
        [hf, other][i % 2]!.locks(sets[i % 4]!).run(async () => {
          if (i % 4 === 3) expect(++inside).toBe(1)
          await new Promise((resolve) => setImmediate(resolve))
          if (i % 4 === 3) inside--
        }),
      ),
    )
    for (const name of ['a', 'b', 'c'])
      expect(await hf.lock(name).inspect()).toMatchObject({ state: 'free', waiting: 0 })
  })

  it('are all given back when one is not had in time, and all lost with one', async () => {
    const held = await other.lock('c').acquire()
    await expect(hf.locks(['a', 'b', 'c'], { wait: '30ms' }).acquire()).rejects.toMatchObject({
      code: 'LOCK_TIMEOUT',
      lock: 'c',
    })
    for (const name of ['a', 'b']) expect((await hf.lock(name).inspect()).state).toBe('free')
    await held.release()
    const all = await hf.locks(['a', 'b', 'c'], { ttl: '300ms' }).acquire()
    await other.lock('b').forceRelease()
    await vi.waitFor(() => expect(all.signal.aborted).toBe(true), { timeout: 5_000 })
    expect(all.signal.reason).toMatchObject({ code: 'LOCK_LOST', lock: 'b' })
    expect(all.valid()).toBe(false)
    expect(await all.release()).toBe('gone')
    expect((await hf.lock('a').inspect()).state).toBe('free')
  })
})

describe('a leader', () => {
  it('is one of all, and another when it steps down', async () => {
    const terms: { who: string; term: Term }[] = []
    const lost: string[] = []
    const stand = (at: Holdfast, who: string) =>
      at.leader('boss', {
        onElected: (term) => void terms.push({ who, term }),
        onLost: () => void lost.push(who),
      })
    const one = stand(hf, 'one')
    await vi.waitFor(() => expect(one.isLeader).toBe(true))
    const two = stand(other, 'two')
    await vi.waitFor(async () => expect((await one.inspect()).waiting).toBe(1))
    expect(two.isLeader).toBe(false)
    await expectLifetimes()
    await one.resign()
    expect(lost).toEqual(['one'])
    expect(terms[0]?.term.signal.aborted).toBe(true)
    await vi.waitFor(() => expect(two.isLeader).toBe(true))
    expect(two.fence).toBeGreaterThan(terms[0]?.term.fence as bigint)
    expect(terms.map(({ who }) => who)).toEqual(['one', 'two'])
    await other.close()
    await vi.waitFor(() => expect(one.isLeader).toBe(true))
    await one.close()
    expect(one.isLeader).toBe(false)
    expect(lost).toEqual(['one', 'two', 'one'])
  })

  it('whose work fails makes place for the next', async () => {
    const errors: unknown[] = []
    const bad = hf.leader('boss', {
      onElected: async () => Promise.reject(new Error('bad')),
      onError: (error) => void errors.push(error),
    })
    await vi.waitFor(() => expect(errors).toHaveLength(1))
    const good = other.leader('boss', { onElected: () => {} })
    await vi.waitFor(() => expect(good.isLeader).toBe(true))
    await Promise.all([bad.close(), good.close()])
    expect(() => hf.leader('boss', {} as never)).toThrow(expect.objectContaining({ option: 'onElected' }))
  })
})

describe('once', () => {
  it('runs once in the fleet, and everyone gets the result', async () => {
    let runs = 0
    const value = { at: new Date(5), big: 7n, list: [1, undefined] }
    const work = async ({ fence }: Term) => {
      runs++
      expect(fence).toBeTypeOf('bigint')
      await new Promise((resolve) => setTimeout(resolve, 20))
      return value
    }
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, i) => [hf, other][i % 2]!.once('k', work, { ttl: '1m' })),
    )
    expect(runs).toBe(1)
    for (const one of all) expect(one).toEqual(value)
    expect(await other.once('k', work, { ttl: '1m' })).toEqual(value)
    expect(await other.once('nothing', () => undefined, { ttl: '1m' })).toBeUndefined()
    expect(await hf.once('nothing', () => 1, { ttl: '1m' })).toBeUndefined()
    expect(runs).toBe(1)
    await expectLifetimes()
  })

  it('wakes those who wait as soon as there is a result, in other processes too', async () => {
    let finish: (() => void) | undefined
    const work = () => new Promise<string>((resolve) => (finish = () => resolve('done')))
    const running = hf.once('k', work, { ttl: '1m' })
    await vi.waitFor(() => expect(finish).toBeDefined())
    const later = other.once('k', () => 'other', { ttl: '1m' })
    finish?.()
    expect(await Promise.all([running, later])).toEqual(['done', 'done'])
  })

  it('refuses another request under the same key', async () => {
    const options = { ttl: '1m', fingerprint: 'a' } as const
    expect(await hf.once('k', () => 1, options)).toBe(1)
    expect(await other.once('k', () => 2, options)).toBe(1)
    for (const fingerprint of ['b', ''])
      await expect(other.once('k', () => 2, { ttl: '1m', fingerprint })).rejects.toBeInstanceOf(OnceConflictError)
  })

  it('keeps no error, unless asked', async () => {
    const bad = Object.assign(new TypeError('bad'), { code: 'E_BAD' })
    const fail = () => Promise.reject(bad)
    await expect(hf.once('k', fail, { ttl: '1m' })).rejects.toBe(bad)
    expect(await other.once('k', () => 1, { ttl: '1m' })).toBe(1)
    await expect(hf.once('l', fail, { ttl: '1m', keepErrors: true })).rejects.toBe(bad)
    const error = await other.once('l', () => 1, { ttl: '1m' }).catch((thrown) => thrown)
    expect(error).toBeInstanceOf(OnceFailedError)
    expect(error).toMatchObject({ code: 'ONCE_FAILED', failure: { name: 'TypeError', message: 'bad', code: 'E_BAD' } })
    await expect(hf.once('m', () => () => {}, { ttl: '1m' })).rejects.toMatchObject({ code: 'VALUE_UNWRITABLE' })
    expect(await other.once('m', () => 1, { ttl: '1m' })).toBe(1)
  })

  it('gives up waiting in time, or when told to', async () => {
    const controller = new AbortController()
    const held = hf.once('k', ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', reject)), {
      ttl: '1m',
      lease: '2s',
    })
    held.catch(() => {})
    await vi.waitFor(async () => expect(await place.keys(`*${place.namespace}:once:*`)).toHaveLength(1))
    await expect(other.once('k', () => 1, { ttl: '1m', wait: '20ms' })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT' })
    const waits = other.once('k', () => 1, { ttl: '1m', signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(waits).rejects.toThrow('enough')
    await place.command('UNLINK', `{${place.namespace}:once:k}`)
    expect(await other.once('k', () => 2, { ttl: '1m' })).toBe(2)
    await expect(held).rejects.toBeDefined()
  })
})
