import type { Holdfast, Queue } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Place } from './place.ts'

const place = new Place({ queues: ['jobs', 'wide', 'other'] })
let hf: Holdfast
let queue: Queue<number>

beforeEach(async () => {
  hf = await place.connect()
  queue = hf.queue<number>('jobs', { attempts: 1 })
})

const soon = { timeout: 10_000, interval: 5 }
const far = async () => (await place.connect()).queue<number>('jobs', { attempts: 1 })

describe('a result', () => {
  it('is had from anywhere, waited for or not, and only where it was asked for', async () => {
    const asker = await far()
    await queue.add(6, { id: 'kept', keepResult: '1m' })
    await queue.add(7, { id: 'not kept' })
    const seen: unknown[] = []
    expect(await asker.result('kept')).toEqual({ status: 'pending' })
    expect(await asker.result('kept', { wait: 20 })).toEqual({ status: 'pending' })
    const waited = asker.result<{ twice: bigint }>('kept', { wait: '10s', onProgress: (value) => seen.push(value) })
    queue.process(async (job) => {
      job.progress({ half: job.data / 2 })
      if (job.id === 'kept') await vi.waitFor(() => expect(seen.length).toBeGreaterThan(0), soon)
      return { twice: 2n * BigInt(job.data), at: new Date(5) }
    })
    const value = { twice: 12n, at: new Date(5) }
    expect(await waited).toEqual({ status: 'done', value })
    expect(seen).toContainEqual({ half: 3 })
    expect(await asker.result('kept', { wait: '10s' })).toEqual({ status: 'done', value })
    await vi.waitFor(async () => expect((await queue.counts()).active).toBe(0), soon)
    expect(await asker.result('not kept', { wait: '10s' })).toEqual({ status: 'unknown' })
    expect(await asker.job('kept')).toMatchObject({ state: 'done' })
  })

  it('of a job that dies is that, and that of a job by hand is what it was ended with', async () => {
    const asker = await far()
    const { id } = await queue.add(1, { keepResult: '1m' })
    const pulled = await queue.add(2, { keepResult: '1m' })
    const died = asker.result(id, { wait: '10s' })
    const done = asker.result(pulled.id, { wait: '10s' })
    await (await queue.take())?.fail(new RangeError('too few'))
    await (await queue.take())?.complete('two')
    expect(await died).toMatchObject({ status: 'dead', reason: 'attempts', error: { message: 'too few' } })
    expect(await done).toEqual({ status: 'done', value: 'two' })
    await expect(asker.result('x', { wait: '1m', signal: AbortSignal.abort(new Error('left')) })).rejects.toThrow(
      'left',
    )
  })
})

describe('a job', () => {
  it('is found by its id in every state', async () => {
    const wide = hf.queue<number>('wide', { shards: 3, attempts: 2, backoff: { base: '1h' } })
    const { id } = await wide.add(1, { id: 'urgent', priority: 7 })
    const before = await wide.add(0, { delay: '1h' })
    expect(await wide.job(id)).toMatchObject({ state: 'waiting', attempts: 0, priority: 7 })
    expect(await wide.job(before.id)).toMatchObject({ state: 'delayed', attempts: 0 })
    const job = await wide.take()
    job?.progress('begun')
    await vi.waitFor(async () => expect(await wide.job(id)).toMatchObject({ state: 'active', progress: 'begun' }), soon)
    expect(await wide.job(id, { within: 0 })).toMatchObject({ state: 'open', progress: 'begun' })
    expect(() => job?.progress('x'.repeat(5_000))).toThrow('at most 4096 bytes')
    await job?.fail(new Error('no'))
    expect(await wide.job(id)).toMatchObject({ state: 'delayed', attempts: 1, priority: 7 })
    expect(await wide.job('nobody')).toBeUndefined()
  })

  it('that waits is removed by a cancel, wherever it waits', async () => {
    await queue.addMany(Array.from({ length: 450 }, (_, i) => i))
    const deep = await queue.add(1, { id: 'deep' })
    const later = await queue.add(2, { delay: '1h' })
    const stranger = await far()
    expect(await stranger.cancel(deep.id, { within: 300 })).toBe('absent')
    expect(await stranger.cancel(deep.id)).toBe('removed')
    expect(await stranger.cancel(later.id)).toBe('removed')
    expect(await stranger.cancel(deep.id)).toBe('absent')
    expect(await queue.counts()).toMatchObject({ waiting: 450, delayed: 0 })
    expect((await queue.add(1, { id: 'deep' })).added).toBe(true)
  })

  it('that runs hears a cancel from another process by its signal, and is neither tried again nor kept', async () => {
    const reasons: unknown[] = []
    queue.process(async (_, { signal }) => {
      await new Promise<void>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    queue.process(async (_, { signal }) => {
      await new Promise<void>((resolve) =>
        signal.addEventListener('abort', () => resolve(reasons.push(signal.reason) as never)),
      )
    })
    await queue.addMany([1, 2], (n) => ({ id: `${n}` }))
    const stranger = await far()
    await vi.waitFor(async () => expect((await queue.counts()).active).toBe(2), soon)
    // Both are told each time, until they have heard.
    for (const id of ['1', '2'])
      await vi.waitFor(async () => {
        await stranger.cancel(id)
        expect(await stranger.job(id)).toBeUndefined()
      }, soon)
    expect(reasons).toMatchObject([{ code: 'JOB_CANCELLED' }])
    expect(await queue.counts()).toMatchObject({ active: 0, delayed: 0, dead: 0 })
  })
})

describe('a job that was cancelled while it ran', () => {
  it('is not tried again, whatever is said of it by hand, by `defer`, or by a worker that closes', async () => {
    const retried = hf.queue<number>('other', { attempts: 5, backoff: { base: 1 }, lease: '2s' })
    for (const say of ['fail', 'release'] as const) {
      await retried.add(1, { id: say })
      const job = await retried.take()
      expect(await retried.cancel(say)).toBe('told')
      await vi.waitFor(() => expect(job?.signal.aborted).toBe(true), soon)
      await job?.[say](new Error('cancelled'))
      expect(await retried.job(say)).toBeUndefined()
    }
    const heard: string[] = []
    const stops = (id: string, signal: AbortSignal) =>
      new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => {
          heard.push(id)
          if (id === 'deferred') resolve()
        })
      })
    const worker = retried.process(
      (job, { signal, defer }) => {
        defer(0)
        return stops(job.id, signal)
      },
      { concurrency: 2, onError: () => {} },
    )
    await retried.addMany([1, 2], (n) => ({ id: n === 1 ? 'deferred' : 'closed' }))
    await vi.waitFor(async () => expect((await retried.counts()).active).toBe(2), soon)
    for (const id of ['deferred', 'closed']) expect(await retried.cancel(id)).toBe('told')
    await vi.waitFor(() => expect(heard).toHaveLength(2), soon)
    await worker.close({ timeout: 0 })
    expect(await retried.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 })
  })
})

describe('what follows from a job', () => {
  it('is there when it is done and not before, once, however often it is tried', async () => {
    const other = hf.queue<number>('other')
    const wide = hf.queue<number>('wide', { shards: 3, attempts: 3, backoff: { base: 1 } })
    const ran: string[] = []
    wide.process((job, { follow, tally }) => {
      ran.push(`${job.data}`)
      if (job.data >= 10) return
      follow(job.data + 10, { priority: 5 })
      follow(job.data + 20, { delay: '1h' })
      follow(job.data, { queue: other })
      tally('sent', 2)
      tally(job.attempt > 1 ? 'again' : 'at once')
      if (job.attempt === 1) throw new Error('not yet')
    })
    await wide.addMany([1, 2, 3])
    await vi.waitFor(() => expect(ran.toSorted()).toEqual(['1', '1', '11', '12', '13', '2', '2', '3', '3']), soon)
    await vi.waitFor(
      async () => expect(await wide.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 3, dead: 0 }),
      soon,
    )
    expect(await wide.tallies()).toEqual({ sent: 6, again: 3 })
    expect((await other.counts()).waiting).toBe(3)
  })

  it('is refused whole when the lease is lost', async () => {
    const short = hf.queue<number>('other', { lease: '200ms' })
    let times = 0
    short.process(
      async (_, { follow, tally }) => {
        tally('done')
        if (++times > 1) return
        follow(7)
        // As if another were given its jobs just now.
        const [leases] = await place.keys(`*${place.namespace}*:leases`)
        for (const consumer of await place.command<string[]>('ZRANGE', leases as string, 0, -1))
          await place.command('ZADD', leases as string, -1, consumer)
      },
      { onError: () => {} },
    )
    await short.add(1)
    await vi.waitFor(async () => expect(await short.tallies()).toEqual({ done: 1 }), soon)
    expect(short.stats.refused).toBe(1)
    expect(await short.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0 })
  })
})

describe('an id', () => {
  it('is kept after its job was done, and replaced while that waits, in the shard of its group too', async () => {
    const wide = hf.queue<number>('wide', { shards: 3 })
    const kept = [{ id: 'a' }, { id: 'b', group: 'g' }].map((own) => ({ ...own, keepId: 3_600_000 }))
    for (const options of kept) expect((await wide.add(1, options)).added).toBe(true)
    const worker = wide.process(() => {})
    await vi.waitFor(() => expect(worker.stats.done).toBe(2), soon)
    for (const options of kept) expect((await wide.add(2, options)).added).toBe(false)
    const last = { id: 'c', delay: 20, replace: true }
    expect(await wide.add(3, { ...last, delay: '1h' })).toEqual({ id: 'c', added: true })
    expect(await wide.add(4, last)).toEqual({ id: 'c', added: true, replaced: true })
    await vi.waitFor(() => expect(worker.stats.done).toBe(3), soon)
    expect(await wide.counts()).toMatchObject({ waiting: 0, delayed: 0 })
  })
})

it('a parent waits for its children, whatever shard they are in, and is told of a dead one', async () => {
  const wide = hf.queue<string>('wide', { shards: 3, attempts: 1 })
  const asker = (await place.connect()).queue<string>('wide', { shards: 3, attempts: 1 })
  const family = [
    { data: 'a', priority: 3 },
    { data: 'b', children: [{ data: 'c' }] },
    { data: 'torn', delay: 5 },
  ]
  const ids = ['p', 'q', 'r']
  for (const id of ids) await wide.addParent('all', family, { id, onDead: 'ignore', keepResult: '1m' })
  wide.process(
    (job) => {
      if (job.data === 'torn') throw new Error('torn')
      return job.data + job.children.map((child) => ('value' in child ? child.value : child.status)).join()
    },
    { onError: () => {} },
  )
  for (const id of ids)
    expect(await asker.result(id, { wait: '20s' })).toEqual({ status: 'done', value: 'alla,bc,dead' })
  await wide.addParent('all', [{ data: 'x', delay: '1h' }], { id: 's' })
  for (const id of ['s@0@1', 's']) await asker.cancel(id)
  await vi.waitFor(async () => expect(await wide.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0 }), soon)
})

it('events are told to another process, whatever shard they come from', async () => {
  const wide = hf.queue<number>('wide', { shards: 3, keepEvents: 100 })
  const events = (await place.connect()).queue<number>('wide', { shards: 3, keepEvents: 100 }).events()
  wide.process((job) => job.progress(job.data))
  await wide.addMany([1, 2, 3])
  const seen = new Set<string>()
  for await (const { type, id } of events) if (seen.add(`${id} ${type}`).size === 6) break
  expect([...seen].filter((one) => one.endsWith('done'))).toHaveLength(3)
})

describe('by exact priority, and in groups', () => {
  it('jobs follow, end with a result, are found and cancelled as in lanes', async () => {
    const ranked = hf.queue<string>('wide', { shards: 2, mode: 'priority' })
    await ranked.add('gone', { id: 'gone', priority: 9 })
    await ranked.add('grouped', { id: 'second', group: 'g', delay: '1h' })
    expect(await ranked.job('gone')).toMatchObject({ state: 'waiting', priority: 9 })
    for (const id of ['gone', 'second']) expect(await ranked.cancel(id)).toBe('removed')
    await ranked.addMany(['a', 'b'], (id) => ({ id, group: 'g', keepResult: '1m' }))
    await ranked.repeat('hourly', { every: '1h' }, 'slot')
    const [slots] = (await place.keys(`*${place.namespace}*:slots`)) as [string]
    await place.command('ZADD', slots, Date.now() - 3_600_000, 'hourly')
    const ran: string[] = []
    ranked.process((job, { follow }) => {
      ran.push(job.data)
      if (job.group === 'g' && job.data.length === 1) follow(`${job.data} again`, { group: 'g' })
      return job.data
    })
    for (const id of ['a', 'b']) expect(await ranked.result(id, { wait: '10s' })).toEqual({ status: 'done', value: id })
    await vi.waitFor(
      () => expect(ran.filter((data) => data !== 'slot')).toEqual(['a', 'b', 'a again', 'b again']),
      soon,
    )
    await vi.waitFor(() => expect(ran.filter((data) => data === 'slot')).toHaveLength(1), soon)
    await vi.waitFor(
      async () => expect(await ranked.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0 }),
      soon,
    )
  })
})
