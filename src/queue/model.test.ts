// Random histories of one queue and two processes, against what the documentation says; and one test for each way in which queues on
// streams are known to go wrong.
import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, type Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { PulledJob, Queue } from './index.ts'

const SOON = { timeout: 15_000, interval: 5 }
let server: TestServer
let namespace: string
let both: Holdfast[] = []

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('queue')
  // The machine may have much to do: what is tested here is not how long it takes.
  both = [
    await connect(server.url, { namespace, timeout: '10s' }),
    await connect(server.url, { namespace, timeout: '10s' }),
  ]
})
afterEach(async () => {
  await Promise.all(both.map((hf) => hf.close()))
  await server.command('FLUSHALL')
})
afterAll(() => server.stop())

const who = fc.nat(1)
const op = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant('add' as const),
      who,
      priority: fc.constantFrom(0, 0, 5, -2),
      id: fc.constantFrom(undefined, undefined, 'a', 'b'),
      group: fc.constantFrom(undefined, undefined, 'g', 'h'),
    }),
  },
  { weight: 4, arbitrary: fc.record({ verb: fc.constant('take' as const), who }) },
  {
    weight: 4,
    arbitrary: fc.record({
      verb: fc.constant('end' as const),
      pick: fc.nat(20),
      how: fc.constantFrom('complete' as const, 'fail' as const, 'release' as const),
    }),
  },
  { weight: 1, arbitrary: fc.record({ verb: fc.constantFrom('redrive' as const, 'purge' as const), who }) },
)
type Op = typeof op extends fc.Arbitrary<infer O> ? O : never

/** A job as the model knows it. */
interface Known {
  readonly data: number
  readonly id: string
  readonly isNamed: boolean
  readonly priority: number
  readonly group: string | undefined
  attempt: number
}

class Model {
  /** Each in its order. */
  readonly lanes = new Map<number, Known[]>([5, 0, -2].map((priority) => [priority, []]))
  readonly groups = new Map<string, Known[]>(['g', 'h'].map((group) => [group, []]))
  readonly busy = new Set<string>()
  readonly back: Known[] = []
  readonly active = new Map<PulledJob<number>, Known>()
  readonly dead: Known[] = []

  get living(): Known[] {
    return [...this.lanes.values(), ...this.groups.values(), this.back, [...this.active.values()]].flat()
  }

  put(job: Known, first = false): void {
    const line = (job.group === undefined ? this.lanes.get(job.priority) : this.groups.get(job.group)) as Known[]
    if (first && job.group !== undefined) line.unshift(job)
    else line.push(job)
  }

  /** Those of which one must be given out now. */
  get next(): Known[] {
    if (this.back.length > 0) return this.back
    const lane = [...this.lanes.values()].find((line) => line.length > 0)
    const heads = [...this.groups].filter(([group]) => !this.busy.has(group)).flatMap(([, line]) => line.slice(0, 1))
    return [...(lane?.slice(0, 1) ?? []), ...heads]
  }

  leave(job: Known): void {
    for (const line of [this.back, ...this.lanes.values(), ...this.groups.values()])
      if (line.includes(job)) line.splice(line.indexOf(job), 1)
    if (job.group !== undefined) this.busy.add(job.group)
  }
}

let count = 0

async function step(queues: readonly Queue<number>[], model: Model, does: Op): Promise<void> {
  const queue = queues['who' in does ? does.who : 0] as Queue<number>
  if (does.verb === 'add') {
    const { id, group } = does
    const priority = group === undefined ? does.priority : 0
    const data = ++count
    const exists = id !== undefined && model.living.some((job) => job.isNamed && job.id === id)
    const added = await queue.add(data, { priority, ...(id && { id }), ...(group && { group }) })
    expect(added.added).toBe(!exists)
    if (!exists) model.put({ data, id: added.id, isNamed: id !== undefined, priority, group, attempt: 1 })
  } else if (does.verb === 'take') {
    const { next } = model
    const job = await queue.take()
    const known = next.find(({ data }) => data === job?.data)
    if (next.length === 0) return expect(job).toBeUndefined()
    expect(next).toContain(known)
    expect(job).toMatchObject({ id: known?.id, attempt: known?.attempt, priority: known?.priority })
    model.leave(known as Known)
    model.active.set(job as PulledJob<number>, known as Known)
  } else if (does.verb === 'end') {
    const [job, known] = [...model.active][does.pick % Math.max(1, model.active.size)] ?? []
    if (job === undefined || known === undefined) return
    model.active.delete(job)
    if (does.how === 'release') {
      await job.release()
      model.back.push(known)
      return
    }
    if (known.group !== undefined) model.busy.delete(known.group)
    if (does.how === 'complete') return job.complete()
    await job.fail(new Error('no'))
    if (known.attempt++ === 1) return model.put(known, true)
    const older = model.dead.findIndex(({ id }) => id === known.id)
    if (older >= 0) model.dead.splice(older, 1)
    model.dead.push(known)
  } else if (does.verb === 'redrive') {
    const taken = new Set(model.living.filter(({ isNamed }) => isNamed).map(({ id }) => id))
    const { ids, exists } = await queue.redrive()
    expect(new Set(exists)).toEqual(new Set(model.dead.map(({ id }) => id).filter((id) => taken.has(id))))
    // In the order in which it says so.
    for (const id of ids) {
      const [job] = model.dead.splice(
        model.dead.findIndex((one) => one.id === id),
        1,
      ) as [Known]
      job.attempt = 1
      model.put(job)
    }
  } else {
    expect(await queue.purge()).toBe(model.dead.length)
    model.dead.length = 0
  }
}

it('is what its documentation says, whatever two processes do with it', async () => {
  let runs = 0
  await fc.assert(
    fc.asyncProperty(fc.array(op, { maxLength: 60, size: 'max' }), async (ops) => {
      const name = `model ${runs++}`
      const queues = both.map((hf) => hf.queue<number>(name, { attempts: 2, backoff: { base: 0 } }))
      const model = new Model()
      for (const does of ops) {
        await step(queues, model, does)
        const { waiting, active, delayed, dead } = await (queues[0] as Queue<number>).counts()
        const expected = { active: model.active.size, delayed: 0, dead: model.dead.length }
        expect({ waiting, active, delayed, dead }).toEqual({
          waiting: model.living.length - model.active.size,
          ...expected,
        })
      }
      for (const job of model.active.keys()) await job.complete()
    }),
    { numRuns: 12 },
  )
})

describe('jobs are not lost or doubled', () => {
  it('by more of them than a script may unpack', async () => {
    const [near, far] = both.map((hf) => hf.queue<number>('many')) as [Queue<number>, Queue<number>]
    const ran = new Set<number>()
    let runs = 0
    const handler = (job: { readonly data: number }) => {
      ran.add(job.data)
      runs++
    }
    far.process(handler, { concurrency: 10_000 })
    await near.addMany(
      Array.from({ length: 12_000 }, (_, i) => i),
      (i) => (i % 3 === 0 ? { id: `n${i}` } : undefined),
    )
    await vi.waitFor(() => expect(ran.size).toBe(12_000), SOON)
    await vi.waitFor(async () => expect(await near.counts()).toMatchObject({ waiting: 0, active: 0 }), SOON)
    expect(runs).toBe(12_000)
  })

  it('by a worker that takes more than it has places for', async () => {
    const [near, far] = both.map((hf) => hf.queue<number>('fair')) as [Queue<number>, Queue<number>]
    await near.addMany(Array.from({ length: 30 }, (_, i) => i))
    const worker = far.process(() => new Promise(() => {}), { concurrency: 4 })
    await vi.waitFor(async () => expect((await near.counts()).active).toBe(4), SOON)
    far.process(() => new Promise(() => {}), { concurrency: 3 })
    await vi.waitFor(async () => expect((await near.counts()).active).toBe(7), SOON)
    await worker.close({ timeout: 0 })
    expect(await near.counts()).toMatchObject({ active: 3, waiting: 27 })
    await far.close({ timeout: 0 })
    expect(await near.counts()).toMatchObject({ active: 0, waiting: 30 })
  })

  it('by processes that come and go, of which nothing stays', async () => {
    const queue = both[0]?.queue<string>('left') as Queue<string>
    await queue.add('x')
    for (let i = 0; i < 4; i++) {
      const hf = await connect(server.url, { namespace })
      const job = await hf.queue<string>('left').take()
      expect(job).toMatchObject({ data: 'x', attempt: 1 })
      await hf.close()
    }
    const tag = `{${namespace}:queue:left:0}`
    // What was handed back, and nobody else.
    expect(await server.command('ZRANGE', `${tag}:leases`, 0, -1)).toEqual(['~'])
    await (await queue.take())?.complete()
    expect(await queue.take()).toBeUndefined()
    const consumers = await server.command<string[][]>('XINFO', 'CONSUMERS', `${tag}:lane:0`, 'g')
    expect(consumers).toHaveLength(1)
    expect(await server.command('XLEN', `${tag}:lane:0`)).toBe(0)
  })
})

it('gives out again what a consumer without a lease was given', async () => {
  const queue = both[0]?.queue<string>('ghost') as Queue<string>
  await queue.add('x')
  const lane = `{${namespace}:queue:ghost:0}:lane:0`
  await server.command('XREADGROUP', 'GROUP', 'g', 'nobody', 'COUNT', 1, 'STREAMS', lane, '>')
  const job = await vi.waitFor(async () => {
    const taken = await queue.take()
    expect(taken).toBeDefined()
    return taken as PulledJob<string>
  }, SOON)
  expect(job.attempt).toBe(2)
  await job.complete()
})

it('gives out alone, however much there is to do, what two crashes are blamed on', async () => {
  const queue = both[0]?.queue<number>('suspect') as Queue<number>
  await queue.add(0)
  const tag = `{${namespace}:queue:suspect:0}`
  const entry = (await server.command<string[][]>('XRANGE', `${tag}:lane:0`, '-', '+'))[0]?.[0] as string
  await server.command('XREADGROUP', 'GROUP', 'g', '!', 'COUNT', 1, 'STREAMS', `${tag}:lane:0`, '>')
  await server.command('XCLAIM', `${tag}:lane:0`, 'g', '!', 0, entry, 'RETRYCOUNT', 2, 'JUSTID')
  await server.command('ZADD', `${tag}:leases`, '+inf', '!')
  await queue.addMany(Array.from({ length: 200 }, (_, i) => i + 1))
  expect(await queue.counts()).toMatchObject({ waiting: 201, active: 0 })
  let job = await queue.take()
  for (let i = 0; i < 199 && job?.data !== 0; i++) job = await queue.take()
  expect(job).toMatchObject({ data: 0, attempt: 3 })
  const consumer = (await server.command<string[]>('ZRANGE', `${tag}:leases`, 0, -1)).filter(
    (name) => name.endsWith('!') && name !== '!',
  )
  expect(consumer).toHaveLength(1)
  await job?.complete()
  await (await queue.take())?.complete()
  expect(await server.command('ZSCORE', `${tag}:leases`, consumer[0] as string)).toBeNull()
})

describe('a worker goes on', () => {
  it('after the streams, or all keys, were deleted past it', async () => {
    const [near, far] = both.map((hf) => hf.queue<string>('deleted')) as [Queue<string>, Queue<string>]
    const ran: string[] = []
    const troubles: unknown[] = []
    far.process((job) => void ran.push(job.data), { onError: (error) => troubles.push(error) })
    await near.add('before')
    await vi.waitFor(() => expect(ran).toEqual(['before']), SOON)
    // With all keys it is forgotten, too, that this worker waits to be told: it finds out by looking.
    await server.command('FLUSHALL')
    await near.add('flushed')
    await vi.waitFor(() => expect(ran).toEqual(['before', 'flushed']), SOON)
    await server.command('DEL', `{${namespace}:queue:deleted:0}:lane:0`)
    await near.add('deleted')
    await vi.waitFor(() => expect(ran).toEqual(['before', 'flushed', 'deleted']), SOON)
    expect(String(troubles[0])).toContain('NOGROUP')
  })

  it('and is woken by one message, not by looking again and again', async () => {
    const [near, far] = both.map((hf) => hf.queue<string>('idle')) as [Queue<string>, Queue<string>]
    const ran: string[] = []
    far.process((job) => void ran.push(job.data))
    await near.add('first')
    await vi.waitFor(() => expect(ran).toHaveLength(1), SOON)
    const tag = `{${namespace}:queue:idle:0}`
    await vi.waitFor(async () => expect(await server.command('ZCARD', `${tag}:idle`)).toBe(1), SOON)
    await server.command('CONFIG', 'RESETSTAT')
    await near.add('second')
    await vi.waitFor(() => expect(ran).toHaveLength(2), SOON)
    await vi.waitFor(async () => expect(await server.command('ZCARD', `${tag}:idle`)).toBe(1), SOON)
    const stats = String(await server.command('INFO', 'commandstats'))
    // The add, the turn that takes it, the one that ends it; and whatever a beat or a look takes on a slow machine.
    expect(Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(8)
    expect(Number(/cmdstat_publish:calls=(\d+)/.exec(stats)?.[1])).toBe(1)
  })
})
