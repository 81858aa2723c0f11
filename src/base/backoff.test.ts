import { expect, test } from 'vitest'
import { backoffMs } from './backoff.ts'

const many = (attempt: number) => Array.from({ length: 2_000 }, () => backoffMs(attempt, 10, 1_000))

test('waits between half the span and the whole of it, and doubles the span with every attempt', () => {
  for (const [attempt, span] of [
    [0, 10],
    [1, 20],
    [4, 160],
  ] as const) {
    const waits = many(attempt)
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(span / 2)
    expect(Math.max(...waits)).toBeLessThanOrEqual(span)
  }
})

test('never waits longer than the most that was said, however often it failed', () => {
  for (const attempt of [7, 31, 1_000, Number.MAX_SAFE_INTEGER])
    expect(Math.max(...many(attempt))).toBeLessThanOrEqual(1_000)
})

test('never answers a wait of nothing', () => {
  expect(backoffMs(0, 0, 0)).toBe(1)
  expect(backoffMs(0, 0.1, 1)).toBe(1)
})

test('spreads callers who failed together over the second half of the span', () => {
  const waits = many(5)
  const middle = waits.reduce((sum, ms) => sum + ms, 0) / waits.length
  expect(middle).toBeGreaterThan(320 * 0.72)
  expect(middle).toBeLessThan(320 * 0.78)
  expect(new Set(waits).size).toBeGreaterThan(100)
})
