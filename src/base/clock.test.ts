import { getEventListeners } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { monotonicMs, sleep, unlessAborted } from './clock.ts'

afterEach(() => {
  vi.useRealTimers()
})

test('never goes back', () => {
  let last = monotonicMs()
  for (let i = 0; i < 10_000; i++) {
    const now = monotonicMs()
    expect(now).toBeGreaterThanOrEqual(last)
    last = now
  }
})

test('waits as long as asked, and leaves no listener on the signal', async () => {
  const { signal } = new AbortController()
  const startMs = monotonicMs()
  await sleep(20, signal)
  expect(monotonicMs() - startMs).toBeGreaterThanOrEqual(18)
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('ends a wait early with the reason of the signal', async () => {
  const gone = new AbortController()
  const reason = new Error('enough')
  const wait = sleep(60_000, gone.signal)
  gone.abort(reason)
  await expect(wait).rejects.toBe(reason)
  await expect(sleep(60_000, gone.signal)).rejects.toBe(reason)
})

test('waits longer than the longest timer, which Node would run at once', async () => {
  vi.useFakeTimers()
  let over = false
  void sleep(30 * 86_400_000).then(() => {
    over = true
  })
  await vi.advanceTimersByTimeAsync(29 * 86_400_000)
  expect(over).toBe(false)
  await vi.advanceTimersByTimeAsync(1.1 * 86_400_000)
  expect(over).toBe(true)
})

test('answers with the work, or with the reason as soon as the signal fires', async () => {
  const gone = new AbortController()
  expect(await unlessAborted(Promise.resolve(1), undefined)).toBe(1)
  expect(await unlessAborted(Promise.resolve(2), gone.signal)).toBe(2)
  await expect(unlessAborted(Promise.reject(new Error('own')), gone.signal)).rejects.toThrow('own')
  expect(getEventListeners(gone.signal, 'abort')).toHaveLength(0)
  const slow = unlessAborted(new Promise(() => {}), gone.signal)
  gone.abort(new Error('enough'))
  await expect(slow).rejects.toThrow('enough')
})

test('leaves no rejection unhandled when the signal fired before the work failed', async () => {
  const unhandled: unknown[] = []
  const note = (error: unknown) => unhandled.push(error)
  process.on('unhandledRejection', note)
  const gone = new AbortController()
  gone.abort(new Error('enough'))
  await expect(unlessAborted(Promise.reject(new Error('later')), gone.signal)).rejects.toThrow('enough')
  const later = new AbortController()
  const work = unlessAborted(Promise.reject(new Error('own')), later.signal)
  later.abort(new Error('enough'))
  await expect(work).rejects.toThrow()
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', note)
  expect(unhandled).toEqual([])
})
