import { expect, test } from 'vitest'
import { Bulkhead } from './bulkhead.ts'

/** A promise to be settled from outside. */
function gate<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

test('runs no more at once than its limit, and all in the order they came', async () => {
  const bulkhead = new Bulkhead(3)
  const started: number[] = []
  let most = 0
  const work = Array.from({ length: 50 }, (_, i) =>
    bulkhead.run(async () => {
      started.push(i)
      most = Math.max(most, bulkhead.running)
      await new Promise((resolve) => setImmediate(resolve))
      return i
    }),
  )
  expect(bulkhead.waiting).toBe(47)
  expect(await Promise.all(work)).toEqual(started)
  expect(most).toBe(3)
  expect(bulkhead).toMatchObject({ running: 0, waiting: 0 })
})

test('gives the place back when work fails, at once or later', async () => {
  const bulkhead = new Bulkhead(1)
  await expect(bulkhead.run(() => Promise.reject(new Error('later')))).rejects.toThrow('later')
  await expect(
    bulkhead.run(() => {
      throw new Error('at once')
    }),
  ).rejects.toThrow('at once')
  expect(await bulkhead.run(() => 1)).toBe(1)
  expect(bulkhead.running).toBe(0)
})

test('lets work start work of its own without waiting for itself', async () => {
  const bulkhead = new Bulkhead(1)
  const depth = (n: number): Promise<number> => bulkhead.run(async () => (n === 0 ? 0 : 1 + (await depth(n - 1))))
  expect(await Promise.all([depth(5), depth(5), depth(5)])).toEqual([5, 5, 5])
})

test('hands a place over: a newcomer cannot slip in before the one who waited', async () => {
  const bulkhead = new Bulkhead(1)
  const order: string[] = []
  const first = gate<void>()
  const running = bulkhead.run(() => first.promise)
  const waiting = bulkhead.run(() => void order.push('waited'))
  first.resolve()
  const newcomer = running.then(() => bulkhead.run(() => void order.push('came later')))
  await Promise.all([waiting, newcomer])
  expect(order).toEqual(['waited', 'came later'])
})

test('counts what ended work left behind as work of its own', async () => {
  const bulkhead = new Bulkhead(1)
  const left = gate<void>()
  let behind: Promise<string> | undefined
  await bulkhead.run(() => {
    // Not awaited: it runs on when its parent has long ended.
    behind = left.promise.then(() => bulkhead.run(() => 'behind'))
  })
  const other = gate<void>()
  const running = bulkhead.run(() => other.promise)
  left.resolve()
  await new Promise((resolve) => setImmediate(resolve))
  expect(bulkhead).toMatchObject({ running: 1, waiting: 1 })
  other.resolve()
  await running
  expect(await behind).toBe('behind')
})
