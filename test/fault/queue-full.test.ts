// Every script of queues on a server that is full: what frees goes on, what adds is refused, and nothing is half done.
import { connect, type Queue } from 'holdfast'
import { startServer, type TestServer, testNamespace } from 'holdfast/testing'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { Holdfast } from '../../src/holdfast.ts'
import { drainQueue, reshapeQueue } from '../../src/queue/inspect.ts'
import * as queueScripts from '../../src/queue/lua.generated.ts'
import type { ScriptSource } from '../../src/redis/script.ts'
import * as streamScripts from '../../src/stream/lua.generated.ts'

const FULL = { code: 'SERVER_FULL', retryable: true }
let server: TestServer
let hf: Holdfast
let namespace: string
let queue: Queue<string>

beforeAll(async () => {
  server = await startServer()
})
beforeEach(async () => {
  namespace = testNamespace('full')
  hf = await connect(server.url, { namespace, timeout: '10s' })
  queue = hf.queue<string>('jobs', { attempts: 1, lease: '2s' })
})
afterEach(async () => {
  await server.heal()
  await fill(false)
  await hf.close()
})
afterAll(() => server.stop())

const fill = (isFull: boolean) => server.command('CONFIG', 'SET', 'maxmemory', isFull ? '1' : '0')
/** All that is stored, but for what time alone changes. */
async function stored(): Promise<Record<string, unknown>> {
  const found: Record<string, unknown> = {}
  const keys = (await server.command<string[]>('KEYS', `*${namespace}*`)).filter((key) => !/:(leases|idle)$/.test(key))
  for (const key of keys.toSorted()) found[key] = await server.command('DUMP', key)
  return found
}
/** What each script did on the full server: it frees, it refuses, or it looks. */
const seen = new Map<string, string>()
const names = (scripts: object) =>
  Object.values(scripts as Record<string, { source: ScriptSource }>).map(({ source }) => source)

async function refused(script: string, work: () => Promise<unknown>): Promise<void> {
  await fill(true)
  const before = await stored()
  await expect(work(), script).rejects.toMatchObject(FULL)
  expect(await stored(), script).toEqual(before)
  await fill(false)
  seen.set(script, 'refused')
}
async function goesOn<T>(script: string, work: () => Promise<T>): Promise<T> {
  await fill(true)
  const answer = await work()
  await fill(false)
  seen.set(script, 'goes on')
  return answer
}

it('refuses what adds, with nothing half done', async () => {
  await queue.add('first')
  await refused('stream/add', () => queue.addMany(['a', 'b'], (data) => ({ id: data })))
  await refused('queue/begin-family', () => queue.addParent('p', [{ data: 'c' }], { id: 'p' }))
  await refused('stream/open-lane', () => queue.add('c', { priority: 9 }))
  await (await queue.take())?.fail(new Error('no'))
  await refused('stream/redrive', () => queue.redrive())
  await refused('queue/put-schedule', () => queue.repeat('slot', { every: '1h' }, 'x'))
  await queue.repeat('slot', { every: '1h' }, 'x')
  await server.command('ZADD', `{${namespace}:queue:jobs:0}:slots`, Date.now() - 3_600_000, 'slot')
  // Another schedule first gives the slot that has come its job.
  await refused('queue/advance', () => queue.repeat('slot', { every: '2h' }, 'x'))
  const empty = hf.queue<string>('empty')
  await empty.add('x')
  await (await empty.take())?.complete()
  const shape = { mode: 'stream', shards: 2, groupConcurrency: 1 } as const
  await refused('queue/reshape', () => reshapeQueue(Holdfast.redisOf(hf), 'empty', shape))
  const reports: unknown[] = []
  await queue.add('reports')
  await fill(true)
  queue.process(async (_, { progress }) => void reports.push(await progress(1).catch((error) => error)))
  await vi.waitFor(() => expect(reports).toMatchObject([FULL]), { timeout: 10_000, interval: 5 })
  seen.set('queue/report', 'refused')
})

it('tells what ended there when there is room again, and ends it all the same', async () => {
  const told = hf.queue<string>('told', { keepEvents: 10 })
  const events = told.events()
  await told.add('x', { id: 'x' })
  const job = await told.take()
  await fill(true)
  await job?.complete()
  expect(await server.command('KEYS', `*${namespace}*:events`)).toEqual([])
  await fill(false)
  expect((await events.next()).value).toMatchObject({ type: 'done', id: 'x' })
  await events.return()
  seen.set('queue/tell', 'refused')
})

it('has a parent look and go back to wait for its children, and run after them', async () => {
  const family = hf.queue<string>('family', { attempts: 1 })
  await family.addParent('parent', [{ data: 'dead' }, { data: 'done' }], { onDead: 'ignore' })
  await (await family.take())?.fail(new Error('no'))
  const child = await goesOn('queue/gather', () => family.take())
  expect(child?.data).toBe('done')
  await goesOn('queue/finish', async () => child?.complete('a result'))
  const parent = await goesOn('queue/gather', () => family.take())
  expect(parent?.children).toMatchObject([{ status: 'dead' }, { status: 'done', value: 'a result' }])
  await goesOn('queue/finish', async () => parent?.complete())
})

it('goes on with all that frees, ends and looks', async () => {
  await queue.addMany(['done', 'fails', 'back', 'cancelled', 'kept', 'drained 1', 'drained 2'], (id) => ({
    ...{ id, ...(id === 'kept' && { keepResult: '1m' }) },
  }))
  await queue.add('moved', { id: 'moved', delay: '1h' })
  await queue.repeat('slot', { every: '1h' }, 'x')
  expect(await goesOn('stream/recall', () => queue.add('x', { id: 'kept' }))).toEqual({ id: 'kept', added: false })
  const done = await goesOn('stream/turn', () => queue.take())
  const [fails, back] = [await queue.take(), await queue.take()]
  expect(await goesOn('queue/cancel', () => queue.cancel('cancelled'))).toBe('removed')
  await goesOn('stream/settle', async () => {
    await done?.complete()
    await fails?.fail(new Error('no'))
    await back?.release()
  })
  expect(await goesOn('stream/move', () => queue.remove('moved'))).toBe(true)
  expect((await goesOn('stream/counts', () => queue.counts())).dead).toBe(1)
  expect(await goesOn('stream/list-dead', () => queue.deadLetters())).toMatchObject([{ id: 'fails' }])
  expect(await goesOn('stream/purge-dead', () => queue.purge())).toBe(1)
  expect(await goesOn('queue/list-schedules', () => queue.schedules())).toHaveLength(1)
  await goesOn('queue/remove-schedule', () => queue.unrepeat('slot'))
  expect(await queue.schedules()).toEqual([])
  await goesOn('stream/pause', () => queue.pause())
  await queue.resume()
  const again = await queue.take()
  expect(again?.id).toBe('back')
  const kept = await queue.take()
  expect(kept?.id).toBe('kept')
  await goesOn('queue/finish', async () => kept?.complete('a result'))
  expect(await goesOn('queue/find-job', () => queue.result('kept'))).toEqual({ status: 'done', value: 'a result' })
  // Past its first lease: so it was extended.
  await fill(true)
  const leases = `{${namespace}:queue:jobs:0}:leases`
  const endOf = async () => Number((await server.command<string[]>('ZRANGE', leases, -1, -1, 'WITHSCORES'))[1])
  const first = await endOf()
  await vi.waitFor(async () => expect(await endOf()).toBeGreaterThan(first), { timeout: 10_000, interval: 20 })
  seen.set('stream/extend', 'goes on')
  expect(again?.signal.aborted).toBe(false)
  // Of a lease that the server ended by itself nobody is to blame.
  await fill(false)
  const short = hf.queue<string>('excused', { lease: 300 })
  await short.add('x')
  const lost = await short.take()
  const leasesOfShort = `{${namespace}:queue:excused:0}:leases`
  for (const consumer of await server.command<string[]>('ZRANGE', leasesOfShort, 0, -1))
    await server.command('ZADD', leasesOfShort, -1, consumer)
  await goesOn('stream/excuse', async () => {
    await vi.waitFor(() => expect(lost?.signal.aborted).toBe(true), { timeout: 10_000, interval: 5 })
    await vi.waitFor(async () => expect(await short.take()).toMatchObject({ attempt: 1 }), { timeout: 10_000 })
  })
  // What is held is handed back by the one who ends.
  await goesOn('stream/release', () => queue.close())
  queue = hf.queue<string>('jobs', { attempts: 1, lease: '2s' })
  expect(await queue.counts()).toMatchObject({ active: 0, waiting: 3 })
  expect(await goesOn('queue/drain', () => drainQueue(Holdfast.redisOf(hf), 'jobs', 1))).toBe(3)
})

it('leaves no script out, and agrees with what each says of itself', () => {
  const scripts = [...names(streamScripts), ...names(queueScripts)]
  expect([...seen.keys()].toSorted()).toEqual(scripts.map(({ name }) => name).toSorted())
  const frees = scripts.filter(({ flags }) => flags.includes('allow-oom') || flags.includes('no-writes'))
  expect(frees.map(({ name }) => [name, seen.get(name)])).toEqual(frees.map(({ name }) => [name, 'goes on']))
})
