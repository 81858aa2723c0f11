import { expect, it } from 'vitest'
import { Histogram } from './histogram.ts'

it('gives percentiles within 4.5 % of the sorted samples', () => {
  const histogram = new Histogram()
  const samples = Array.from({ length: 10_000 }, (_, i) => 0.05 + ((i * 7_919) % 10_000) ** 2 / 1e6)
  for (const sample of samples) histogram.record(sample)
  samples.sort((a, b) => a - b)
  for (const share of [0.5, 0.95, 0.99]) {
    const exact = samples[Math.ceil(share * samples.length) - 1] as number
    expect(Math.abs(histogram.percentile(share) - exact) / exact).toBeLessThan(0.045)
  }
})

it('adds up over processes', () => {
  const [whole, first, second] = [new Histogram(), new Histogram(), new Histogram()]
  for (let i = 1; i <= 1_000; i += 1) {
    whole.record(i / 10)
    ;(i % 3 === 0 ? first : second).record(i / 10)
  }
  first.add(second.dump())
  expect(first.dump()).toEqual(whole.dump())
})

it('knows nothing before the first sample, and never more than the largest', () => {
  const histogram = new Histogram()
  expect(histogram.percentile(0.99)).toBe(0)
  histogram.record(3)
  expect(histogram.percentile(0.99)).toBe(3)
})
