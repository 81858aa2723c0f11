import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countSlots, type Holder, planShares } from './plan.ts'
import { fromRanges } from './ranges.ts'

const holder = (id: string, first: number, last: number, weight = 1): Holder => ({
  id,
  slots: last < first ? [] : fromRanges([[first, last]]),
  weight,
})

/** Who has how many after the moves. */
function sharesAfter(holders: readonly Holder[]): Record<string, number> {
  const counts = Object.fromEntries(holders.map(({ id, slots }) => [id, slots.length]))
  for (const { from, to, slots } of planShares(holders)) {
    counts[from]! -= slots.length
    counts[to]! += slots.length
  }
  return counts
}

describe('planShares', () => {
  it('gives an empty one its quarter, from the ends of the others', () => {
    const holders = [holder('a', 0, 5_460), holder('b', 5_461, 10_922), holder('c', 10_923, 16_383), holder('d', 0, -1)]
    expect(sharesAfter(holders)).toEqual({ a: 4_096, b: 4_096, c: 4_096, d: 4_096 })
    const moves = planShares(holders)
    expect(countSlots(moves)).toBe(4_096)
    expect(moves[0]).toMatchObject({ from: 'a', to: 'd' })
    expect([moves[0]?.slots[0], moves[0]?.slots.at(-1)]).toEqual([4_096, 5_460])
  })

  it('moves nothing where shares are even already, whoever has the one left over', () => {
    expect(planShares([holder('a', 0, 5_460), holder('b', 5_461, 10_922), holder('c', 10_923, 16_383)])).toEqual([])
    expect(planShares([holder('a', 0, 5_461), holder('b', 5_462, 10_922), holder('c', 10_923, 16_383)])).toEqual([])
  })

  it('follows weights, and empties one of weight 0', () => {
    expect(sharesAfter([holder('a', 0, 99, 3), holder('b', 100, 199)])).toEqual({ a: 150, b: 50 })
    expect(sharesAfter([holder('a', 0, 99, 0), holder('b', 100, 199), holder('c', 200, 299)])).toEqual({
      a: 0,
      b: 150,
      c: 150,
    })
  })

  it('loses no slot, takes none twice, and moves no more than it must, for any holders', () => {
    const some = fc.array(
      fc.record({ size: fc.integer({ min: 0, max: 300 }), weight: fc.integer({ min: 0, max: 4 }) }),
      {
        minLength: 1,
        maxLength: 8,
      },
    )
    fc.assert(
      fc.property(some, (sizes) => {
        if (sizes.every(({ weight }) => weight === 0)) return
        let next = 0
        const holders = sizes.map(({ size, weight }, i) => {
          next += size
          return holder(`${i}`, next - size, next - 1, weight)
        })
        const moves = planShares(holders)
        const moved = moves.flatMap(({ slots }) => slots)
        expect(new Set(moved).size).toBe(moved.length)
        for (const { from, slots } of moves) {
          const own = new Set(holders.find(({ id }) => id === from)?.slots)
          expect(slots.every((slot) => own.has(slot))).toBe(true)
        }
        const weights = sizes.reduce((sum, { weight }) => sum + weight, 0)
        const counts = sharesAfter(holders)
        sizes.forEach(({ weight }, i) => {
          expect(Math.abs(counts[`${i}`]! - (next * weight) / weights)).toBeLessThan(1)
        })
        const givers = new Set(moves.map(({ from }) => from))
        expect(moves.some(({ to }) => givers.has(to))).toBe(false)
      }),
    )
  })
})
