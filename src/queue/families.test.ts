import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect, Holdfast } from '../holdfast.ts'
import { startServer, type TestServer, testNamespace } from '../testing/index.ts'
import type { ChildOutcome, PulledJob, Queue } from './index.ts'
import { drainQueue, inspectQueue } from './inspect.ts'

const SOON = { timeout: 15_000, interval: 5 }
let server: TestServer
let hf: Holdfast
let namespace: string
let queue: Queue<string>
let count = 0

beforeAll(async () => {
  server = await startServer()
  namespace = testNamespace('families')
  hf = await connect(server.url, { namespace })
})
beforeEach(() => {
  queue = hf.queue<string>(`jobs${++count}`, { attempts: 1 })
})
afterEach(() => queue.close())
afterAll(async () => {
  await hf.close()
  await server.stop()
})

const taken = async (): Promise<PulledJob<string>> => {
  const job = await queue.take()
  if (job === undefined) throw new Error('there is no job')
  return job
}
const keys = async (part: string): Promise<string[]> =>
  (await server.command<string[]>('KEYS', '*')).filter((key) => key.includes(`:${queue.name}:`) && key.includes(part))
const shown = (children: readonly ChildOutcome[]) =>
  children.map((child) => ('value' in child ? child.value : 'reason' in child ? `dead: ${child.reason}` : child.status))

describe('a parent', () => {
  it('is ready in the step that ends its last child, and sees what they came to, in their order', async () => {
    const parts = [{ data: 'a' }, { data: 'b', priority: 5 }, { data: 'c', delay: 5 }]
    const added = await queue.addParent('all', parts, { id: 'film', keepResult: '1m', priority: -3 })
    expect(added).toEqual({ id: 'film', added: true, children: ['film@0@1', 'film@0@2', 'film@0@3'] })
    expect(await queue.addParent('all', [{ data: 'x' }], { id: 'film' })).toMatchObject({ added: false })
    expect(await queue.job('film')).toMatchObject({ state: 'delayed', dueAtMs: undefined })
    const ran: string[] = []
    const seen: unknown[] = []
    const worker = queue.process(
      (job) => {
        ran.push(job.data)
        if (job.id === 'film') seen.push(job.children)
        return job.data.toUpperCase()
      },
      { concurrency: 2 },
    )
    expect(await queue.result('film', { wait: '10s' })).toEqual({ status: 'done', value: 'ALL' })
    expect(ran.toSorted()).toEqual(['a', 'all', 'b', 'c'])
    expect(ran.at(-1)).toBe('all')
    expect(seen).toEqual([['A', 'B', 'C'].map((value, i) => ({ id: `film@0@${i + 1}`, status: 'done', value }))])
    await worker.close()
    expect(await keys(':family:')).toEqual([])
    expect(await keys(':ids')).toEqual([])
  })

  it.each([
    ['fail', undefined],
    ['ignore', ['A', 'dead: given-up']],
    ['wait', ['A', 'B']],
  ] as const)('of a dead child does as was said: %s', async (onDead, expected) => {
    await queue.addParent('all', [{ data: 'a' }, { data: 'b' }], { id: 'p', onDead })
    await (await taken()).complete('A')
    await (await taken()).fail(Object.assign(new Error('torn'), { name: 'GiveUp' }))
    if (expected === undefined) {
      expect(await queue.take()).toBeUndefined()
      const [letter] = await queue.deadLetters({ filter: ({ id }) => id === 'p' })
      expect(letter).toMatchObject({
        reason: 'child',
        error: { message: "its child 'p@0@2' is dead, by reason of 'given-up': torn" },
      })
      // With another life for both, it waits for the child again.
      await queue.redrive()
      const again = [await queue.take(), await queue.take()].find((job) => job !== undefined)
      expect(again?.data).toBe('b')
      await again?.complete('B')
      const parent = await taken()
      expect(shown(parent.children)).toEqual(['A', 'B'])
      return parent.complete()
    }
    if (onDead === 'wait') {
      expect(await queue.take()).toBeUndefined()
      expect(await queue.counts()).toMatchObject({ waiting: 0, delayed: 1, dead: 1, nextDueMs: undefined })
      await queue.redrive()
      await (await taken()).complete('B')
    }
    const parent = await taken()
    expect(parent.data).toBe('all')
    expect(shown(parent.children)).toEqual(expected)
    await parent.complete()
  })

  it('waits no more for a child that is cancelled, wherever that is, and leaves nothing when it is cancelled itself', async () => {
    await queue.addParent('all', [{ data: 'a' }, { data: 'b', delay: '1h' }, { data: 'c' }], { id: 'p' })
    expect(await queue.cancel('p@0@1')).toBe('removed')
    expect(await queue.cancel('p@0@2')).toBe('removed')
    const worker = queue.process(
      (_, { signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    await vi.waitFor(async () => expect(await queue.cancel('p@0@3')).toBe('told'), SOON)
    await vi.waitFor(async () => expect(await queue.job('p')).toMatchObject({ state: 'active' }), SOON)
    await worker.close({ timeout: 0 })
    const parent = await taken()
    expect(shown(parent.children)).toEqual(['cancelled', 'cancelled', 'cancelled'])
    await parent.complete()
    await queue.addParent('all', [{ data: 'a' }, { data: 'b' }], { id: 'q' })
    await (await taken()).complete()
    expect(await queue.cancel('q')).toBe('removed')
    expect(await keys(':family:')).toEqual([])
    await queue.addParent('all', [{ data: 'a', children: [{ data: 'c' }] }], { id: 'r' })
    expect(await drainQueue(Holdfast.redisOf(hf), queue.name, 1)).toBe(4)
    expect(await inspectQueue(Holdfast.redisOf(hf), queue.name)).toMatchObject({
      waiting: 0,
      delayed: 0,
    })
  })

  it('that is added anew waits for its own children, and takes nothing for theirs that an earlier one left', async () => {
    const add = (id: string) => queue.addParent('all', [{ data: 'a' }, { data: 'b' }], { id, onDead: 'fail' })
    await add('p')
    const [a, b] = [await taken(), await taken()]
    expect(await queue.cancel('p')).toBe('removed')
    await a.complete('old')
    // What is left of the earlier one would be taken for the new one's.
    expect(await add('p')).toMatchObject({ added: false })
    await b.fail(Object.assign(new Error('torn'), { name: 'GiveUp' }))
    expect(await add('p')).toMatchObject({ added: true })
    const [again, other] = [await taken(), await taken()]
    await again.complete('new')
    expect(await queue.take()).toBeUndefined()
    expect(await queue.cancel('p@0@2')).toBe('told')
    await vi.waitFor(() => expect(other.signal.aborted).toBe(true), SOON)
    await other.fail(other.signal.reason)
    const parent = await taken()
    expect(shown(parent.children)).toEqual(['new', 'cancelled'])
    await parent.complete()
    // Of two that look at once, for one is cancelled, the dead letter of an earlier one is none of the new one's.
    await queue.addParent('all', [{ data: 'x' }, { data: 'y', delay: '1h' }], { id: 'p' })
    expect(await queue.cancel('p@0@1')).toBe('removed')
    expect(await queue.take()).toBeUndefined()
    expect(await queue.job('p')).toMatchObject({ state: 'delayed' })
    expect(await queue.cancel('p')).toBe('removed')
  })

  it('of any tree runs once, after all below it, whatever fails, is handed back or is redriven, and nothing stays', async () => {
    type Tree = { readonly data: string; readonly children?: readonly Tree[] }
    const above = (below: fc.Arbitrary<Tree[]>) =>
      below.map((children): Tree => (children.length === 0 ? { data: 'x' } : { data: 'x', children }))
    const leaves = fc.array(fc.constant<Tree>({ data: 'x' }), { maxLength: 3 })
    const tree = above(fc.array(above(leaves), { maxLength: 2 }))
    const root = fc.array(tree, { minLength: 1, maxLength: 3 })
    const steps = fc.array(fc.constantFrom('done' as const, 'done' as const, 'fail' as const, 'back' as const), {
      maxLength: 30,
    })
    await fc.assert(
      fc.asyncProperty(
        root,
        steps,
        fc.constantFrom('fail' as const, 'ignore' as const, 'wait' as const),
        async (children, how, onDead) => {
          queue = hf.queue<string>(`jobs${++count}`, { attempts: 1 })
          const { id, added } = await queue.addParent('root', children, { onDead })
          expect(added).toBe(true)
          const done: string[] = []
          let isEnded = false
          for (let n = 0; !isEnded && n < 300; n++) {
            const job = await queue.take()
            if (job === undefined) {
              expect((await queue.redrive()).ids.length).toBeGreaterThan(0)
              continue
            }
            // Nothing of it has gone before what it waits for.
            for (const child of job.children) if (child.status === 'done') expect(done).toContain(child.id)
            expect(done).not.toContain(job.id)
            const next = how.pop() ?? 'done'
            if (next === 'back') await job.release()
            else if (next === 'fail') await job.fail(new Error('no'))
            else {
              await job.complete(job.id)
              done.push(job.id)
              isEnded = job.id === id
            }
          }
          expect(isEnded).toBe(true)
          if (onDead === 'ignore') return
          expect(await queue.counts()).toMatchObject({ waiting: 0, active: 0, delayed: 0 })
          expect(await keys(':ids')).toEqual([])
        },
      ),
      { numRuns: 15 },
    )
  })

  it.each([
    ['children', () => queue.addParent('all', [])],
    [
      'children',
      () =>
        queue.addParent(
          'all',
          Array.from({ length: 500 }, () => ({ data: 'x' })),
        ),
    ],
    ['delay', () => queue.addParent('all', [{ data: 'a', delay: 5, children: [{ data: 'b' }] }])],
    ['onDead', () => queue.addParent('all', [{ data: 'a' }], { onDead: 'fial' as never })],
    ['id', () => queue.add('x', { id: 'p@0@1' })],
    ['id', () => queue.add('x', { id: 'p@0', delay: 5, replace: true })],
    ['id', () => queue.repeat('p@0', { every: '1s' }, 'x')],
    ['children.0.id', () => queue.addParent('all', [{ data: 'a', id: 'mine' } as never])],
    ['group', () => hf.queue<string>('wide', { shards: 2 }).addParent('all', [{ data: 'a', group: 'g' }])],
  ])('is refused by name what it cannot have: %s', async (option, add) => {
    await expect(add()).rejects.toMatchObject({ option })
  })
})
