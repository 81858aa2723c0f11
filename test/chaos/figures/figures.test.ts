// The short form of `npm run chaos -- --figures`: every fault of a single server once, and proofs that what is broken would be seen.
import { describe, expect, it } from 'vitest'
import { type Found, judge } from './judge.ts'
import { figuresStory } from './story.ts'

it('counts what was counted and no more, whoever dies, stands still, is full, forgets or starts again', async () => {
  const seed = Math.ceil(Math.random() * 1e9)
  const options = { topology: 'standalone', processes: 2, rounds: 1, seed, replaces: false } as const
  // The one would leave nobody who counts; the others are part of those that are made.
  const without = ['process killed', 'what a breaker protects is down', 'server killed, appendfsync everysec']
  const story = await figuresStory({ ...options, without }, () => {})
  expect(story.problems, `seed ${seed}`).toEqual([])
  expect(Object.keys(story.faults)).toHaveLength(8)
  expect(story.found).toBeGreaterThan(500)
}, 60_000)

describe('the judge', () => {
  const found: Found = { events: 80, amount: 160, values: 40, errors: 1, van: -148, shown: [-148] }
  const lines = [
    ...['tried event 40 100', 'tried value 40 100', 'tried move 1 100', 'acked move 1 150', 'acked event 40 200'],
    ...['acked value 40 200', 'tried event 80 300', 'tried move 2 300', 'acked move 2 350', 'acked event 80 400'],
  ]
  const problemsOf = (
    told: readonly string[],
    there: Partial<Found> = {},
    losses: { fromUs: number; toUs: number }[] = [],
  ) =>
    judge(
      [{ name: 'a', lines: told }],
      new Map([['a', { ...found, ...there }]]),
      losses.map((loss) => ({ cause: 'failover', ...loss })),
      [],
    ).problems

  it('finds nothing where all is there', () => {
    expect(problemsOf([...lines, 'closed 0 0 closed 500'])).toEqual([])
  })

  it('sees what is counted twice, lost, torn or given up', () => {
    expect(problemsOf(lines, { events: 120, amount: 240 })).toEqual([expect.stringMatching(/^above/)])
    const wiped = judge([{ name: 'a', lines }], new Map([['a', found]]), [], [], 250)
    expect(wiped.problems).toEqual([
      expect.stringMatching(/^above: a has 80 of event, and not the 40/),
      expect.stringMatching(/^above: a has 40 of value, and not the 0/),
    ])
    expect(problemsOf(lines, { events: 79, amount: 158 })).toEqual([expect.stringMatching(/^lost/)])
    expect(problemsOf(lines, { amount: 158 })).toEqual([expect.stringMatching(/^torn/)])
    expect(problemsOf([...lines, 'closed 3 0 open 500'])).toEqual([
      expect.stringMatching(/^dropped/),
      expect.stringMatching(/^stuck/),
    ])
  })

  it('forgives a crash what was not acknowledged, and a server what it may have forgotten, and no more', () => {
    const [early, late] = [lines.slice(0, -1), [...lines, 'closed 0 0 closed 500']]
    expect(problemsOf(early, { events: 40, amount: 80 })).toEqual([])
    expect(problemsOf([...early, 'closed 0 0 closed 500'], { events: 40, amount: 80 })).toHaveLength(1)
    expect(problemsOf(late, { events: 40, amount: 80 }, [{ fromUs: 250, toUs: 450 }])).toEqual([])
    expect(problemsOf(late, { events: 39, amount: 78 }, [{ fromUs: 250, toUs: 450 }])).toHaveLength(1)
    expect(problemsOf(late, { events: 40, amount: 80 }, [{ fromUs: 410, toUs: 450 }])).toHaveLength(1)
  })

  it('sees a place at two places, at none, and where it is no more', () => {
    for (const there of [{ shown: [-148, -149] }, { shown: [] }, { van: -149 }, { van: -149, shown: [-149] }])
      expect(problemsOf(lines, there)[0]).toMatch(/^place/)
  })

  it('sees two who try at once, unless servers are away', () => {
    const counters = ['trial 900 1000 2000 2000', 'trial 1400 1500 2500 2500'].map((line, i) => ({
      ...{ name: `${i}`, lines: [...lines, line] },
    }))
    const there = new Map(counters.map(({ name }) => [name, found]))
    expect(judge(counters, there, [], []).problems).toEqual([expect.stringMatching(/^two trials/)])
    // Who was let try long ago has lost its place since.
    const late = { name: '0', lines: [...lines, 'trial -300000 1000 2000 2000'] }
    expect(judge([late, ...counters.slice(1)], there, [], []).problems).toEqual([])
    expect(judge(counters, there, [], [{ fromUs: 900, toUs: 950 }]).problems).toEqual([])
  })
})
