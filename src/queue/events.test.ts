import { afterAll, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { connect, type Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { EndEvent, Queue, QueueEvent } from './index.ts'

const SOON = { timeout: 15_000, interval: 5 }
const OPTIONS = { keepEvents: 1_000, attempts: 2, backoff: { base: 5, jitter: 0 } }
let server: TestServer
let here: Holdfast
let there: Holdfast
let queue: Queue<number>
let count = 0

beforeAll(async () => {
  server = await startServer()
  const namespace = testNamespace('events')
  here = await connect(server.url, { namespace })
  there = await connect(server.url, { namespace })
})
beforeEach(() => {
  queue = here.queue<number>(`jobs${++count}`, OPTIONS)
})
afterAll(async () => {
  await Promise.all([here.close(), there.close()])
  await server.stop()
})

/** Follows until `until`, and answers what came. */
async function follow(events: AsyncIterable<QueueEvent>, until: (seen: readonly QueueEvent[]) => boolean) {
  const seen: QueueEvent[] = []
  for await (const event of events) if (seen.push(event) && until(seen)) break
  return seen
}
const shown = ({ type, id, ...rest }: QueueEvent | EndEvent) =>
  `${id} ${type}${'attempt' in rest ? ` ${rest.attempt}` : ''}${'error' in rest ? ` ${rest.error?.message}` : ''}`

it('tells another process how attempts ended and what handlers said, from the call on, in order, and again from any place', async () => {
  await queue.add(1, { id: 'before' })
  await (await queue.take())?.complete()
  const far = there.queue<number>(queue.name, OPTIONS)
  await vi.waitFor(async () => expect(await follow(far.events({ since: 'first' }), () => true)).toHaveLength(1), SOON)
  // Its position is that of this line, although nobody looks yet.
  const events = far.events()
  const told: EndEvent[] = []
  const handler = async (
    job: { data: number; attempt: number },
    { progress }: { progress(v: unknown): Promise<void> },
  ) => {
    if (job.data === 1) await progress({ at: new Date(5) })
    if (job.data === 2 || (job.data === 3 && job.attempt === 1)) throw new RangeError(`no ${job.data}`)
    return job.data
  }
  const worker = queue.process(handler, { onEnd: (event) => told.push(event), onError: () => {} })
  await queue.addMany([1, 2, 3, 4], (n) => ({ id: `${n}`, ...(n === 4 && { keepResult: '1m' }) }))
  const seen = await follow(events, (all) => all.filter(({ type }) => type === 'done' || type === 'dead').length === 4)
  const expected = ['1 done 1', '2 dead 2 no 2', '2 failed 1 no 2', '3 done 2', '3 failed 1 no 3', '4 done 1']
  expect(seen.map(shown).toSorted()).toEqual([...expected, '1 progress'].toSorted())
  expect(told.map(shown).toSorted()).toEqual(expected)
  expect(seen[0]).toEqual({
    type: 'progress',
    id: '1',
    value: { at: new Date(5) },
    cursor: seen[0]?.cursor,
    atMs: expect.any(Number),
  })
  expect(seen.find(({ type }) => type === 'failed')).toMatchObject({ retryInMs: 5, error: { name: 'RangeError' } })
  expect(seen.find(({ type }) => type === 'dead')).toMatchObject({ reason: 'attempts' })
  const again = await follow(
    far.events({ since: (seen[2] as QueueEvent).cursor }),
    (all) => all.length === seen.length - 3,
  )
  expect(again).toEqual(seen.slice(3))
  await worker.close()
})

it('tells what a handler said before its end, also where it does not wait for the answer', async () => {
  const events = queue.events()
  await queue.addMany(
    Array.from({ length: 20 }, (_, n) => n),
    (n) => ({ id: `${n}` }),
  )
  const worker = queue.process(async (_job, { progress }) => void progress('here'), { concurrency: 20 })
  const seen = await follow(events, (all) => all.length === 40)
  await worker.close()
  for (let n = 0; n < 20; n++)
    expect(seen.filter(({ id }) => id === `${n}`).map(({ type }) => type)).toEqual(['progress', 'done'])
})

it('tells of what was taken by hand, and not of what does not count', async () => {
  const events = queue.events()
  await queue.addMany([1, 2, 3], (n) => ({ id: `${n}`, attempts: 1, ...(n === 3 && { keepResult: '1m' }) }))
  const first = await queue.take()
  await first?.release()
  for (const end of ['fail', 'complete', 'complete'] as const)
    await (await queue.take())?.[end](end === 'fail' ? new Error('by hand') : 1)
  const seen = await follow(events, (all) => all.length === 3)
  expect(seen.map(shown)).toEqual(['1 dead 1 by hand', '2 done 1', '3 done 1'])
})

it('keeps so many and no more, about', async () => {
  queue = here.queue<number>(`few${count}`, { keepEvents: 100 })
  queue.process(() => {}, { concurrency: 100 })
  await queue.addMany(Array.from({ length: 1_000 }, (_, i) => i))
  const [key = ''] = await server.command<string[]>('KEYS', '*few*:events')
  await vi.waitFor(async () => expect((await queue.counts()).total.done).toBe(1_000), SOON)
  await vi.waitFor(async () => {
    const [events = key] = await server.command<string[]>('KEYS', '*few*:events')
    const [, added] = await server
      .command<[string, number][]>('XINFO', 'STREAM', events)
      .then((words) => [0, Number(words[words.indexOf('entries-added' as never) + 1])])
    expect(added).toBe(1_000)
    expect(await server.command('XLEN', events)).toBeLessThan(300)
  }, SOON)
})

it('goes on after an outage with what was told through it, and ends with its signal or the queue', async () => {
  const far = there.queue<number>(queue.name, OPTIONS)
  const seen = new Set<string>()
  const following = follow(far.events(), (all) => seen.add(shown(all.at(-1) as QueueEvent)).size === 2)
  queue.process(() => {})
  await queue.add(1, { id: 'a' })
  await vi.waitFor(() => expect(seen.size).toBe(1), SOON)
  await server.pause()
  await expect(queue.counts()).rejects.toMatchObject({ code: 'TIMEOUT' })
  await server.resume()
  await vi.waitFor(() => queue.add(2, { id: 'b' }), SOON)
  await following
  expect([...seen]).toEqual(['a done 1', 'b done 1'])
  const left = new AbortController()
  const leaving = follow(far.events({ signal: left.signal }), () => false)
  left.abort(new Error('left'))
  await expect(leaving).rejects.toThrow('left')
  const ending = follow(far.events(), () => false)
  await far.close()
  expect(await ending).toEqual([])
})

it('is refused where none are kept, and without a place by name', () => {
  expect(() => here.queue('silent').events()).toThrow(expect.objectContaining({ option: 'keepEvents' }))
  expect(() => queue.events({ since: 'x' })).toThrow(expect.objectContaining({ option: 'since' }))
})
