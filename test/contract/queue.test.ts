import { GiveUp, type Handler, type Holdfast, type Job, type Queue, type QueueOptions } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { hashTag } from '../../src/redis/slots.ts'
import { Place } from './place.ts'
import { drain } from './queue-drain.ts'

const NAMES = ['jobs', 'wide', '', '{a}:b *']
const place = new Place({ queues: NAMES })
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

const queueOf = <T = number>(options: QueueOptions<T> = {}, one = hf): Queue<T> => one.queue<T>('jobs', options)
const countsOf = async (queue: Queue<never>) => {
  const { waiting, active, delayed, dead } = await queue.counts()
  return { waiting, active, delayed, dead }
}

describe('adding', () => {
  it('gives jobs out once each, in order, to several workers of several instances', async () => {
    const [near, far] = [queueOf(), queueOf({}, await place.connect())]
    const ran: number[] = []
    const handler = async (job: Job<number>) => void ran.push(job.data)
    const workers = [near.process(handler, { concurrency: 3 }), far.process(handler, { concurrency: 3 })]
    await Promise.all([
      ...Array.from({ length: 40 }, (_, i) => near.add(i)),
      far.addMany(Array.from({ length: 260 }, (_, i) => 40 + i)),
    ])
    await vi.waitFor(() => expect(ran).toHaveLength(300), { timeout: 20_000, interval: 5 })
    expect([...ran].sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i))
    await Promise.all(workers.map((worker) => worker.close()))
    expect(await countsOf(near as Queue<never>)).toEqual({ waiting: 0, active: 0, delayed: 0, dead: 0 })
  })

  it('adds no second job with an id while the first exists, and another after it', async () => {
    const queue = queueOf()
    expect(await queue.add(1, { id: 'invoice:7' })).toEqual({ id: 'invoice:7', added: true })
    expect(await queue.add(2, { id: 'invoice:7' })).toEqual({ id: 'invoice:7', added: false })
    const later = await queue.addMany([3, 4], (data) => ({ id: `${data}`, delay: '1h' }))
    expect(later).toEqual([
      { id: '3', added: true },
      { id: '4', added: true },
    ])
    expect((await queue.add(3, { id: '3' })).added).toBe(false)
    const job = await queue.take()
    expect(job).toMatchObject({ id: 'invoice:7', data: 1, attempt: 1 })
    expect((await queue.add(2, { id: 'invoice:7' })).added).toBe(false)
    await job?.complete()
    expect((await queue.add(5, { id: 'invoice:7' })).added).toBe(true)
    expect(await drain(queue)).toEqual([5])
  })

  it('gives higher priorities first, of each in order, with any name and payload', async () => {
    for (const name of NAMES) {
      const queue = hf.queue<unknown>(name)
      await queue.add({ at: new Date(5), big: 2n ** 70n, empty: [], none: undefined })
      await queue.add('low', { priority: -3 })
      await queue.addMany(['first', 'second'], { priority: 10 })
      await queue.add('ünï🎭', { priority: 2 })
      expect(await drain(queue)).toEqual([
        'first',
        'second',
        'ünï🎭',
        { at: new Date(5), big: 2n ** 70n, empty: [], none: undefined },
        'low',
      ])
    }
  })

  it('refuses what is beyond the length, all of a call or none', async () => {
    const queue = queueOf({ maxLength: 3 })
    await queue.addMany([1, 2])
    await expect(queue.addMany([3, 4])).rejects.toMatchObject({ code: 'QUEUE_FULL', added: [] })
    await queue.add(3, { delay: '1h', id: 'three' })
    await expect(queue.add(4)).rejects.toMatchObject({ code: 'QUEUE_FULL', retryable: true, maxLength: 3 })
    // What exists needs no room.
    const again = [queue.add(3, { id: 'three' }), queue.addMany([3], { id: 'three' })]
    expect(await Promise.all(again)).toEqual([{ id: 'three', added: false }, [{ id: 'three', added: false }]])
    await (await queue.take())?.complete()
    await queue.add(4)
    expect(await drain(queue)).toEqual([2, 4])
  })

  it('bounds schedules and redriven letters too, and what follows into another queue, but not what follows in its own', async () => {
    const options = { maxLength: 2, shards: 1, attempts: 1 }
    const narrow = hf.queue<string>('wide', options)
    await narrow.add('dies')
    await (await narrow.take())?.fail(new Error('no'))
    await narrow.addMany(['parent', 'other'])
    expect(await narrow.redrive()).toMatchObject({ ids: [], full: [expect.any(String)] })
    const ran: string[] = []
    const heard: unknown[] = []
    await narrow.repeat('slot', { every: '1h' }, 'slot', { missed: { all: 3 } })
    const [slots] = (await place.keys(`*${place.namespace}*:slots`)) as [string]
    await place.command('ZADD', slots, Date.now() - 5 * 3_600_000, 'slot')
    // A job that follows into a full queue holds up its own, which loses no attempt by it.
    const feeder = queueOf<string>({ attempts: 1, backoff: { base: 5, max: 5 } })
    await feeder.add('feeds')
    const feeding = feeder.process((_, { follow }) => follow('fed', { queue: narrow }), {
      onError: (error) => heard.push((error as { code?: string }).code),
    })
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(1), { timeout: 10_000, interval: 5 })
    expect(heard).toContain('QUEUE_FULL')
    expect(await narrow.counts()).toMatchObject({ waiting: 2, dead: 1 })
    // By another instance, which looks for what is due when it begins: this one would in five seconds.
    const worker = (await place.connect()).queue<string>('wide', options).process(
      (job, { follow }) => {
        ran.push(job.data)
        if (job.data === 'parent') for (const child of ['child 1', 'child 2', 'child 3']) follow(child)
      },
      { onError: () => {} },
    )
    const all = ['child 1', 'child 2', 'child 3', 'fed', 'other', 'parent', 'slot', 'slot', 'slot']
    await vi.waitFor(() => expect(ran.toSorted()).toEqual(all), { timeout: 10_000, interval: 5 })
    await Promise.all([worker.close(), feeding.close()])
    expect(await countsOf(feeder as Queue<never>)).toEqual({ waiting: 0, active: 0, delayed: 0, dead: 0 })
    expect(await narrow.redrive()).toMatchObject({ ids: [expect.any(String)], full: [] })
  })

  it('holds back what is delayed, and wakes a worker that sleeps when it is due', async () => {
    const queue = queueOf<string>()
    const ran: string[] = []
    queue.process((job) => void ran.push(job.data))
    await queue.add('later', { delay: '1h' })
    await queue.add('soon', { delay: 80 })
    await queue.add('past', { at: new Date(0) })
    await vi.waitFor(() => expect(ran).toEqual(['past', 'soon']), { interval: 5, timeout: 10_000 })
    expect(await queue.counts()).toMatchObject({ delayed: 1, waiting: 0 })
  })
})

it('wakes a worker that waits on the server for jobs of every kind', async () => {
  const queue = queueOf<string>({}, await place.connect())
  const ran: string[] = []
  const worker = queue.process((job) => void ran.push(job.data), { wake: 'block' })
  const near = queueOf<string>()
  const kinds = {
    plain: {},
    ranked: { priority: 3 },
    later: { delay: 20 },
    grouped: { group: 'g' },
    named: { id: 'n' },
  }
  for (const [kind, options] of Object.entries(kinds)) {
    await near.add(kind, options)
    await vi.waitFor(() => expect(ran).toContain(kind), { timeout: 10_000, interval: 5 })
  }
  await near.pause()
  await near.add('paused')
  expect((await near.counts()).waiting).toBe(1)
  await near.resume()
  await vi.waitFor(() => expect(ran.at(-1)).toBe('paused'), { timeout: 10_000, interval: 5 })
  await worker.close()
  await near.addMany(['left', 'over'])
  expect(await countsOf(near as Queue<never>)).toEqual({ waiting: 2, active: 0, delayed: 0, dead: 0 })
  expect(ran).toHaveLength(6)
})

describe('an attempt', () => {
  it('is followed by others after the backoff, and by a dead letter after the last', async () => {
    const queue = queueOf({ attempts: 3, backoff: { base: 5, max: 20 } })
    const attempts: number[] = []
    const failing = (job: Job<number>) => {
      attempts.push(job.attempt)
      throw new TypeError(`no ${job.data}`)
    }
    queue.process(failing, { onError: () => {} })
    const { id } = await queue.add(9)
    await vi.waitFor(async () => expect(await queue.deadLetters()).toHaveLength(1), { timeout: 10_000, interval: 5 })
    expect(attempts).toEqual([1, 2, 3])
    const [letter] = await queue.deadLetters()
    expect(letter).toMatchObject({ id, data: 9, reason: 'attempts', attempts: 3 })
    expect(letter?.error).toMatchObject({ name: 'TypeError', message: 'no 9' })
    expect(letter?.diedAtMs).toBeGreaterThanOrEqual(letter?.addedAtMs ?? Number.NaN)
  })

  it('is the last when it gives up; a deferred one uses none', async () => {
    const queue = queueOf<string>({ attempts: 2 })
    const seen: string[] = []
    const handler: Handler<string> = (job, { defer }) => {
      seen.push(`${job.data} ${job.attempt}`)
      if (job.data === 'hopeless') throw new GiveUp('no such user')
      if (seen.length < 4) defer(5)
    }
    queue.process(handler, { onError: () => {} })
    await queue.add('hopeless')
    await queue.add('patient')
    await vi.waitFor(() => expect(seen).toHaveLength(4), { timeout: 10_000, interval: 5 })
    expect(seen).toEqual(['hopeless 1', 'patient 1', 'patient 1', 'patient 1'])
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), { interval: 5 })
    expect(await queue.deadLetters()).toMatchObject([{ data: 'hopeless', reason: 'given-up' }])
  })

  it('is not made of a job that should have begun before: it is dead, and redriven it does not expire', async () => {
    const queue = queueOf<string>({ attempts: 1 })
    const late = { expiresIn: 1 }
    await queue.addMany(['alone', 'urgent', 'grouped', 'in time'], (data) =>
      data === 'in time' ? { expiresIn: '1h', delay: 5 } : { ...late, ...(data === 'grouped' ? { group: 'g' } : {}) },
    )
    await queue.add('taken', { ...late, at: new Date(0) })
    await vi.waitFor(async () => expect((await queue.counts()).delayed).toBe(0), { interval: 5 }).catch(() => {})
    const ran: string[] = []
    const worker = queue.process((job) => void ran.push(job.data), { concurrency: 5, onError: () => {} })
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(4), { timeout: 10_000, interval: 5 })
    await vi.waitFor(() => expect(ran).toEqual(['in time']), { timeout: 10_000, interval: 5 })
    const dead = await queue.deadLetters()
    expect(dead.map(({ reason, attempts }) => [reason, attempts])).toEqual(dead.map(() => ['expired', 0]))
    await queue.redrive()
    await vi.waitFor(() => expect(ran).toHaveLength(5), { timeout: 10_000, interval: 5 })
    await worker.close()
    await queue.add('taken', { ...late, at: new Date(0) })
    expect(await queue.take()).toBeUndefined()
    expect(await queue.deadLetters()).toMatchObject([{ data: 'taken', reason: 'expired' }])
  })

  it('that was taken and forgotten comes back after the lease, though its taker lives; extended, it does not', async () => {
    const queue = hf.queue<string>('jobs', { lease: '500ms', attempts: 2 })
    await queue.addMany(['forgotten', 'kept'])
    const [forgotten, kept] = [await queue.take(), await queue.take()]
    await kept?.extend('1m')
    const other = (await place.connect()).queue<string>('jobs', { lease: '500ms', attempts: 2 })
    const again = await vi.waitFor(async () => (await other.take()) ?? expect.unreachable(), {
      timeout: 10_000,
      interval: 5,
    })
    expect(again).toMatchObject({ id: forgotten?.id, attempt: 2 })
    expect(forgotten?.signal.reason).toMatchObject({ code: 'JOB_TIMEOUT' })
    await expect(forgotten?.complete()).rejects.toMatchObject({ code: 'JOB_LEASE_LOST' })
    // And the last attempt is the last.
    await vi.waitFor(
      async () => expect(await other.deadLetters()).toMatchObject([{ data: 'forgotten', attempts: 2 }]),
      { timeout: 10_000, interval: 5 },
    )
    await kept?.complete()
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 1 })
  })

  it('whose lease was lost ends nothing, hears of it, and the job runs elsewhere with a higher fence', async () => {
    const queue = queueOf()
    const other = queueOf({}, await place.connect())
    await queue.add(1)
    const job = await queue.take()
    // As if this process had stood still for longer than its lease.
    const leases = (await place.keys(`*${place.namespace}*:leases`))[0] as string
    const [consumer] = await place.command<string[]>('ZRANGE', leases, 0, -1)
    await place.command('ZADD', leases, 1, consumer as string)
    const again = await other.take()
    expect(again).toMatchObject({ id: job?.id, data: 1, attempt: 2 })
    expect(again?.fence).toBeGreaterThan(job?.fence as bigint)
    await expect(job?.complete()).rejects.toMatchObject({ code: 'JOB_LEASE_LOST', jobId: job?.id })
    expect(job?.signal.reason).toMatchObject({ code: 'JOB_LEASE_LOST' })
    expect(queue.stats.refused).toBeGreaterThan(0)
    await again?.complete()
    expect(await countsOf(queue as Queue<never>)).toEqual({ waiting: 0, active: 0, delayed: 0, dead: 0 })
  })
})

describe('dead letters', () => {
  it('are filtered, seen before, redriven with all their attempts, and purged', async () => {
    const queue = queueOf({ attempts: 1 })
    await queue.addMany([1, 2, 3, 4, 5], (data) => ({ id: `${data}`, priority: data % 2 }))
    for (let job = await queue.take(); job !== undefined; job = await queue.take()) await job.fail(new Error('no'))
    expect(await queue.deadLetters({ limit: 2, filter: ({ data }) => data > 2 })).toHaveLength(2)
    const even = { filter: ({ data }: { data: number }) => data % 2 === 0 }
    expect((await queue.redrive({ ...even, preview: true })).ids.toSorted()).toEqual(['2', '4'])
    expect(await queue.counts()).toMatchObject({ dead: 5, waiting: 0 })
    await queue.add(20, { id: '2' })
    expect(await queue.redrive(even)).toEqual({ ids: ['4'], exists: ['2'] })
    expect(await queue.redrive({ ids: ['5', 'nobody'] })).toEqual({ ids: ['5'], exists: [] })
    expect(await queue.take()).toMatchObject({ id: '5', attempt: 1, priority: 1 })
    expect(await drain(queue)).toEqual([20, 4])
    expect(await queue.purge({ ids: ['1'] })).toBe(1)
    expect(await queue.purge()).toBe(2)
    expect(await queue.counts()).toMatchObject({ dead: 0, active: 1 })
  })
})

describe('the fleet', () => {
  it('stops beginning jobs by a pause, and goes on by a resume', async () => {
    const [near, far] = [queueOf(), queueOf({}, await place.connect())]
    await near.pause()
    await near.add(1)
    expect(await far.take()).toBeUndefined()
    const ran: number[] = []
    far.process((job) => void ran.push(job.data))
    expect(await far.counts()).toMatchObject({ paused: true, waiting: 1 })
    await near.resume()
    await vi.waitFor(() => expect(ran).toEqual([1]), { interval: 5, timeout: 10_000 })
  })

  it('is handed back what a closing worker does not end, uncounted and first', async () => {
    const [near, far] = [queueOf(), queueOf({}, await place.connect())]
    await near.addMany([1, 2, 3])
    let signal: AbortSignal | undefined
    const worker = near.process(async (_, context) => {
      signal = context.signal
      await new Promise(() => {})
    })
    await vi.waitFor(() => expect(signal).toBeDefined(), { interval: 5 })
    await worker.close({ timeout: 0 })
    expect(signal?.reason).toMatchObject({ code: 'WORKER_CLOSED' })
    const jobs = [await far.take(), await far.take(), await far.take()]
    expect(jobs.map((job) => [job?.data, job?.attempt])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
    ])
  })

  it('begins so many jobs in a time and no more, whoever asks, and goes on by itself', async () => {
    const rate = { limit: 4, per: '200ms' } as const
    const queue = queueOf<number>({ rate })
    const other = queueOf<number>({ rate }, await place.connect())
    await queue.addMany(Array.from({ length: 12 }, (_, i) => i))
    const begun: number[] = []
    for (const one of [queue, other]) one.process(() => void begun.push(performance.now()), { concurrency: 10 })
    await vi.waitFor(() => expect(begun).toHaveLength(12), { timeout: 10_000, interval: 5 })
    // Four at once, and each other one 50 ms after the one before: on a slow machine later, never sooner.
    expect((begun[11] as number) - (begun[0] as number)).toBeGreaterThan(8 * 50 - 60)
    expect(await queue.take()).toBeUndefined()
  })

  it('spreads shards over servers, and each keeps all of its keys in one place', async () => {
    const queue = hf.queue<number>('wide', { shards: 12 })
    const ran: number[] = []
    queue.process((job) => void ran.push(job.data), { concurrency: 5 })
    await queue.addMany(Array.from({ length: 100 }, (_, i) => i))
    await vi.waitFor(() => expect(ran).toHaveLength(100), { timeout: 20_000, interval: 5 })
    const tags = new Set((await place.keys(`*${place.namespace}:queue:*`)).map((key) => hashTag(key)))
    expect(tags.size).toBe(12)
    expect(await queue.take()).toBeUndefined()
  })
})
