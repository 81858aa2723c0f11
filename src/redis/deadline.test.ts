import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Deadlines, type Due } from './deadline.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

const due = (expire: () => void = () => {}): Due => ({ dueMs: 0, previous: undefined, next: undefined, expire })
const now = () => performance.now()

test('expires each at its moment and not before, once, whatever the lengths', async () => {
  const deadlines = new Deadlines()
  const ended: [number, number][] = []
  for (const lengthMs of [50, 10, 1_000, 10, 50])
    deadlines.add(
      due(() => ended.push([lengthMs, now()])),
      lengthMs,
      now(),
    )
  await vi.advanceTimersByTimeAsync(2_000)
  expect(ended.map(([lengthMs]) => lengthMs)).toEqual([10, 10, 50, 50, 1_000])
  for (const [lengthMs, atMs] of ended) {
    expect(atMs).toBeGreaterThanOrEqual(lengthMs)
    expect(atMs).toBeLessThan(lengthMs + 3)
  }
})

test('never expires what was removed, from the head, the tail or between', async () => {
  const deadlines = new Deadlines()
  const ended: number[] = []
  const all = Array.from({ length: 9 }, (_, i) => due(() => ended.push(i)))
  for (const one of all) deadlines.add(one, 100, now())
  for (const i of [0, 4, 8, 4, 5]) deadlines.remove(all[i] as Due, 100)
  deadlines.remove(due(), 100)
  deadlines.remove(due(), 7)
  await vi.advanceTimersByTimeAsync(200)
  expect(ended).toEqual([1, 2, 3, 6, 7])
})

test('takes new ones while it expires old ones, and may remove others', async () => {
  const deadlines = new Deadlines()
  const ended: string[] = []
  const doomed = due(() => ended.push('doomed'))
  deadlines.add(
    due(() => {
      ended.push('first')
      deadlines.remove(doomed, 100)
      deadlines.add(
        due(() => ended.push('later')),
        100,
        now(),
      )
    }),
    100,
    now(),
  )
  deadlines.add(doomed, 100, now())
  await vi.advanceTimersByTimeAsync(150)
  expect(ended).toEqual(['first'])
  await vi.advanceTimersByTimeAsync(100)
  expect(ended).toEqual(['first', 'later'])
})

test('keeps time for those who come later, when the first was removed', async () => {
  const deadlines = new Deadlines()
  const ended: number[] = []
  for (let i = 0; i < 50; i++) {
    const gone = due()
    deadlines.add(gone, 100, now())
    await vi.advanceTimersByTimeAsync(10)
    deadlines.remove(gone, 100)
  }
  deadlines.add(
    due(() => ended.push(now())),
    100,
    now(),
  )
  const startMs = now()
  await vi.advanceTimersByTimeAsync(150)
  expect((ended[0] as number) - startMs).toBeGreaterThanOrEqual(100)
  expect((ended[0] as number) - startMs).toBeLessThan(103)
})

test('forgets lengths that nobody uses any more', async () => {
  const deadlines = new Deadlines()
  for (let lengthMs = 1; lengthMs <= 10_000; lengthMs++) {
    const one = due()
    deadlines.add(one, lengthMs, now())
    deadlines.remove(one, lengthMs)
  }
  expect(vi.getTimerCount()).toBeLessThanOrEqual(66)
})

test('leaves no timer behind when it is stopped', async () => {
  const deadlines = new Deadlines()
  deadlines.add(due(), 100, now())
  deadlines.add(due(), 200, now())
  deadlines.stop()
  expect(vi.getTimerCount()).toBe(0)
})
