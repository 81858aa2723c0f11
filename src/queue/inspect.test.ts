import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { connect, Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { Handler, Queue, QueueOptions } from './index.ts'
import { inspectQueue } from './inspect.ts'

const SOON = { timeout: 15_000, interval: 5 }
let server: TestServer
let hf: Holdfast
let namespace: string

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('queue')
  hf = await connect(server.url, { namespace, timeout: '10s' })
})
afterEach(() => hf.close())
afterAll(() => server.stop())

const queueOf = <T = string>(options: QueueOptions<T> = {}): Queue<T> => hf.queue<T>('jobs', options)

it('says once a minute what nobody has asked to be told: dead letters, and why no job can be had', async () => {
  const warnings: string[] = []
  const hear = (warning: Error & { code?: string }) =>
    warning.code === 'HOLDFAST_QUEUE' && warnings.push(warning.message)
  process.on('warning', hear)
  try {
    const queue = queueOf<number>({ attempts: 1 })
    const worker = queue.process((job) => Promise.reject(new Error(`no ${job.data}`)))
    await queue.addMany([1, 2, 3])
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(3), SOON)
    expect(warnings).toEqual([expect.stringContaining("'jobs': job ")])
    expect(warnings[0]).toContain("by reason of 'attempts': no 1")
    await server.command('ACL', 'SETUSER', 'default', '-xreadgroup')
    await queue.add(4)
    await vi.waitFor(() => expect(warnings[1]).toContain('held up'), SOON)
    expect(warnings[1]).toContain('xreadgroup')
    await server.command('ACL', 'SETUSER', 'default', '+@all')
    await vi.waitFor(() => expect(worker.stats.failed).toBe(4), SOON)
    // Who has asked is told, and warned of nothing.
    const told: unknown[] = []
    const other = hf.queue<number>('other', { attempts: 1 })
    other.process(() => Promise.reject(new Error('no')), { onError: (error) => told.push(error) })
    await other.add(1)
    await vi.waitFor(() => expect(told).toHaveLength(1), SOON)
    expect(warnings).toHaveLength(2)
  } finally {
    await server.command('ACL', 'SETUSER', 'default', '+@all')
    process.off('warning', hear)
  }
})

it('counts what was done and what failed, in all and in the last minute, and what it takes of memory', async () => {
  const queue = queueOf<string>({ attempts: 2, backoff: { base: 0 } })
  await queue.addMany(['x'.repeat(5_000), 'fails', 'defers', 'follows'])
  const handler: Handler<string> = (job, { defer, follow }) => {
    if (job.data === 'fails') throw new Error('no')
    if (job.data === 'follows') follow('again')
    if (job.data === 'defers') defer('1h')
  }
  await queue.pause()
  const worker = queue.process(handler, { onError: () => {} })
  expect(await queue.counts()).toMatchObject({ total: { done: 0, failed: 0 }, lastMinute: { done: 0, failed: 0 } })
  expect((await queue.counts()).bytes).toBeGreaterThan(5_000)
  await queue.resume()
  const all = { total: { done: 3, failed: 2 }, lastMinute: { done: 3, failed: 2 }, dead: 1, delayed: 1 }
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject(all), SOON)
  await worker.close()
  // As if it had been some minutes ago.
  const state = `{${namespace}:queue:jobs:0}`
  await server.command('HINCRBY', state, 'minute', -4)
  expect(await queue.counts()).toMatchObject({ ...all, lastMinute: { done: 0, failed: 0 } })
  await queue.add('one more')
  await (await queue.take())?.complete()
  expect(await queue.counts()).toMatchObject({ total: { done: 4, failed: 2 }, lastMinute: { done: 1, failed: 0 } })
  // In the minute before this one: the share of it that the last 60 s cover.
  await server.command('HINCRBY', state, 'minute', -1)
  await server.command('HINCRBY', state, 'done', 1_000_000)
  const passed = async () => Number((await server.command<string[]>('TIME'))[0]) % 60
  const [from, { lastMinute }, to] = [await passed(), await queue.counts(), await passed()]
  if (to >= from) {
    expect(lastMinute.done).toBeLessThanOrEqual(Math.ceil(1_000_001 * (1 - from / 60)))
    expect(lastMinute.done).toBeGreaterThanOrEqual(Math.floor(1_000_001 * (1 - (to + 1) / 60)))
  }
})

it('keeps as many dead letters as it is told, and no more', async () => {
  const queue = queueOf<number>({ attempts: 1, keepDead: 3 })
  await queue.addMany([1, 2, 3, 4, 5])
  queue.process((job) => Promise.reject(new Error(`${job.data}`)))
  await vi.waitFor(async () => expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, dead: 3 }), SOON)
  expect((await queue.deadLetters()).map(({ data }) => data)).toEqual([5, 4, 3])
  await queue.add(6)
  await vi.waitFor(async () => expect((await queue.counts()).total.failed).toBe(6), SOON)
  expect((await queue.deadLetters()).map(({ data }) => data)).toEqual([6, 5, 4])
  expect(await inspectQueue(Holdfast.redisOf(hf), 'jobs')).toMatchObject({ dead: 3, waiting: 0 })
})

it('answers as many dead letters as are asked for, however large they are', async () => {
  const queue = queueOf<string>({ attempts: 1 })
  await queue.addMany(Array.from({ length: 1_100 }, (_, i) => (i < 6 ? `${i}`.repeat(1_000_000) : `${i}`)))
  queue.process(() => Promise.reject(new Error('all')), { concurrency: 500, onError: () => {} })
  await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1_100), SOON)
  const letters = await queue.deadLetters({ limit: 10_000 })
  expect(new Set(letters.map(({ data }) => data)).size).toBe(1_100)
  expect(await queue.deadLetters({ limit: 1_050 })).toHaveLength(1_050)
})
