import { expect } from 'vitest'
import type { Place } from './place.ts'

/** Every key of a session or a user's list has a life, whatever was done. */
export async function expectLives(place: Place): Promise<void> {
  const keys = await place.keys(`{${place.namespace}:session*`)
  const lives = await Promise.all(keys.map((key) => place.command<number>('PTTL', key)))
  expect(keys.filter((_, i) => lives[i] === -1)).toEqual([])
}
