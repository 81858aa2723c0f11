import { beforeEach, expect, it, vi } from 'vitest'
import { Ground, SOON } from '../holdfast.fixture.ts'
import type { Holdfast } from '../holdfast.ts'

const ground = new Ground('queue')
let hf: Holdfast

beforeEach(async () => {
  hf = await ground.connect({ namespace: 'hf' })
})

it.each([{ group: 'one' }, {}])('redrives dead letters in the order in which they died: %o', async (options) => {
  const queue = hf.queue<number>('jobs', { attempts: 1 })
  const all = Array.from({ length: 450 }, (_, i) => i)
  // Many die in one ms, and their names say nothing of it.
  await queue.addMany(all, (i) => ({ ...options, id: `${all.length - i}` }))
  const failing = queue.process(() => Promise.reject(new Error('all')), { onError: () => {} })
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(all.length), SOON)
  await failing.close()
  await queue.redrive()
  const ran: number[] = []
  queue.process(({ data }) => void ran.push(data))
  await vi.waitFor(() => expect(ran).toHaveLength(all.length), SOON)
  expect(ran).toEqual(all)
})

it('fills all places of a worker at once, also by exact rank', async () => {
  const queue = hf.queue<number>('jobs', { mode: 'priority' })
  await queue.addMany(Array.from({ length: 2_000 }, (_, i) => i))
  let running = 0
  const worker = queue.process(
    (_, { signal }) => {
      running++
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
    { concurrency: 2_000, onError: () => {} },
  )
  // Sooner than it would look again by itself.
  await vi.waitFor(() => expect(running).toBe(2_000), { timeout: 1_500, interval: 5 })
  await worker.close({ timeout: 0 })
})

it('answers each of many callers of take with a job while there is one', async () => {
  const queue = hf.queue<number>('jobs', { mode: 'priority' })
  const all = Array.from({ length: 2_500 }, (_, i) => i)
  await queue.addMany(all)
  const taken = await Promise.all([...all, 'one more'].map(() => queue.take()))
  expect(taken.filter((job) => job !== undefined).map(({ data }) => data)).toEqual(all)
  expect(taken.at(-1)).toBeUndefined()
})

it('makes no lane of the priority of a schedule whose slot is passed over, by exact rank', async () => {
  const queue = hf.queue<number>('jobs', { mode: 'priority' })
  const hour = 3_600_000
  const { nextAtMs = 0 } = await queue.repeat('hourly', { every: hour, anchor: Date.now() - hour / 2 }, 1, {
    ...{ priority: 7, missed: 'skip' },
  })
  await ground.server.command('ZADD', '{hf:queue:jobs:0}:slots', nextAtMs - hour, 'hourly')
  queue.process(() => {})
  await vi.waitFor(async () => expect(await queue.schedules()).toMatchObject([{ nextAtMs }]), SOON)
  expect(await ground.server.command('HGET', '{hf:queue:jobs:0}', 'layout')).toBe('1000000,priority:1:1')
})

it('lets the next of a group begin when the one that is to be tried again is cancelled or removed', async () => {
  const queue = hf.queue<string>('jobs', { backoff: { base: '1h' } })
  for (const take of [(id: string) => queue.cancel(id), (id: string) => queue.remove(id)]) {
    await queue.addMany(['first', 'second'], (id) => ({ id, group: 'g' }))
    await (await queue.take())?.fail(new Error('no'))
    expect(await queue.take()).toBeUndefined()
    expect(await take('first')).toBeTruthy()
    const next = await queue.take()
    expect(next?.id).toBe('second')
    await next?.complete()
  }
})

it('keeps no place of a group for a job that was taken away far behind its first', async () => {
  const queue = hf.queue<number>('jobs', { groupConcurrency: 1_000 })
  const all = Array.from({ length: 10_001 }, (_, i) => i)
  await queue.addMany(all, (i) => ({ group: 'g', ...(i === 10_000 && { id: 'last' }) }))
  expect(await queue.remove('last')).toBe(true)
  let ran = 0
  queue.process(() => void ran++, { concurrency: 1_000 })
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0 }), SOON)
  expect(ran).toBe(10_000)
  expect(await ground.server.command('HGETALL', '{hf:queue:jobs:0}:running')).toEqual([])
})

it('adds what others add in the same tick as one whose priority has no place', async () => {
  const queue = hf.queue<number>('jobs')
  const all = await Promise.allSettled(Array.from({ length: 17 }, (_, i) => queue.add(i, { priority: i })))
  expect(all.map(({ status }) => status)).toEqual([...Array.from({ length: 16 }, () => 'fulfilled'), 'rejected'])
  expect(all.at(-1)).toMatchObject({ reason: { option: 'priority', received: '16' } })
  expect((await queue.counts()).waiting).toBe(16)
})

it('refuses a step of priorities for which those that have jobs leave no place, and ends', async () => {
  const queue = hf.queue<number>('jobs')
  await queue.addMany([1, 2, 3, 4, 5, 6, 7, 8], (priority) => ({ priority }))
  const others = Array.from({ length: 9 }, (_, i) => 100 + i)
  await expect(queue.addMany(others, (priority) => ({ priority }))).rejects.toMatchObject({ option: 'priority' })
  await queue.addMany(others.slice(1), (priority) => ({ priority }))
  expect((await queue.counts()).waiting).toBe(16)
})

it('shares places between groups and what waits by exact rank', async () => {
  const queue = hf.queue<string>('jobs', { mode: 'priority' })
  await queue.addMany(
    Array.from({ length: 100 }, () => 'ranked'),
    { priority: 9 },
  )
  await queue.add('grouped', { group: 'g' })
  const begun: string[] = []
  const worker = queue.process(({ data }) => void begun.push(data))
  await vi.waitFor(() => expect(begun).toContain('grouped'), SOON)
  expect(begun.indexOf('grouped')).toBeLessThan(50)
  await worker.close()
})

it('starves no exact rank', async () => {
  const queue = hf.queue<string>('jobs', { mode: 'priority' })
  await queue.addMany(['lowest', 'low'], (data) => ({ priority: data === 'low' ? -5 : -9 }))
  await queue.addMany(
    Array.from({ length: 100 }, () => 'high'),
    { priority: 9 },
  )
  // As if the first two had come 10 s ago: nothing else tells since when they wait.
  await ground.server.command('HSET', '{hf:queue:jobs:0}', 'rankedAt', '1', 'rankedSeq', '2')
  const begun: string[] = []
  const worker = queue.process(({ data }) => void begun.push(data))
  await vi.waitFor(() => expect(begun).toEqual(expect.arrayContaining(['lowest', 'low'])), SOON)
  expect(Math.max(begun.indexOf('lowest'), begun.indexOf('low'))).toBeLessThan(80)
  await worker.close()
})
