// What becomes of jobs when workers die or stand still, answers are lost, and servers restart or are full.
import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { connect, type Holdfast, type Job, type Queue, type QueueOptions } from 'holdfast'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'

// Runs the sources in a process of their own, as Vitest does here.
const LOADER = new URL('../../scripts/typescript.mjs', import.meta.url).href
const CHILD = fileURLToPath(new URL('./queue-child.ts', import.meta.url))
const SOON = { timeout: 10_000, interval: 5 }

/** A process that works on a queue. */
class Child {
  readonly process: ChildProcess
  readonly lines: string[] = []
  readonly ended: Promise<void>

  constructor() {
    this.process = spawn(process.execPath, ['--import', LOADER, CHILD, server.url], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.process.stdin!.on('error', () => {})
    this.ended = new Promise((resolve) => this.process.once('exit', () => resolve()))
    createInterface({ input: this.process.stdout! }).on('line', (line) => this.lines.push(line))
  }

  work(leaseMs: number, concurrency: number): void {
    this.process.stdin!.write(`${namespace} ${leaseMs} ${concurrency}\n`)
  }

  /** Said so often or more: on a machine that has much to do a lease may lapse, and a job begin again. */
  said(start: string, count = 1): Promise<void> {
    const heard = () => this.lines.filter((line) => line.startsWith(start)).length
    return vi.waitFor(() => expect(heard(), this.lines.join(' | ')).toBeGreaterThanOrEqual(count), {
      ...SOON,
      timeout: 15_000,
    })
  }

  async kill(): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended
  }
}

let server: TestServer
let proxy: TestProxy
let namespace: string
let children: Child[] = []
const open: Holdfast[] = []

beforeAll(async () => {
  server = await startServer({ appendOnly: true })
  // Slow to start, so they start at once and are waited for where they are needed.
  children = Array.from({ length: 4 }, () => new Child())
  proxy = await startProxy({ target: server })
})
beforeEach(() => {
  namespace = testNamespace('queue')
})
afterEach(async () => {
  await server.heal()
  await proxy.heal()
  await server.command('CONFIG', 'SET', 'maxmemory', '0')
  await Promise.all(open.splice(0).map((hf) => hf.close()))
})
afterAll(async () => {
  await Promise.all(children.map((child) => child.kill()))
  await proxy.close()
  await server.stop()
})

async function queueOf<T = string>(
  options: QueueOptions<T> = {},
  url = server.url,
  timeout = 5_000,
): Promise<Queue<T>> {
  const hf = await connect(url, { namespace, timeout })
  open.push(hf)
  return hf.queue<T>('jobs', options)
}
const living = () =>
  children.find(({ process: { exitCode, signalCode } }) => exitCode === null && signalCode === null) as Child

describe('a worker process', () => {
  it('that is killed loses its jobs to others within the lease and a second', async () => {
    const queue = await queueOf({ lease: 600 })
    const child = living()
    await queue.addMany(['hang a', 'hang b', 'hang c'])
    child.work(600, 3)
    for (const job of ['a', 'b', 'c']) await child.said(`began ${job} `)
    await child.kill()
    const killedMs = performance.now()
    const ran: string[] = []
    queue.process((job) => void ran.push(`${job.data} ${job.attempt}`), { concurrency: 3 })
    await vi.waitFor(() => expect(ran).toHaveLength(3), SOON)
    // A second for the machine, which may have much to do.
    expect(performance.now() - killedMs).toBeLessThan(600 + 1_000 + 1_000)
    expect(ran.map((line) => line.slice(0, 6)).sort()).toEqual(['hang a', 'hang b', 'hang c'])
    expect(ran.some((line) => line.endsWith(' 1'))).toBe(false)
  })

  it('that stands still past its lease ends nothing, and hears of it', async () => {
    const queue = await queueOf({ lease: 800 })
    const child = living()
    await queue.add('stand x')
    child.work(800, 1)
    // With much to do a machine may have let the lease lapse before the job began.
    await child.said('began x ')
    const begun = Math.max(
      ...child.lines.filter((line) => line.startsWith('began x ')).map((line) => Number(line.slice(8))),
    )
    child.process.kill('SIGSTOP')
    const job = await vi.waitFor(async () => {
      const taken = await queue.take()
      expect(taken).toBeDefined()
      return taken as NonNullable<typeof taken>
    }, SOON)
    expect(job.attempt).toBe(begun + 1)
    child.process.kill('SIGCONT')
    await child.said('ended JOB_LEASE_LOST refused')
    expect(child.lines.at(-1)).toMatch(/done 0$/)
    expect(await queue.counts()).toMatchObject({ active: 1, waiting: 0 })
    await job.complete()
    expect(await queue.counts()).toMatchObject({ active: 0, waiting: 0, dead: 0 })
  })

  it('that is killed by a job three times buries that job, and none of its neighbours', async () => {
    const queue = await queueOf({ lease: 300 })
    await queue.addMany(['slow a', 'kill p', 'slow b'])
    // The neighbours run when it dies, twice; then each is given out alone.
    for (let times = 1; times <= 3; times++) {
      const child = living()
      child.work(300, 3)
      await child.ended
    }
    const ran: string[] = []
    queue.process((job) => void ran.push(job.data), { concurrency: 3 })
    await vi.waitFor(() => expect(ran.toSorted()).toEqual(['slow b']), SOON)
    await vi.waitFor(async () => expect((await queue.counts()).dead).toBe(1), SOON)
    expect(await queue.deadLetters()).toMatchObject([{ data: 'kill p', reason: 'crash', attempts: 3 }])
  })
})

describe('answers that are lost', () => {
  it('add no job twice', async () => {
    const queue = await queueOf({}, proxy.url)
    await queue.add('first')
    proxy.dropReplies()
    const adding = Promise.all([queue.add('second'), queue.add('third', { id: '3' })])
    const near = await queueOf()
    await vi.waitFor(async () => expect((await near.counts()).waiting).toBe(3), SOON)
    await proxy.heal()
    proxy.cut()
    expect((await adding).map(({ added }) => added)).toEqual([true, true])
    expect((await near.counts()).waiting).toBe(3)
  })

  it('tell the truth of an add that is sent again when the server has no room any more', async () => {
    const queue = await queueOf({}, proxy.url, 2_000)
    await queue.add('first')
    proxy.dropReplies()
    const adding = [queue.add('plain'), queue.add('named', { id: 'n' }), queue.addMany(['many', 'more'])]
    const near = await queueOf()
    await vi.waitFor(async () => expect((await near.counts()).waiting).toBe(5), SOON)
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    await proxy.heal()
    proxy.cut()
    expect((await Promise.all(adding)).flat().map(({ added }) => added)).toEqual([true, true, true, true])
    // And of one that its adder sends again, by its id; what is not there is refused, also in the same call.
    const ended = await Promise.allSettled([near.add('named', { id: 'n' }), near.add('o', { id: 'o' }), near.add('p')])
    expect(ended).toMatchObject([
      { value: { id: 'n', added: false } },
      { reason: { code: 'SERVER_FULL', sent: false } },
      { reason: { code: 'SERVER_FULL', sent: false } },
    ])
  })

  it('leave no job with a worker that never heard of it', async () => {
    const far = await queueOf({ lease: 2_000 }, proxy.url, 300)
    const near = await queueOf({ lease: 2_000 })
    const ran: string[] = []
    await near.add('before')
    await (await far.take())?.complete()
    await near.addMany(['a', 'b', 'c'])
    proxy.dropReplies()
    const taken = far.take().catch((error) => error)
    await vi.waitFor(async () => expect(await near.counts()).toMatchObject({ active: 1, waiting: 2 }), SOON)
    expect(await taken).toMatchObject({ sent: true })
    await proxy.heal()
    const worker = far.process((job) => void ran.push(`${job.data} ${job.attempt}`), { concurrency: 2 })
    await vi.waitFor(() => expect(ran.toSorted()).toEqual(['a 1', 'b 1', 'c 1']), SOON)
    await worker.close()
    expect(await near.counts()).toMatchObject({ active: 0, waiting: 0 })
  })
})

describe('answers that come after the lease is over', () => {
  const LEASE_MS = 300

  it('tell who ends a job that this does not count, also where the server knew more lanes than he', async () => {
    const [far, near] = [await queueOf({ lease: LEASE_MS, timeout: '1m' }, proxy.url), await queueOf()]
    await near.addMany(['a', 'b'])
    const [, job] = [await far.take(), await far.take()]
    await near.add('urgent', { priority: 5 })
    proxy.delay(Number.POSITIVE_INFINITY)
    const ended = job?.complete().catch((error) => error)
    // The other one was held under the same lease.
    await vi.waitFor(() => expect(far.stats.held).toBe(0), SOON)
    await proxy.heal()
    expect(await ended).toMatchObject({ code: 'JOB_LEASE_LOST' })
    expect(far.stats.refused).toBe(1)
    expect(await near.counts()).toMatchObject({ waiting: 1, active: 2 })
  })

  it('run no job in vain: what they bring to a process that stood still is handed back, uncounted', async () => {
    const queue = await queueOf({ lease: LEASE_MS, timeout: '1m' })
    await queue.addMany(['held', 'late'])
    const held = await queue.take()
    const taken = queue.take()
    // It is sent in this turn of the event loop, and an answer is not read before the next.
    await new Promise((resolve) => setImmediate(resolve))
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LEASE_MS + 50)
    const late = await taken
    expect(held?.signal.reason).toMatchObject({ code: 'JOB_LEASE_LOST' })
    expect([late?.data, late?.attempt]).toEqual(['late', 1])
    expect(queue.stats).toMatchObject({ held: 1, refused: 0 })
  })
})

// A process that stands still has no excuse, and on a machine with much to do any does now and then: then once more.
describe('an outage longer than the lease', { retry: 3 }, () => {
  const LEASE_MS = 600
  const given = async () =>
    (await server.command('XPENDING', `{${namespace}:queue:jobs:0}:lane:0`, 'g', '-', '+', '10')) as [
      ...[entry: string, owner: string, idleMs: number, times: number],
    ][]
  /** Of each job that is given out, how often that was: all but one ended with a death. */
  const timesGiven = async () => (await given()).map(([, , , times]) => Number(times))
  const takenBy = (queue: Queue) =>
    vi.waitFor(async () => (await queue.take()) ?? Promise.reject(new Error('not yet')), SOON)

  it('is no death of whom it kept from being heard, however often; who does not come back has died', async () => {
    const queues = [await queueOf({ lease: LEASE_MS }, server.url, 200), await queueOf({ lease: LEASE_MS })]
    const lost = await queueOf({ lease: LEASE_MS }, proxy.url, 200)
    await lost.add('of the dead')
    expect(await lost.take()).toBeDefined()
    proxy.drop()
    await queues[0]?.addMany(['long a', 'long b'])
    const held = () => queues.map(({ stats }) => stats.held).reduce((sum, one) => sum + one)
    const runLong = (_: Job<string>, { signal }: { signal: AbortSignal }) =>
      new Promise((resolve) => signal.addEventListener('abort', resolve))
    const workers = queues.map((queue) => queue.process(runLong, { concurrency: 3, onError: () => {} }))
    await vi.waitFor(() => expect(held()).toBe(3), SOON)
    for (let times = 1; times <= 3; times++) {
      await server.pause()
      await vi.waitFor(() => expect(held()).toBe(0), SOON)
      server.resume()
      await vi.waitFor(() => expect(held()).toBe(3), SOON)
      await vi.waitFor(async () => expect(await timesGiven(), `outage ${times}`).toEqual([2, 1, 1]))
    }
    await Promise.all(workers.map((worker) => worker.close({ timeout: 0 })))
  })

  it('of one process is taken back when it comes again, though another has the job by then or it was buried', async () => {
    const far = await queueOf({ lease: LEASE_MS }, proxy.url, 200)
    const near = await queueOf({ lease: LEASE_MS })
    await near.addParent('all', [{ data: 'x' }], { id: 'of a user' })
    expect((await takenBy(far)).attempt).toBe(1)
    proxy.drop()
    const other = await takenBy(near)
    expect(other.attempt).toBe(2)
    await proxy.heal()
    await vi.waitFor(async () => expect(await timesGiven()).toEqual([1]), SOON)
    await other.release()
    // As two deaths leave it.
    const [[entry = ''] = []] = await given()
    const key = `{${namespace}:queue:jobs:0}`
    await server.command('XCLAIM', `${key}:lane:0`, 'g', '!', '0', entry, 'RETRYCOUNT', '2', 'JUSTID')
    await server.command('ZADD', `${key}:leases`, '+inf', '!')
    expect((await takenBy(far)).attempt).toBe(3)
    proxy.drop()
    await vi.waitFor(async () => {
      expect(await near.take()).toBeUndefined()
      // With it the one that waits for it.
      expect(await near.deadLetters()).toMatchObject([{ reason: 'child' }, { reason: 'crash', attempts: 3 }])
    }, SOON)
    await proxy.heal()
    const job = await takenBy(near)
    expect([job.id, job.attempt]).toEqual(['of a user@0@1', 3])
    expect(await near.addParent('y', [{ data: 'y' }], { id: 'of a user' })).toMatchObject({ added: false })
    await job.complete()
    const parent = await takenBy(near)
    expect([parent.id, parent.attempt, parent.children[0]?.status]).toEqual(['of a user', 1, 'done'])
    expect(await near.counts()).toMatchObject({ dead: 0, active: 1 })
  })

  it('is none where the process stood still: a job that blocks it is buried', async () => {
    const queue = await queueOf({ lease: 200 })
    const began: number[] = []
    queue.process((job) => {
      began.push(job.attempt)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
    })
    await queue.add('blocks')
    await vi.waitFor(async () => expect(await queue.deadLetters()).toMatchObject([{ reason: 'crash' }]), SOON)
    expect(began).toEqual([1, 2, 3])
  })
})

describe('a server', () => {
  it('that is away for longer than the lease fires the signals of all that runs', async () => {
    const queue = await queueOf({ lease: 400 }, proxy.url, 200)
    let signal: AbortSignal | undefined
    const worker = queue.process((_, context) => {
      signal = context.signal
      return new Promise((resolve) => context.signal.addEventListener('abort', resolve))
    })
    await queue.add('x')
    await vi.waitFor(() => expect(signal).toBeDefined(), SOON)
    proxy.drop()
    await vi.waitFor(() => expect(signal?.reason).toMatchObject({ code: 'JOB_LEASE_LOST' }), SOON)
    await proxy.heal()
    // And goes on by itself: the job is given out again.
    await vi.waitFor(() => expect(signal?.aborted).toBe(false), SOON)
    await worker.close({ timeout: 0 })
  })

  it('that is restarted with its file, or has forgotten its scripts, loses no job', async () => {
    const queue = await queueOf<number>({ lease: 1_000 })
    const ran: number[] = []
    await queue.addMany([1, 2, 3])
    await queue.add(4, { delay: 300 })
    const held = await queue.take()
    await server.command('CONFIG', 'SET', 'appendfsync', 'always')
    await server.kill()
    await server.restart()
    await server.command('SCRIPT', 'FLUSH')
    queue.process((job: Job<number>) => void ran.push(job.data))
    await vi.waitFor(() => expect(ran.toSorted()).toEqual([2, 3, 4]), SOON)
    await held?.complete()
    await vi.waitFor(
      async () => expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0 }),
      SOON,
    )
  })

  it('that is full refuses what is added, and lets all that was be ended', async () => {
    const queue = await queueOf<string>({ attempts: 2, backoff: { base: 1 } })
    await queue.addMany(['a', 'b', 'c'])
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    await expect(queue.add('d')).rejects.toMatchObject({ code: 'SERVER_FULL', retryable: true })
    const [a, b, c] = [await queue.take(), await queue.take(), await queue.take()]
    await a?.complete()
    await b?.fail(new Error('again'))
    await c?.release()
    const again = [
      await queue.take(),
      await vi.waitFor(async () => (await queue.take()) ?? Promise.reject(new Error('not yet')), SOON),
    ]
    expect(again.map((job) => [job?.data, job?.attempt]).toSorted()).toEqual([
      ['b', 2],
      ['c', 1],
    ])
    for (const job of again) await job?.fail(new Error('no'))
    await vi.waitFor(async () => {
      const job = await queue.take()
      expect(job?.data).toBe('c')
      await job?.fail(new Error('no'))
    }, SOON)
    expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0, dead: 2 })
  })
})
