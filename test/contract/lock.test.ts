import { type HeldLock, type Holdfast, LockLostError, LockTimeoutError } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'

const place = new Place({ locks: true })
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

/** Every key of locks lives for a while, and says how long. */
async function expectLifetimes(): Promise<readonly string[]> {
  const keys = await place.keys(`*${place.namespace}*`)
  // The list of shards is not a lock's.
  const own = keys.filter((key) => /:(lock|leader|rwlock|semaphore|once):/.test(key))
  for (const key of own) {
    const leftMs = await place.command<number>('PTTL', key)
    expect(leftMs, key).toBeGreaterThan(0)
    expect(leftMs, key).toBeLessThan(2 * 3_600_000)
  }
  return own
}

const waitingFor = (name: string, count: number) =>
  vi.waitFor(async () => expect((await hf.lock(name).inspect()).waiting).toBe(count), { interval: 5 })

describe('a lock', () => {
  it('is held by one, and free when he lets go', async () => {
    const lock = hf.lock('payment:77')
    const held = await lock.acquire()
    expect(held.valid()).toBe(true)
    expect(await lock.tryAcquire()).toBeUndefined()
    expect(await (await place.connect()).lock('payment:77').tryAcquire()).toBeUndefined()
    expect(await held.release()).toBe('released')
    expect(held.valid()).toBe(false)
    expect(held.signal.aborted).toBe(false)
    const again = await lock.tryAcquire()
    expect(again?.valid()).toBe(true)
    await again?.release()
    expect(await expectLifetimes()).toEqual([`{${place.namespace}:lock:payment:77}`])
  })

  it('of another name is another lock, whatever the name', async () => {
    const names = ['', 'a', 'a:b', '{a}', 'a b', 'a\n', '*', 'ä', '%', ...Array.from({ length: 30 }, (_, i) => `n${i}`)]
    const held = await Promise.all(names.map((name) => hf.lock(name).tryAcquire()))
    for (const one of held) expect(one?.valid()).toBe(true)
    const keys = await expectLifetimes()
    expect(new Set(keys.map(hashTag)).size).toBe(names.length)
    await Promise.all(held.map((one) => one?.release()))
  })

  it('gives each holder a higher fence than every one before', async () => {
    const fences: bigint[] = []
    for (let i = 0; i < 20; i++) await hf.lock('l').run(({ fence }) => void fences.push(fence))
    expect(fences.every((fence, i) => i === 0 || fence > (fences[i - 1] as bigint))).toBe(true)
    // By the server's clock in µs: it rises also when nothing is left of the lock.
    await place.command('UNLINK', `{${place.namespace}:lock:l}`)
    await hf.lock('l').run(({ fence }) => expect(fence).toBeGreaterThan(fences.at(-1) as bigint))
  })

  it('goes on counting when the clock of its server was set back', async () => {
    const key = `{${place.namespace}:lock:l}`
    const ahead = BigInt(Date.now() + 600_000) * 1_000n
    await place.command('SET', key, `f${ahead}`, 'PX', 60_000)
    await hf.lock('l').run(({ fence }) => expect(fence).toBe(ahead + 1n))
    await hf.lock('l').run(({ fence }) => expect(fence).toBe(ahead + 2n))
  })

  it('runs work alone, passes on what it returns or throws, and lets go', async () => {
    const lock = hf.lock('l')
    let inside = 0
    const results = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        lock.run(async ({ valid }) => {
          expect(++inside).toBe(1)
          await new Promise((resolve) => setImmediate(resolve))
          inside--
          expect(valid).toBeTypeOf('function')
          return i
        }),
      ),
    )
    expect(results).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    const own = new Error('own')
    await expect(lock.run(() => Promise.reject(own))).rejects.toBe(own)
    await expect(
      lock.run(() => {
        throw own
      }),
    ).rejects.toBe(own)
    expect((await lock.inspect()).state).toBe('free')
  })

  it('says that it was not had in time', async () => {
    const held = await hf.lock('l').acquire()
    const error = await hf
      .lock('l', { wait: '40ms' })
      .acquire()
      .catch((thrown) => thrown)
    expect(error).toBeInstanceOf(LockTimeoutError)
    expect(error).toMatchObject({ code: 'LOCK_TIMEOUT', lock: 'l', waitMs: 40, retryable: true })
    await expect(hf.lock('l').acquire({ wait: 0 })).rejects.toMatchObject({ code: 'LOCK_TIMEOUT', waitMs: 0 })
    await waitingFor('l', 0)
    await held.release()
  })

  it('is not waited for by who has aborted, whose place is given up at once', async () => {
    const held = await hf.lock('l').acquire()
    const controller = new AbortController()
    const waiting = hf.lock('l').acquire({ signal: controller.signal })
    await waitingFor('l', 1)
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await waitingFor('l', 0)
    await expect(hf.lock('l').acquire({ signal: controller.signal })).rejects.toBe(reason)
    await held.release()
    expect(await (await hf.lock('l').acquire()).release()).toBe('released')
  })

  it('goes to those who wait in the order in which they came, in whichever process', async () => {
    const held = await hf.lock('l').acquire()
    const others = await Promise.all([place.connect(), place.connect(), place.connect()])
    const order: number[] = []
    const fences: bigint[] = []
    const all: Promise<void>[] = []
    for (let i = 0; i < 12; i++) {
      const at = others[i % 3] as Holdfast
      all.push(
        at.lock('l').run(({ fence }) => {
          order.push(i)
          fences.push(fence)
        }),
      )
      await waitingFor('l', i + 1)
    }
    await expectLifetimes()
    await held.release()
    await Promise.all(all)
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
    expect(fences.every((fence, i) => fence > (fences[i - 1] ?? held.fence))).toBe(true)
  })

  it('cannot be taken past those who wait', async () => {
    const held = await hf.lock('l').acquire()
    const other = await place.connect()
    const waiting = other.lock('l').acquire()
    await waitingFor('l', 1)
    const released = held.release()
    // Sent right behind the release: it was given to the one who waits already.
    expect(await hf.lock('l').tryAcquire()).toBeUndefined()
    await released
    await (await waiting).release()
  })

  it('passes on a grant to somebody who has just given up', async () => {
    const other = await place.connect()
    for (let i = 0; i < 10; i++) {
      const held = await hf.lock('l').acquire()
      const controller = new AbortController()
      const first = other.lock('l').acquire({ signal: controller.signal })
      first.catch(() => {})
      await waitingFor('l', 1)
      const second = hf.lock('l').acquire()
      await waitingFor('l', 2)
      const released = held.release()
      controller.abort()
      await released
      const [one, two] = await Promise.allSettled([first.then((hold) => hold.release()), second])
      expect(one).toBeDefined()
      expect(two.status).toBe('fulfilled')
      await (two as PromiseFulfilledResult<HeldLock>).value.release()
    }
  })

  it('is extended while it is held, and outlives its ttl', async () => {
    const held = await hf.lock('l', { ttl: '400ms' }).acquire()
    const until = performance.now() + 900
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(until), { timeout: 5_000 })
    expect(held.valid()).toBe(true)
    expect(await hf.lock('l').tryAcquire()).toBeUndefined()
    expect(await held.release()).toBe('released')
  })

  it('lasts as long as it is extended by hand, and is never cut short', async () => {
    const held = await hf.lock('l', { ttl: '200ms', extend: 'manual' }).acquire()
    await held.extend('20s')
    await held.extend('1s')
    const { holders } = await hf.lock('l').inspect()
    expect(holders[0]?.leftMs).toBeGreaterThan(15_000)
    await held.release()
    await expect(held.extend('1s')).rejects.toMatchObject({ code: 'LOCK_LOST' })
  })

  it('ends with its lease when nobody extends it; its holder has heard before', async () => {
    const held = await hf.lock('l', { ttl: '150ms', extend: 'manual' }).acquire()
    const heard = new Promise<unknown>((resolve) => held.signal.addEventListener('abort', resolve))
    const waiting = hf.lock('l').acquire()
    await heard
    expect(held.signal.reason).toBeInstanceOf(LockLostError)
    expect(held.signal.reason).toMatchObject({ code: 'LOCK_LOST', lock: 'l', fence: held.fence })
    expect(held.valid()).toBe(false)
    const next = await waiting
    expect(next.fence).toBeGreaterThan(held.fence)
    // A late DEL of the first must not end the second.
    expect(await held.release()).toBe('gone')
    expect(next.valid()).toBe(true)
    expect(await hf.lock('l').tryAcquire()).toBeUndefined()
    await next.release()
  })

  it('lets go twice as well as once, and at the end of a block', async () => {
    const held = await hf.lock('l').acquire()
    expect(await Promise.all([held.release(), held.release()])).toEqual(['released', 'released'])
    expect(await held.release()).toBe('released')
    const other = await hf.lock('l').acquire()
    await other[Symbol.asyncDispose]()
    expect((await hf.lock('l').inspect()).state).toBe('free')
  })

  it('shows who has it and who waits', async () => {
    const held = await hf.lock('l', { owner: 'worker ü 1' }).acquire()
    const waiting = hf.lock('l', { owner: 'worker 2' }).acquire()
    await waitingFor('l', 1)
    const view = await hf.lock('l').inspect()
    expect(view).toMatchObject({
      name: 'l',
      state: 'held',
      holders: [{ owner: 'worker ü 1', fence: held.fence, permits: 1 }],
      queue: [{ owner: 'worker 2', alive: true }],
      waiting: 1,
    })
    expect(view.holders[0]?.leftMs).toBeGreaterThan(20_000)
    expect(view.holders[0]?.heldForMs).toBeLessThan(20_000)
    await held.release()
    await (await waiting).release()
    expect(await hf.lock('never').inspect()).toEqual({
      name: 'never',
      state: 'free',
      holders: [],
      queue: [],
      waiting: 0,
    })
  })

  it('is taken away by force: the next has it, and the old holder learns', async () => {
    const other = await place.connect()
    const held = await other.lock('l').acquire()
    const [second, third] = [other.lock('l').acquire(), hf.lock('l').acquire()]
    await waitingFor('l', 2)
    expect(await hf.lock('l').forceRelease()).toBe(true)
    await vi.waitFor(() => expect(held.signal.aborted).toBe(true))
    expect(held.signal.reason).toMatchObject({ code: 'LOCK_LOST' })
    for (const waiting of [second, third]) await (await waiting).release()
    expect(await hf.lock('l').forceRelease()).toBe(false)
    expect(await held.release()).toBe('gone')
  })

  it('rejects run when it was lost before its work had ended', async () => {
    const other = await place.connect()
    const running = other.lock('l', { ttl: '300ms' }).run(
      async ({ signal }) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve('too late'))
          void hf.lock('l').forceRelease()
        }),
    )
    await expect(running).rejects.toMatchObject({ code: 'LOCK_LOST' })
  })

  it('refuses wrong options at once', () => {
    for (const options of [{ ttl: 0 }, { wait: -1 }, { owner: 'a\nb' }, { extend: 'never' }, { tll: '1s' }])
      expect(() => hf.lock('l', options as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(() => hf.lock(1 as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('is not waited for any more when the instance is closed', async () => {
    const held = await hf.lock('l').acquire()
    const other = await place.connect()
    const waiting = other.lock('l').acquire()
    waiting.catch(() => {})
    await waitingFor('l', 1)
    await other.close()
    await expect(waiting).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await expect(other.lock('l').acquire()).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    await held.release()
  })
})
