import { describe, expect, it } from 'vitest'
import { contest } from './contest.ts'
import { firstLayout, type Layout } from './layout.ts'

const list = (names: string): Layout =>
  firstLayout(
    [...names].map((name) => ({ name, address: `${name}:1` })),
    0,
  )
const [AB, ABC] = [list('ab'), list('abc')]
/** What shards a, b and c say: - for nothing, ? where it is not known. */
const says = (words: string) => {
  const heard = words.split(' ').map((word) => (word === '?' ? undefined : word === '-' ? null : list(word)))
  const lists = [...new Map(heard.filter((one) => one != null).map((one) => [one.origin, one])).values()]
  return contest(lists, (name) => heard[name.charCodeAt(0) - 97])
}

describe('of first lists that were written at once', () => {
  it('counts the one that is on all of its shards', () => {
    expect(says('ab ab abc')).toEqual({ layout: { ...AB, version: 1 }, isGuess: false })
    expect(says('ab ab -')).toEqual({ layout: { ...AB, version: 1 }, isGuess: false })
    expect(says('abc abc abc')).toEqual({ layout: { ...ABC, version: 1 }, isGuess: false })
  })

  it('counts the greatest where none can be on all, for everybody the same', () => {
    const split = { layout: { ...ABC, origin: 'a,b|a,b,c', version: 1 }, isGuess: false }
    expect(says('ab abc abc')).toEqual(split)
    expect(says('abc ab abc')).toEqual(split)
    expect(says('ab abc ?')).toEqual(split)
  })

  it('is completed the one that can still be on all', () => {
    expect(says('ab - abc')).toEqual({ layout: AB, isGuess: false })
    expect(says('abc - -')).toEqual({ layout: ABC, isGuess: false })
  })

  it('is followed as a guess the one that more than half of its shards have, when the others are away', () => {
    expect(says('abc abc ?')).toEqual({ layout: ABC, isGuess: true })
    expect(says('? ? abc')).toBeUndefined()
    expect(says('ab ? abc')).toBeUndefined()
    expect(says('? ? ?')).toBeUndefined()
  })
})
