import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Histogram } from './histogram.ts'

const SHARES = [0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1]
/** From a thousandth to a century in ms, each size as likely as another. */
const value = fc.double({ min: -3, max: 12.9, noNaN: true }).map((power) => 10 ** power)

function of(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const one of values) histogram.record(one)
  return histogram
}

it('gives every percentile within 1.6 % or half a thousandth of the sorted samples', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 200 }), (values) => {
      const histogram = of(values)
      const sorted = values.toSorted((a, b) => a - b)
      for (const share of SHARES) {
        const exact = sorted[Math.max(1, Math.ceil(share * sorted.length)) - 1] as number
        expect(Math.abs(histogram.percentile(share) - exact)).toBeLessThanOrEqual(Math.max(exact / 63, 0.0005001))
      }
      expect([histogram.count, histogram.min, histogram.max]).toEqual([values.length, sorted[0], sorted.at(-1)])
    }),
    { numRuns: 300 },
  )
})

it('adds up to what one would have counted, whatever the parts and their order, also as bytes', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(value, fc.nat(3)), { maxLength: 100 }), (samples) => {
      const whole = of(samples.map(([one]) => one))
      const parts = [0, 1, 2, 3].map((part) => of(samples.filter(([, own]) => own === part).map(([one]) => one)))
      const sum = new Histogram()
      for (const part of parts.reverse()) sum.add(Histogram.decode(part.encode()))
      expect(sum.dump().counts).toEqual(whole.dump().counts)
      expect([sum.count, sum.min, sum.max]).toEqual([whole.count, whole.min, whole.max])
      expect(sum.sum).toBeCloseTo(whole.sum, -6)
      expect(SHARES.map((share) => sum.percentile(share))).toEqual(SHARES.map((share) => whole.percentile(share)))
    }),
    { numRuns: 100 },
  )
})

it('knows nothing before the first value, and takes the largest and the smallest', () => {
  const histogram = new Histogram()
  expect([histogram.count, histogram.min, histogram.max, histogram.mean, histogram.percentile(0.5)]).toEqual(
    new Array(5).fill(0),
  )
  histogram.record(0)
  histogram.record(9e12, 3)
  expect(histogram.percentile(0.5) / 9e12).toBeCloseTo(1, 1)
  expect(histogram.countUpTo(1)).toBe(1)
  expect(histogram.countUpTo(9e12)).toBe(4)
})

it('refuses what is no number of its range, and bytes that are not its own', () => {
  const histogram = new Histogram()
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1e13, '1', null])
    expect(() => histogram.record(wrong as number)).toThrow('0 to 9e12')
  for (const wrong of [0, -1, 0.5, Number.NaN]) expect(() => histogram.record(1, wrong)).toThrow('times')
  expect(histogram.count).toBe(0)
  for (const wrong of [95, -0.1, Number.NaN]) expect(() => histogram.percentile(wrong)).toThrow('a number of 0 to 1')
  for (const wrong of ['', Buffer.alloc(0), Buffer.alloc(25, 9), Buffer.concat([of([1]).encode(), Buffer.from([255])])])
    expect(() => Histogram.decode(wrong as Buffer)).toThrow('an encoded histogram')
  expect(() => histogram.add({ counts: [[1_568, 1]], sum: 1, min: 1, max: 1 })).toThrow('counts')
})
