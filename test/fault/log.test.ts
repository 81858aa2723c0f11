// Logs whose processes die, stand still or cannot hear their server: each a trap that a naive log over streams falls into.
import { connect, type Holdfast, type LogWorker } from 'holdfast'
import { startProxy, startServer, type TestProxy, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Child } from './lock.fixture.ts'

let server: TestServer
let proxy: TestProxy
let namespace: string
let hf: Holdfast
const children: Child[] = []
const open: Holdfast[] = []
const LEASE_MS = 600

beforeAll(async () => {
  server = await startServer()
  proxy = await startProxy({ target: server })
  // Slow to start, so all start at once and are waited for where they are needed.
  for (let i = 0; i < 2; i++) children.push(new Child(server.url, undefined, 'log'))
})
beforeEach(async () => {
  namespace = testNamespace('log')
  hf = await start(server.url)
})
afterEach(async () => {
  await server.heal()
  await proxy.heal()
  await Promise.all(open.splice(0).map((one) => one.close()))
})
afterAll(async () => {
  await Promise.all(children.map((child) => child.kill()))
  await proxy.close()
  await server.stop()
})

async function start(url: string, timeout = 2_000): Promise<Holdfast> {
  // One that gives up early need not be connected in that time.
  const one = await connect(url, { namespace, timeout, lazy: timeout < 2_000 })
  open.push(one)
  return one
}

/** A process of its own, up and running. */
async function child(mode: string): Promise<Child> {
  const next = children.find(
    (one) => one.process.exitCode === null && one.process.signalCode === null && !used.has(one),
  )
  if (next === undefined) throw new Error('there are too few processes')
  used.add(next)
  await next.said('ready')
  next.do(mode, namespace)
  return next
}
const used = new Set<Child>()
const soon = (check: () => unknown) => vi.waitFor(check, { interval: 5, timeout: 20_000 })

it('refuses what a consumer says that was asleep past its lease, and tells its handlers', async () => {
  const log = hf.log<number>('l')
  const far = (await start(proxy.url, 200)).log<number>('l')
  await log.append(1)
  let told: unknown
  let atWork = false
  let finish = () => {}
  const asleep = far.group('g', { retry: { base: 10 } }).process(
    (_, { signal }) => {
      atWork = true
      signal.addEventListener('abort', () => {
        told = signal.reason
      })
      return new Promise<void>((resolve) => {
        finish = resolve
      })
    },
    { lease: LEASE_MS },
  )
  await soon(() => expect(atWork).toBe(true))
  proxy.drop()
  // By its own clock: before anybody else can have been given the entry.
  const begun: number[] = []
  const failures: unknown[] = []
  let release = () => {}
  const second = log.group('g').process(
    () => {
      begun.push(performance.now())
      expect(told).toMatchObject({ code: 'LOG_LEASE_LOST', group: 'g' })
      return new Promise<void>((resolve) => {
        release = resolve
      })
    },
    { onError: (error) => failures.push(error) },
  )
  await soon(() => expect(begun).toHaveLength(1))
  await proxy.heal()
  finish()
  await soon(async () => expect(await log.group('g').inspect()).toMatchObject({ consumers: 2 }))
  // Its answer came, and counts for nothing: the entry is the other's.
  expect(failures).toEqual([])
  expect(await log.group('g').inspect()).toMatchObject({ lag: 1, active: 1 })
  release()
  await soon(async () => expect(await log.group('g').inspect()).toMatchObject({ lag: 0 }))
  await Promise.all([asleep.close(), second.close()])
  expect({ begun: begun.length, failures }).toEqual({ begun: 1, failures: [] })
})

it('finds what it was given by an answer that was lost, though its lease stands', async () => {
  const log = hf.log<number>('l')
  const far = (await start(proxy.url, 300)).log<number>('l')
  const seen: number[] = []
  const worker = far.group('g').process(({ data }) => void seen.push(data), { lease: '1m', concurrency: 3 })
  const group = log.group('g')
  let count = 0
  for (let lost = false; !lost; ) {
    await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0 }))
    worker.pause()
    await log.appendMany([count + 1, count + 2, count + 3])
    count += 3
    proxy.dropReplies()
    worker.resume()
    // It takes them by a turn whose answer is lost; but for a turn that was under way: its silence closes the connection first.
    const taken = async () => expect(await group.inspect()).toMatchObject({ active: 3 })
    lost = await vi.waitFor(taken, { interval: 5, timeout: 1_000 }).then(
      () => true,
      () => false,
    )
    await proxy.heal()
  }
  await soon(() => expect(seen.length).toBe(count))
  expect(new Set(seen).size).toBe(count)
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0 }))
  await worker.close()
})

it('blames the entry that kills processes, and none of those beside it', async () => {
  const log = hf.log<number | string>('l')
  await log.appendMany([1, 2, 'poison', 3, 4])
  const group = log.group('g')
  const seen: unknown[] = []
  // Frees what the dead leave, and takes nothing itself.
  const witness = group.process(({ data }) => void seen.push(data), { concurrency: 5, lease: LEASE_MS })
  witness.pause()
  for (const round of [1, 2, 3]) {
    const victim = await start(proxy.url, 200)
    const together: unknown[] = []
    let most = 0
    const dying = victim.log<number | string>('l').group('g')
    const worker: LogWorker = dying.process(
      async ({ data }) => {
        together.push(data)
        most = Math.max(most, worker.busy)
        await new Promise((resolve) => setImmediate(resolve))
        if (data !== 'poison') return round < 3 ? new Promise(() => {}) : undefined
        proxy.drop()
        return new Promise(() => {})
      },
      { concurrency: 5, lease: 400 },
    )
    await soon(() => expect(together).toContain('poison'))
    const waiting = round < 3 ? { retrying: 5, dead: 0 } : { dead: 1 }
    await soon(async () => expect(await group.inspect()).toMatchObject(waiting))
    // Together until it has happened twice; then each by itself, so that only the guilty one is there.
    expect(most).toBe(round < 3 ? 5 : 1)
    await worker.close({ timeout: 0 })
    await proxy.heal()
  }
  expect(await group.deadLetters()).toMatchObject([{ data: 'poison', reason: 'crash', attempts: 3 }])
  witness.resume()
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 1 }))
  expect(seen).not.toContain('poison')
  await witness.close()
})

// A process that stands still has no excuse, and on a machine with much to do any does now and then: then once more.
describe('an outage longer than the lease', { retry: 3 }, () => {
  it('is no death of whom it kept from being heard, also where another was given the entry meanwhile', async () => {
    const log = hf.log<number>('l')
    const far = (await start(proxy.url, 200)).log<number>('l')
    await log.append(1)
    const begun: string[] = []
    const untilAborted =
      (who: string) =>
      (_: unknown, { signal, attempt }: { signal: AbortSignal; attempt: number }) => {
        begun.push(`${who} ${attempt}`)
        return new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      }
    const options = { lease: LEASE_MS, onError: () => {} }
    const first = far.group('g').process(untilAborted('far'), options)
    await soon(() => expect(begun).toEqual(['far 1']))
    await server.pause()
    await soon(() => expect(first.busy).toBe(0))
    server.resume()
    await soon(() => expect(begun).toEqual(['far 1', 'far 1']))
    proxy.drop()
    const second = log.group('g').process(untilAborted('near'), options)
    await soon(() => expect(begun).toEqual(['far 1', 'far 1', 'near 2']))
    await proxy.heal()
    const deaths = async () => server.command('HVALS', `{${namespace}:log:l}:group:g:marks`)
    await soon(async () => expect(await deaths()).toEqual([]))
    await Promise.all([first.close({ timeout: 0 }), second.close({ timeout: 0 })])
  })

  it('is none where the process stood still: an entry that blocks it is buried', async () => {
    const log = hf.log<number>('l')
    await log.append(1)
    const begun: number[] = []
    const worker = log.group('g').process(
      (_, { attempt }) => {
        begun.push(attempt)
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
        return new Promise(() => {})
      },
      { lease: 200, timeout: 50, onError: () => {} },
    )
    await soon(async () => expect(await log.group('g').deadLetters()).toMatchObject([{ reason: 'crash' }]))
    expect(begun).toEqual([1, 2, 3])
    await worker.close()
  })
})

it('goes on with what comes after its server was emptied', async () => {
  const log = hf.log<number>('l')
  const seen: number[] = []
  const worker = log.group('g', { from: 'now' }).process(({ data }) => void seen.push(data), { lease: LEASE_MS })
  await soon(async () => expect(await log.group('g').inspect()).toMatchObject({ consumers: 1 }))
  await log.append(1)
  await soon(() => expect(seen).toEqual([1]))
  await server.command('FLUSHALL')
  await log.append(2)
  await soon(() => expect(seen).toEqual([1, 2]))
  await worker.close()
})

it('counts a handler that does not answer as failed, and hands back at the end what is not done', async () => {
  const log = hf.log<number>('l')
  const group = log.group('g', { retry: { attempts: 1 } })
  const errors: unknown[] = []
  const signals: AbortSignal[] = []
  const handler = (_: unknown, { signal }: { signal: AbortSignal }) => {
    signals.push(signal)
    return new Promise(() => {})
  }
  const worker = group.process(handler, { timeout: 30, onError: (error) => errors.push(error) })
  await log.append(1)
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 1 }))
  expect(errors).toMatchObject([{ code: 'LOG_HANDLER_TIMEOUT', timeoutMs: 30 }])
  expect(signals[0]?.reason).toBe(errors[0])
  await worker.close()
  const stuck = group.process(handler)
  await log.append(2)
  await soon(() => expect(signals).toHaveLength(2))
  await stuck.close({ timeout: 10 })
  expect(signals[1]?.aborted).toBe(true)
  expect(await group.inspect()).toMatchObject({ lag: 1, retrying: 1, consumers: 0, dead: 1 })
  const attempts: number[] = []
  const next = group.process((_, { attempt }) => void attempts.push(attempt))
  await soon(() => expect(attempts).toEqual([1]))
  await next.close()
})

it('settles on a full server, and refuses only what is new', async () => {
  const log = hf.log<number>('orders')
  await log.appendMany([1, 2, 3])
  const group = log.group('g', { retry: { attempts: 1 } })
  let release = () => {}
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const seen: number[] = []
  const worker = group.process(
    async ({ data }) => {
      seen.push(data)
      await held
      if (data === 2) throw new Error('two')
    },
    { concurrency: 3 },
  )
  await soon(() => expect(seen).toHaveLength(3))
  await server.command('CONFIG', 'SET', 'maxmemory', '1mb')
  try {
    await expect(log.append(4)).rejects.toMatchObject({ code: 'SERVER_FULL' })
    release()
    await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, dead: 1 }))
    await worker.close()
    // A process that begins now gets what is to be done before anything may go.
    const begun: number[] = []
    const beginner = log.group('beginner').process(({ data }) => void begun.push(data))
    await soon(() => expect(begun).toEqual([1, 2, 3]))
    await beginner.close()
    await log.trim()
  } finally {
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
  }
})

it('tells a reader whom trimming has overtaken that entries are missing', async () => {
  const log = hf.log<number>('l', { retention: { maxLength: 1, every: '1h' } })
  await log.appendMany([...Array(250).keys()])
  const reading = log.entries()
  for (let i = 0; i < 200; i++) await reading.next()
  await log.trim()
  await expect(reading.next()).rejects.toMatchObject({ code: 'STREAM_LOST', missing: 49 })
})

// Last: their processes are up by now.
it('appends once, though the answer was lost or the producer died', async () => {
  const far = (await start(proxy.url)).log<number>('l')
  await far.append(0)
  const log = hf.log<number>('l')
  proxy.dropReplies()
  const appending = far.appendMany([-1, -2])
  await soon(async () => expect(await log.read()).toHaveLength(3))
  proxy.cut()
  await proxy.heal()
  const ids = await appending
  expect((await log.read()).slice(1).map(({ id }) => id)).toEqual(ids)
  const producer = await child('append')
  await producer.said('stands 20')
  await producer.kill()
  const last = Number(producer.lines.at(-1)?.split(' ')[1])
  // The next one begins again where it knows that all stands.
  await log.appendMany(
    [...Array(last + 5).keys()].map((i) => i + 1),
    { id: (n) => `${n}` },
  )
  const data = (await log.read({ limit: 10_000 })).map((entry) => entry.data)
  expect(data).toEqual([0, -1, -2, ...[...Array(last + 5).keys()].map((i) => i + 1)])
})

it("gives a killed process's entries to others within its lease and a second", async () => {
  const log = hf.log<number>('l')
  await log.appendMany([1, 2, 3, 4, 5])
  const dead = await child('stuck')
  await soon(() => expect(dead.lines.filter((line) => line.startsWith('took'))).toHaveLength(5))
  const seen = new Map<number, number>()
  const group = log.group('g')
  const worker = group.process(({ data }, { attempt }) => void seen.set(data, attempt), {
    concurrency: 5,
    lease: LEASE_MS,
  })
  await dead.kill()
  const killedMs = performance.now()
  await soon(() => expect(seen.size).toBe(5))
  // The rest is what a machine with much to do may add.
  expect(performance.now() - killedMs).toBeLessThan(LEASE_MS + 1_000 + 1_000)
  expect([...seen].sort()).toEqual([1, 2, 3, 4, 5].map((n) => [n, 2]))
  await soon(async () => expect(await group.inspect()).toMatchObject({ lag: 0, consumers: 1 }))
  await worker.close()
  expect(await server.command<string[]>('XINFO', 'CONSUMERS', `{${namespace}:log:l}:entries`, 'g')).toHaveLength(1)
})
