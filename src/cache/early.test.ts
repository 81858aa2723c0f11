import { describe, expect, it } from 'vitest'
import { drawEarlyMs, isDueEarly } from './early.ts'

describe('an early refresh', () => {
  it('is drawn about beta times the cost of a load before the end', () => {
    for (const [beta, costMs] of [
      [1, 50],
      [3, 200],
    ] as const) {
      const drawn = Array.from({ length: 20_000 }, () => drawEarlyMs(beta, costMs))
      const mean = drawn.reduce((sum, ms) => sum + ms, 0) / drawn.length
      // The mean of 20,000 draws is off by 0.7 % on average: by 7 % never.
      expect(mean / (beta * costMs)).toBeGreaterThan(0.93)
      expect(mean / (beta * costMs)).toBeLessThan(1.07)
      expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0)
    }
  })

  it('is due always at the end, never long before it, and never where it is off or the cost is not known', () => {
    const share = (beta: number, costMs: number, leftMs: number) =>
      Array.from({ length: 2_000 }, () => isDueEarly(beta, costMs, leftMs)).filter(Boolean).length / 2_000
    expect(share(1, 50, 0)).toBe(1)
    expect(share(1, 50, 50)).toBeGreaterThan(0.3)
    expect(share(1, 50, 50)).toBeLessThan(0.44)
    expect(share(1, 50, 2_000)).toBe(0)
    expect(share(0, 50, 1)).toBe(0)
    expect(share(1, 0, 1)).toBe(0)
  })
})
