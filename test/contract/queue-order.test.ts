import type { Holdfast, Job } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { writeEnvelope } from '../../src/stream/envelope.ts'
import { Place } from './place.ts'
import { drain } from './queue-drain.ts'

const place = new Place({ queues: ['jobs'] })
const SOON = { timeout: 15_000, interval: 5 }
let hf: Holdfast

beforeEach(async () => {
  hf = await place.connect()
})

describe('the mode priority', () => {
  it('gives the highest first, those of one priority in order, whatever it is, and again after failures', async () => {
    const queue = hf.queue<string>('jobs', { mode: 'priority', attempts: 2, backoff: { base: 0 } })
    await queue.addMany(['-7', '100000', '0', '3', '-100000', '3b', '41', '0b'], (data) => ({
      priority: Number.parseInt(data, 10),
    }))
    expect(await queue.counts()).toMatchObject({ waiting: 8, active: 0 })
    const first = await queue.take()
    expect(first).toMatchObject({ data: '100000', priority: 100_000 })
    await first?.fail(new Error('again'))
    expect(await drain(queue)).toEqual(['100000', '41', '3', '3b', '0', '0b', '-7', '-100000'])
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, dead: 0 })
  })

  it('moves and removes what waits, also what waits for its time, and nothing that runs', async () => {
    const queue = hf.queue<string>('jobs', { mode: 'priority' })
    await queue.addMany(['a', 'b', 'c', 'd'], (data) => ({ id: data, priority: 5 }))
    // First: a look that comes later than the delay would bring that job in.
    const running = await queue.take()
    await queue.add('later', { id: 'later', delay: 50 })
    expect(await queue.reprioritize('c', 9)).toBe(true)
    expect(await queue.reprioritize('b', 0)).toBe(true)
    expect(await queue.reprioritize('later', -4)).toBe(true)
    expect(await queue.remove('d')).toBe(true)
    expect(await Promise.all(['a', 'd', 'nobody'].map((id) => queue.remove(id)))).toEqual([false, false, false])
    expect(await queue.reprioritize('a', 1)).toBe(false)
    expect((await queue.add('d', { id: 'd', priority: -9 })).added).toBe(true)
    await vi.waitFor(async () => expect((await queue.counts()).nextDueMs).toBe(0), SOON)
    expect(await drain(queue)).toEqual(['c', 'b', 'later', 'd'])
    await running?.complete()
  })

  it('runs by workers, each job once, and gives dead letters another life', async () => {
    const queue = hf.queue<number>('jobs', { mode: 'priority', attempts: 1 })
    const ran: number[] = []
    let isBroken = true
    await queue.addMany(Array.from({ length: 300 }, (_, i) => i))
    const handler = (job: Job<number>) => {
      if (isBroken && job.data === 7) throw new Error('no')
      ran.push(job.data)
    }
    const other = (await place.connect()).queue<number>('jobs', { mode: 'priority', attempts: 1 })
    for (const one of [queue, other]) one.process(handler, { concurrency: 20, onError: () => {} })
    await vi.waitFor(() => expect(ran).toHaveLength(299), SOON)
    isBroken = false
    await vi.waitFor(async () => expect((await queue.redrive()).ids).toHaveLength(1), SOON)
    await vi.waitFor(() => expect(new Set(ran).size).toBe(300), SOON)
    expect(ran).toHaveLength(300)
  })
})

describe('a group', () => {
  it('runs its jobs one after the other and in order, also after failures, while other groups go on', async () => {
    const queue = hf.queue<string>('jobs', { attempts: 10, backoff: { base: 5, max: 10 } })
    const other = (await place.connect()).queue<string>('jobs', { attempts: 10, backoff: { base: 5, max: 10 } })
    const ran: string[] = []
    const running = new Map<string, number>()
    let most = 0
    const handler = async (job: Job<string>) => {
      const group = job.group as string
      const now = (running.get(group) ?? 0) + 1
      running.set(group, now)
      most = Math.max(most, now)
      await new Promise((resolve) => setImmediate(resolve))
      running.set(group, now - 1)
      if (job.attempt < 3 && job.data.endsWith('2')) throw new Error('again')
      ran.push(job.data)
    }
    const groups = ['x', 'y', 'z:{}', 'ü']
    for (let i = 0; i < 5; i++)
      await queue.addMany(
        groups.map((group) => `${group} ${i}`),
        (data) => ({ group: data.slice(0, -2) }),
      )
    await queue.add('alone')
    for (const one of [queue, other])
      one.process((job) => (job.group === undefined ? void ran.push(job.data) : handler(job)), { concurrency: 8 })
    await vi.waitFor(() => expect(ran).toHaveLength(21), SOON)
    expect(most).toBe(1)
    for (const group of groups)
      expect(ran.filter((data) => data.startsWith(`${group} `))).toEqual([0, 1, 2, 3, 4].map((i) => `${group} ${i}`))
    expect(await queue.counts()).toMatchObject({ waiting: 0, delayed: 0, dead: 0 })
  })

  it('takes its turn with the others, goes on after a dead letter, and keeps its order when jobs are handed back', async () => {
    const queue = hf.queue<string>('jobs', { attempts: 1 })
    await queue.addMany(['a1', 'a2', 'a3', 'b1', 'c1', 'b2'], (data) => ({ group: data.slice(0, 1) }))
    const jobs = [await queue.take(), await queue.take(), await queue.take(), await queue.take()]
    expect(jobs.map((job) => job?.data)).toEqual(['a1', 'b1', 'c1', undefined])
    await jobs[0]?.release()
    const again = await queue.take()
    expect(again).toMatchObject({ data: 'a1', attempt: 1 })
    await again?.fail(new Error('no'))
    await jobs[1]?.complete()
    expect(await drain(queue)).toEqual(expect.arrayContaining(['a2', 'a3', 'b2']))
    await jobs[2]?.complete()
    expect(await place.keys(`*${place.namespace}*:running`)).toEqual([])
    expect(await queue.remove('nobody')).toBe(false)
  })

  it('goes before others by the priority of its first job, which changes nothing in its own order', async () => {
    const queue = hf.queue<string>('jobs')
    const priorities: Record<string, number> = { low: -1, usual: 0, high: 7, 'high, later': 0, 'usual, later': 9 }
    for (const [data, priority] of Object.entries(priorities))
      await queue.add(data, { id: data, delay: 0, priority, group: data.replace(', later', '') })
    const drained = await drain(queue)
    expect(drained[0]).toBe('high')
    expect(drained.indexOf('usual, later')).toBe(drained.indexOf('usual') + 1)
    expect(drained.at(-1)).toBe('low')
  })

  it('may run several at a time where that is wanted', async () => {
    const queue = hf.queue<number>('jobs', { groupConcurrency: 2 })
    await queue.addMany([1, 2, 3], { group: 'g' })
    const jobs = [await queue.take(), await queue.take(), await queue.take()]
    expect(jobs.map((job) => job?.data)).toEqual([1, 2, undefined])
    await jobs[0]?.complete()
    expect(await queue.take()).toMatchObject({ data: 3, group: 'g' })
  })
})

it('keeps no low priority waiting for ever', async () => {
  const queue = hf.queue<string>('jobs')
  await queue.add('first')
  const lane = (await place.keys(`*${place.namespace}*:lane:0`))[0]?.replace(/0$/, '-5') as string
  // As if it had been there since 1970.
  await place.command(
    'XADD',
    lane,
    '1-1',
    'j',
    writeEnvelope({ id: 'old', isNamed: false, priority: -5, payload: '"old"' }),
  )
  await queue.add('low', { priority: -5 })
  await queue.addMany(
    Array.from({ length: 100 }, () => 'high'),
    { priority: 5 },
  )
  let taken = 0
  for (let job = await queue.take(); job?.data !== 'old'; job = await queue.take()) {
    expect(job).toBeDefined()
    taken++
  }
  expect(taken).toBeLessThan(100)
})
