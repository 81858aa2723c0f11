import { expect, test } from 'vitest'
import { Rendezvous } from './rendezvous.ts'

const KEYS = Array.from({ length: 20_000 }, (_, i) => `{shop:cache:product:${i}}`)
const names = (count: number) => Array.from({ length: count }, (_, i) => `shard-${i + 1}`)
const placesOf = (all: readonly string[]) => {
  const places = new Rendezvous(all)
  return KEYS.map((key) => all[places.placeOf(key)] as string)
}

test('moves the share of one place when one is added, all of it to that place', () => {
  for (const count of [2, 3, 4, 7]) {
    const before = placesOf(names(count))
    const after = placesOf(names(count + 1))
    const moved = KEYS.filter((_, i) => before[i] !== after[i])
    expect(moved.length / KEYS.length).toBeGreaterThan(0.93 / (count + 1))
    expect(moved.length / KEYS.length).toBeLessThan(1.07 / (count + 1))
    for (const [i] of KEYS.entries()) if (before[i] !== after[i]) expect(after[i]).toBe(`shard-${count + 1}`)
  }
})

test('moves nothing but what a removed place had', () => {
  const before = placesOf(names(5))
  const after = placesOf(names(5).filter((name) => name !== 'shard-2'))
  for (const [i] of KEYS.entries()) if (before[i] !== 'shard-2') expect(after[i]).toBe(before[i])
})

test('gives each place an even share, whatever the places are called', () => {
  for (const all of [names(5), ['a', 'b', 'c'], ['10.0.0.1:6379', '10.0.0.2:6379', '10.0.0.3:6379', '10.0.0.4:6379']]) {
    const counts = new Map<string, number>()
    for (const place of placesOf(all)) counts.set(place, (counts.get(place) ?? 0) + 1)
    for (const name of all) expect((counts.get(name) ?? 0) / (KEYS.length / all.length)).toBeCloseTo(1, 1)
  }
})

test('goes by hash tag and name alone: not by order, and not by what stands around the tag', () => {
  const ordered = new Rendezvous(['a', 'b', 'c', 'd'])
  const shuffled = new Rendezvous(['d', 'b', 'a', 'c'])
  for (const key of KEYS.slice(0, 500)) {
    expect(shuffled.names[shuffled.placeOf(key)]).toBe(ordered.names[ordered.placeOf(key)])
    expect(ordered.placeOf(`lease:${key}:map`)).toBe(ordered.placeOf(key))
  }
})

test('has always placed these keys here: another answer would find nothing that was stored before', () => {
  const places = new Rendezvous(['a', 'b', 'c', 'd', 'e'])
  const keys = ['', '{shop:cache:product:42}', '{shop:seats:abc123}:map', '{größe}', '{🎫}', 'plain']
  expect(keys.map((key) => places.names[places.placeOf(key)]).join('')).toBe('ebedea')
})
