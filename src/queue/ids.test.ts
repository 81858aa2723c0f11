import fc from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { PulledJob, Queue } from './index.ts'

const SOON = { timeout: 15_000, interval: 5 }
let server: TestServer
let hf: Holdfast
let queue: Queue<number>
let jobs: string

beforeAll(async () => {
  server = await startServer()
  const namespace = testNamespace('ids')
  hf = await connect(server.url, { namespace })
  jobs = `{${namespace}:queue:`
})
let count = 0
beforeEach(() => {
  queue = hf.queue<number>(`jobs${++count}`, { attempts: 3, backoff: { base: '1h' } })
})
afterAll(async () => {
  await hf.close()
  await server.stop()
})

const key = (part: string) => `${jobs}${queue.name}:0}:${part}`
const taken = async (): Promise<PulledJob<number>> => {
  const job = await queue.take()
  if (job === undefined) throw new Error('there is no job')
  return job
}
/** As if the time of a job that waits had come. */
const due = async (id: string) => {
  await server.command('ZADD', key('delayed'), 'XX', '1', id)
}

describe('an id that is kept', () => {
  it('is refused while its job lives, and for so long after it was done, but not after a death or a cancel', async () => {
    const add = () => queue.add(1, { id: 'hook', keepId: '1h' })
    expect(await add()).toEqual({ id: 'hook', added: true })
    expect((await add()).added).toBe(false)
    const first = await taken()
    expect((await add()).added).toBe(false)
    await first.complete()
    expect(await add()).toEqual({ id: 'hook', added: false })
    expect((await queue.addMany([1, 2], (n) => ({ id: ['hook', 'new'][n - 1] as string, keepId: '1h' })))[1]).toEqual({
      id: 'new',
      added: true,
    })
    // Who does not say it is not held to it.
    expect((await queue.add(3, { id: 'hook' })).added).toBe(true)
    expect(await queue.cancel('hook')).toBe('removed')
    expect(await queue.cancel('new')).toBe('removed')
    expect((await queue.add(4, { id: 'new', keepId: '1h', attempts: 1 })).added).toBe(true)
    await (await taken()).fail(new Error('no'))
    expect((await queue.add(5, { id: 'new', keepId: '1h' })).added).toBe(true)
  })

  it('is forgotten when its time is over: all with the longest, and others as more are done', async () => {
    await server.command('ZADD', key('kept'), ...Array.from({ length: 150 }, (_, i) => ['5', `old ${i}`]).flat())
    const worker = queue.process(() => {})
    await queue.add(1, { id: 'old 7', keepId: '1h' })
    await vi.waitFor(async () => expect(await server.command('ZCARD', key('kept'))).toBe(50), SOON)
    await queue.add(1, { id: 'b', keepId: '1m' })
    await vi.waitFor(
      async () => expect(await server.command('ZRANGE', key('kept'), 0, -1)).toEqual(['b', 'old 7']),
      SOON,
    )
    expect(await server.command('PTTL', key('kept'))).toBeGreaterThan(3_500_000)
    await worker.close()
  })
})

describe('a job that replaces', () => {
  it('takes the place of one of its id that waits for its time, and pushes that', async () => {
    const add = (n: number, delay: '1h' | '2h' = '1h') => queue.add(n, { id: 'draft', delay, replace: true })
    expect(await add(1)).toEqual({ id: 'draft', added: true })
    expect(await add(2, '2h')).toEqual({ id: 'draft', added: true, replaced: true })
    expect(await queue.counts()).toMatchObject({ delayed: 1, waiting: 0 })
    expect(Number(await server.command('ZSCORE', key('delayed'), 'draft'))).toBeGreaterThan(Date.now() + 7_000_000)
    await due('draft')
    const job = await taken()
    expect(job).toMatchObject({ id: 'draft', data: 2 })
    // That one runs: the next is another job, and of the two the last runs too.
    expect(await add(3)).toEqual({ id: 'draft@1', added: true })
    expect(await add(4)).toEqual({ id: 'draft@1', added: true, replaced: true })
    await job.fail(new Error('retried in an hour'))
    // A failed one is out of date as well.
    expect(await add(5)).toEqual({ id: 'draft', added: true, replaced: true })
    await due('draft')
    expect(await taken()).toMatchObject({ id: 'draft', data: 5, attempt: 1 })
  })

  it('of any history leaves the last to run, and after it nothing', async () => {
    const what = fc.oneof(
      { weight: 3, arbitrary: fc.constant('add' as const) },
      fc.constantFrom('due' as const, 'take' as const, 'end' as const, 'fail' as const),
    )
    await fc.assert(
      fc.asyncProperty(fc.array(what, { maxLength: 25 }), fc.constantFrom(undefined, 'g'), async (whats, group) => {
        queue = hf.queue<number>(`jobs${++count}`, { attempts: 100, backoff: { base: '1h' } })
        const running: PulledJob<number>[] = []
        let last = 0
        let ran = 0
        const take = async () => {
          const job = await queue.take()
          if (job === undefined) return false
          running.push(job)
          ran = Math.max(ran, job.data)
          return true
        }
        const allDue = async () => {
          for (const id of await server.command<string[]>('ZRANGE', key('delayed'), 0, -1)) await due(id)
          for (const id of await server.command<string[]>('ZRANGE', key('parked'), 0, -1))
            await server.command('ZADD', key('parked'), 1, id)
        }
        for (const does of whats) {
          if (does === 'add') {
            const options = { id: 'a', delay: 3_600_000, replace: true, ...(group && { group }) }
            if ((await queue.add(last + 1, options)).added) last++
          } else if (does === 'due') await allDue()
          else if (does === 'take') await take()
          else if (does === 'end') await running.pop()?.complete()
          else await running.pop()?.fail(new Error('no'))
        }
        for (let left = 100; left > 0; left--) {
          await allDue()
          for (const job of running.splice(0)) await job.complete()
          if (!(await take()) && running.length === 0 && (await queue.counts()).delayed === 0) break
        }
        expect(ran).toBe(last)
        expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 0 })
        expect(await server.command('EXISTS', key('ids'), key('bodies'), key('grouped'))).toBe(0)
      }),
      { numRuns: 12 },
    )
  })

  it.each([
    ['id', { replace: true, delay: 5 }],
    ['delay', { replace: true, id: 'a' }],
    ['keepId', { replace: true, id: 'a', delay: 5, keepId: '1s' }],
    ['replace', { replace: 1, id: 'a', delay: 5 }],
    ['id', { keepId: '1s' }],
  ])('or is kept without what that needs is refused by name: %s', async (option, options) => {
    await expect(queue.add(1, options as never)).rejects.toMatchObject({ option })
  })
})
