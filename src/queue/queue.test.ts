import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { connect, Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { JobContext, Queue, QueueOptions } from './index.ts'
import { queueShape, reshapeQueue } from './shape.ts'

const SOON = { timeout: 15_000, interval: 5 }
let server: TestServer
let hf: Holdfast
let namespace: string

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('queue')
  hf = await connect(server.url, { namespace })
})
afterEach(async () => {
  await hf.close()
  await server.command('FLUSHALL')
})
afterAll(() => server.stop())

const queueOf = <T = string>(options: QueueOptions<T> = {}): Queue<T> => hf.queue<T>('jobs', options)
const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))

describe('options', () => {
  it.each([
    ['attempts', { attempts: 0 }],
    ['lease', { lease: '10ms' }],
    ['backoff.jitter', { backoff: { jitter: 2 } }],
    ['mode', { mode: 'fifo' }],
    ['schema', { schema: {} }],
    ['atempts', { atempts: 3 }],
  ])('are refused by name: %s', (option, options) => {
    expect(() => hf.queue('other', options as QueueOptions)).toThrow(expect.objectContaining({ option }))
  })

  it.each([
    ['id', { id: '' }],
    ['delay', { delay: -1 }],
    ['at', { delay: 1, at: 5 }],
    ['priority', { priority: 0.5 }],
  ])('of a job are refused by name: %s', async (option, options) => {
    await expect(queueOf().add('x', options)).rejects.toMatchObject({ option })
  })

  it('give the same queue for the same name, and none for others', () => {
    const queue = hf.queue('jobs', { attempts: 3 })
    expect(hf.queue('jobs', { attempts: 3 })).toBe(queue)
    expect(() => hf.queue('jobs', { attempts: 4 })).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('refuse a 17th priority by name while all others have jobs, and give it the place of one that has none', async () => {
    const queue = queueOf()
    const far = await connect(server.url, { namespace })
    try {
      const other = far.queue<string>('jobs')
      // In one step, as each that has no jobs any more may give way to the next.
      await queue.addMany(
        Array.from({ length: 16 }, (_, i) => `${i}`),
        (data) => ({ priority: Number(data) }),
      )
      await expect(other.add('x', { priority: 99 })).rejects.toMatchObject({ option: 'priority' })
      const tooMany = Array.from({ length: 17 }, (_, i) => `${i}`)
      const many = hf.queue<string>('other').addMany(tooMany, (data) => ({ priority: Number(data) }))
      await expect(many).rejects.toMatchObject({ option: 'priority', received: '17' })
      const job = await other.take()
      expect(job?.data).toBe('15')
      await other.add('later', { priority: 14, delay: 300, id: 'later' })
      await job?.complete()
      // The place of 15 is taken; then of 14, which has a job that waits for its time.
      await other.add('99', { priority: 99 })
      const next = [await queue.take(), await queue.take()]
      expect(next.map((one) => one?.data)).toEqual(['99', '14'])
      for (const one of next) await one?.complete()
      await Promise.all([
        other.add('-7', { priority: -7 }),
        other.add('-8', { priority: -8 }),
        queue.add('5 again', { priority: 5 }),
      ])
      await expect(queue.add('x', { priority: 98 })).rejects.toMatchObject({ option: 'priority' })
      await vi.waitFor(async () => expect((await queue.counts()).nextDueMs).toBe(0), SOON)
      const rest: string[] = []
      for (let one = await queue.take(); one !== undefined; one = await queue.take()) {
        rest.push(one.data)
        await one.complete()
      }
      const waited = ['13', '12', '11', '10', '9', '8', '7', '6', '5', '5 again', '4', '3', '2', '1', '0', '-7', '-8']
      expect(rest.filter((data) => data !== 'later')).toEqual(waited)
      // Beside the lowest that was above it.
      expect(rest.indexOf('later')).toBeLessThan(2)
    } finally {
      await far.close()
    }
  })
})

describe('a timeout', () => {
  it('fires the signal, gives the place to another after the grace, and counts the handler that goes on', async () => {
    const queue = queueOf({ timeout: 30, grace: 20, attempts: 1 })
    let finish = () => {}
    const ran: string[] = []
    const worker = queue.process(async (job, { signal }) => {
      ran.push(job.data)
      if (job.data !== 'hangs') return
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      expect(signal.reason).toMatchObject({ code: 'JOB_TIMEOUT' })
    })
    await queue.addMany(['hangs', 'next'])
    await vi.waitFor(() => expect(ran).toEqual(['hangs', 'next']), SOON)
    expect(worker.stats).toMatchObject({ zombies: 1, failed: 1 })
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
    expect(await queue.deadLetters()).toMatchObject([
      { data: 'hangs', reason: 'attempts', error: { code: 'JOB_TIMEOUT' } },
    ])
    finish()
    await vi.waitFor(() => expect(worker.stats).toMatchObject({ zombies: 0, refused: 1, running: 0 }), SOON)
  })

  it('of a job goes before that of its queue, and a handler that heeds its signal is tried again', async () => {
    const queue = queueOf({ timeout: '1h', backoff: { base: 0 } })
    const seen: number[] = []
    const worker = queue.process(async (job, { signal }) => {
      seen.push(job.attempt)
      if (job.attempt < 3) await aborted(signal)
    })
    await queue.add('x', { timeout: 15 })
    await vi.waitFor(() => expect(worker.stats).toMatchObject({ done: 1, failed: 2, zombies: 0 }), SOON)
    expect(seen).toEqual([1, 2, 3])
  })
})

describe('a worker', () => {
  it('takes no more than its concurrency, and tells of attempts that fail', async () => {
    const queue = queueOf<number>({ attempts: 1 })
    let running = 0
    let most = 0
    const failures: unknown[] = []
    const worker = queue.process(
      async (job) => {
        most = Math.max(most, ++running)
        await nextTurn()
        running--
        if (job.data === 5) throw new RangeError('five')
      },
      { concurrency: 3, onError: (error, job) => failures.push([String(error), job?.attempt]) },
    )
    await queue.addMany(Array.from({ length: 20 }, (_, i) => i))
    await vi.waitFor(() => expect(worker.stats).toMatchObject({ done: 19, failed: 1, running: 0 }), SOON)
    expect(most).toBe(3)
    expect(failures).toEqual([['RangeError: five', 1]])
  })

  it('begins nothing while it is paused, and lets what runs end before it is closed', async () => {
    const queue = queueOf()
    let finish = () => {}
    const ran: string[] = []
    const worker = queue.process(async (job) => {
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      ran.push(job.data)
    })
    await queue.addMany(['a', 'b'])
    await vi.waitFor(() => expect(worker.stats.running).toBe(1), SOON)
    const paused = worker.pause()
    finish()
    await paused
    expect(await queue.counts()).toMatchObject({ waiting: 1, active: 0 })
    worker.resume()
    await vi.waitFor(() => expect(worker.stats.running).toBe(1), SOON)
    const closed = worker.close()
    finish()
    await closed
    expect(ran).toEqual(['a', 'b'])
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, consumers: 1 })
  })

  it('tells its progress, and its fence by each delivery', async () => {
    const queue = queueOf({ backoff: { base: 0 } })
    const fences: bigint[] = []
    queue.process(async (job, { fence, progress }: JobContext) => {
      fences.push(fence)
      await progress({ done: job.attempt, at: new Date(7) })
      if (job.attempt < 3) throw new Error('again')
    })
    const { id } = await queue.add('x', { id: 'a {b}:c' })
    await vi.waitFor(async () => expect(await queue.progress(id)).toEqual({ done: 3, at: new Date(7) }), SOON)
    expect(fences).toEqual(fences.toSorted((a, b) => Number(a - b)))
    expect(new Set(fences).size).toBe(3)
    expect(await queue.progress('nobody')).toBeUndefined()
  })

  it('of an instance that is closed gives its lease back at once', async () => {
    const other = await connect(server.url, { namespace })
    const theirs = other.queue<string>('jobs')
    await theirs.addMany(['a', 'b', 'c'])
    const job = await theirs.take()
    theirs.process(() => nextTurn())
    await other.close()
    expect(job?.signal.reason).toMatchObject({ code: 'JOB_LEASE_LOST' })
    const queue = queueOf()
    expect(await queue.counts()).toMatchObject({ active: 0, consumers: 0 })
    expect(await queue.take()).toMatchObject({ data: 'a', attempt: 1 })
  })
})

describe('a job that was taken', () => {
  it('is told on when its end is not heard of in time', async () => {
    const slow = await connect(server.url, { namespace, timeout: 60 })
    const queue = slow.queue<string>('jobs', { lease: '1m' })
    await queue.add('x')
    const job = await queue.take()
    await server.pause()
    await expect(job?.complete()).rejects.toMatchObject({ code: 'TIMEOUT', sent: true })
    await server.resume()
    await vi.waitFor(
      async () => expect(await queueOf({ lease: '1m' }).counts()).toMatchObject({ waiting: 0, active: 0 }),
      SOON,
    )
    await slow.close()
  })

  it('and whose queue was closed may be had again from a new one', async () => {
    const queue = queueOf()
    await queue.add('x')
    await queue.take()
    await queue.close()
    await expect(queue.add('y')).rejects.toMatchObject({ code: 'CONNECTION_CLOSED' })
    expect(await queueOf().take()).toMatchObject({ data: 'x', attempt: 1 })
  })

  it('is ended once, and by nobody afterwards', async () => {
    const queue = queueOf()
    await queue.add('x')
    const job = await queue.take()
    await job?.complete()
    await expect(job?.complete()).rejects.toMatchObject({ code: 'JOB_LEASE_LOST' })
    await expect(job?.extend('1s')).rejects.toMatchObject({ code: 'JOB_LEASE_LOST' })
    await queue.add('y')
    {
      await using kept = await queue.take()
      expect(kept?.data).toBe('y')
    }
    expect(await queue.take()).toMatchObject({ data: 'y', attempt: 1 })
  })

  it('and forgotten fails after its timeout, unless that is extended', async () => {
    const queue = queueOf({ timeout: 40, attempts: 1 })
    await queue.addMany(['forgotten', 'extended'])
    const [forgotten, extended] = [await queue.take(), await queue.take()]
    await extended?.extend('1h')
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
    expect(forgotten?.signal.reason).toMatchObject({ code: 'JOB_TIMEOUT' })
    await expect(forgotten?.complete()).rejects.toMatchObject({ code: 'JOB_LEASE_LOST' })
    await extended?.complete()
    expect(await queue.deadLetters()).toMatchObject([{ data: 'forgotten' }])
  })
})

it('refuses payloads that do not fit the schema, and buries those that fit it no more', async () => {
  const Mail = z.object({ to: z.string(), copies: z.number().default(1) })
  const queue = hf.queue('jobs', { schema: Mail })
  await expect(queue.add({ to: 7 } as never)).rejects.toMatchObject({ code: 'VALUE_INVALID' })
  await queue.add({ to: 'a@b' } as never)
  const other = await connect(server.url, { namespace })
  const data: unknown[] = []
  try {
    await other.queue('jobs').add('no mail')
    queue.process((job) => void data.push(job.data))
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
  } finally {
    await other.close()
  }
  expect(data).toEqual([{ to: 'a@b', copies: 1 }])
  expect(await queue.deadLetters()).toMatchObject([{ data: 'no mail', reason: 'payload', attempts: 1 }])
})

it('waits between attempts as its backoff says, also when that is a function that throws', async () => {
  const queue = queueOf({
    attempts: 3,
    backoff: (attempts) => {
      if (attempts === 2) throw new Error('no idea')
      return '5ms'
    },
  })
  await queue.add('x')
  queue.process(() => Promise.reject(new Error('no')))
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
  expect(await queue.deadLetters()).toMatchObject([{ attempts: 2, error: { message: 'no idea' } }])
})

it('ends a job whose failure nobody could be told of', async () => {
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve))
  const queue = queueOf({ attempts: 1 })
  await queue.add('x')
  const onError = () => {
    throw new Error('deaf')
  }
  queue.process(() => Promise.reject(new Error('no')), { onError })
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
  expect(await warned).toMatchObject({ code: 'HOLDFAST_ON_ERROR', message: expect.stringContaining('deaf') })
})

describe('the shape of a queue', () => {
  const other = async (options: QueueOptions<string>) => {
    const far = await connect(server.url, { namespace })
    return { far, queue: far.queue<string>('jobs', options) }
  }

  it.each([
    ['shards', { shards: 2 }, 1],
    ['mode', { mode: 'priority', shards: 3 }, 3],
    ['groupConcurrency', { groupConcurrency: 2, shards: 3 }, 3],
  ] as const)('refuses a process that was told another %s', async (option, options, shards) => {
    await queueOf({ shards }).add('first', { id: 'one' })
    const { far, queue } = await other(options)
    const refusal = { code: 'CONFIG_INVALID', option }
    try {
      for (const id of ['one', 'two', 'three', 'four'])
        await expect(queue.add('x', { id })).rejects.toMatchObject(refusal)
      await expect(queue.take()).rejects.toMatchObject(refusal)
      await expect(queue.counts()).rejects.toMatchObject(refusal)
      await expect(queue.repeat('nightly', { every: '1h' }, 'x')).rejects.toMatchObject(refusal)
      const errors: unknown[] = []
      queue.process(() => expect.unreachable(), { onError: (error) => errors.push(error) })
      await vi.waitFor(() => expect(errors).toContainEqual(expect.objectContaining(refusal)), SOON)
    } finally {
      await far.close()
    }
    expect(await queueOf({ shards }).counts()).toMatchObject({ waiting: 1, dead: 0 })
  })

  it('is known before any of it is used but the first shard', async () => {
    const wide = queueOf({ shards: 8 })
    await wide.add('x', { id: 'b' })
    const { far, queue } = await other({ shards: 3 })
    for (const id of 'abcdefgh') await expect(queue.add('x', { id })).rejects.toMatchObject({ option: 'shards' })
    await far.close()
    expect(await queueShape(Holdfast.redisOf(hf), 'jobs')).toEqual({ mode: 'stream', shards: 8, groupConcurrency: 1 })
    expect(await queueShape(Holdfast.redisOf(hf), 'none')).toBeUndefined()
  })

  it('changes while there are no jobs, and stops who has the old one until it has the new one', async () => {
    const redis = Holdfast.redisOf(hf)
    const queue = queueOf({ shards: 2 })
    await queue.add('later', { delay: '1h', id: 'later' })
    await expect(reshapeQueue(redis, 'jobs', { groupConcurrency: 4 })).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
    await queue.remove('later')
    await reshapeQueue(redis, 'jobs', { groupConcurrency: 4 })
    await expect(queue.add('x')).rejects.toMatchObject({ option: 'groupConcurrency', received: '1' })
    await expect(queue.take()).rejects.toMatchObject({ option: 'groupConcurrency' })
    const { far, queue: next } = await other({ shards: 2, groupConcurrency: 4 })
    expect(await next.add('x', { id: 'x' })).toMatchObject({ added: true })
    expect((await next.take())?.data).toBe('x')
    // Refused by the shard that has the job, after another was closed: that one is as it was.
    await expect(reshapeQueue(redis, 'jobs', { groupConcurrency: 1 })).rejects.toMatchObject({ code: 'CHANGE_REFUSED' })
    expect(await next.addMany(['y', 'z', 'u', 'v'])).toHaveLength(4)
    await far.close()
  })

  it('keeps the number of shards while anything is found by it', async () => {
    const redis = Holdfast.redisOf(hf)
    const queue = queueOf({ attempts: 1 })
    await queue.add('x')
    await (await queue.take())?.fail(new Error('no'))
    await expect(reshapeQueue(redis, 'jobs', { shards: 3 })).rejects.toThrow('1 dead letters')
    expect(await reshapeQueue(redis, 'jobs', { mode: 'priority' })).toMatchObject({ mode: 'priority' })
    const { far, queue: next } = await other({ mode: 'priority' })
    expect((await next.redrive()).ids).toHaveLength(1)
    expect((await next.take())?.data).toBe('x')
    await far.close()
  })

  it('is brought to its end by the same again where its change died half-way, and by nothing else', async () => {
    const redis = Holdfast.redisOf(hf)
    const queue = queueOf({ shards: 2 })
    await queue.addMany(['a', 'b', 'c', 'd'])
    for (let job = await queue.take(); job !== undefined; job = await queue.take()) await job.complete()
    const state = `{${namespace}:queue:jobs:0}`
    expect(await server.command('HGET', state, 'layout')).toBe('0,stream:2:1')
    await server.command('HSET', state, 'layout', '0,changing:0:0')
    await expect(queue.counts()).rejects.toThrow('it is being changed')
    await reshapeQueue(redis, 'jobs', { mode: 'stream', shards: 2, groupConcurrency: 1 })
    expect(await queue.addMany(['x', 'y'])).toHaveLength(2)
  })
})
