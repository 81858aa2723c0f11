import { expect, test } from 'vitest'
import { randomId } from './id.ts'

test('is of the length asked for, of letters that need no escaping in a key, a URL or a shell', () => {
  for (const length of [1, 8, 22, 64, 4_096]) {
    const id = randomId(length)
    expect(id).toHaveLength(length)
    expect(id).toMatch(/^[0-9A-Za-z_-]+$/)
  }
  expect(randomId()).toHaveLength(22)
})

test('never repeats in 200,000 ids', () => {
  expect(new Set(Array.from({ length: 200_000 }, () => randomId())).size).toBe(200_000)
})

test('uses each of its 64 letters as often as the others', () => {
  const seen = new Map<string, number>()
  for (const letter of Array.from({ length: 10_000 }, () => randomId(64)).join(''))
    seen.set(letter, (seen.get(letter) ?? 0) + 1)
  expect(seen.size).toBe(64)
  for (const count of seen.values()) expect(Math.abs(count - 10_000)).toBeLessThan(700)
})
