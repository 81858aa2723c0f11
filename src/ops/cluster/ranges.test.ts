import { describe, expect, it } from 'vitest'
import { fromRanges, parseSlots, showRanges, toRanges } from './ranges.ts'

describe('ranges of slots', () => {
  it('join neighbours, in any order, and come apart again', () => {
    const ranges = toRanges([5, 3, 4, 9, 3])
    expect(ranges).toEqual([
      [3, 5],
      [9, 9],
    ])
    expect(fromRanges(ranges)).toEqual([3, 4, 5, 9])
    expect([showRanges(ranges), showRanges([])]).toEqual(['3-5 9', '-'])
  })

  it('are read as a person writes them', () => {
    expect(parseSlots('7, 0-2,1')).toEqual([0, 1, 2, 7])
  })

  it.each(['', 'a', '1-', '3-1', '16384', '0-16384', '-1', '1..3'])('refuses %j', (text) => {
    expect(() => parseSlots(text)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', option: 'slots' }) as never,
    )
  })
})
