// The short form of `npm run chaos -- --locks`: contenders in one process, and a few seconds.
import { expect, test } from 'vitest'
import { lockStory, Witnesses } from './locks.ts'

test('never lets two see that they have the lock, whatever the network and the server do', async () => {
  const seed = Math.ceil(Math.random() * 1e9)
  const { holds, problems } = await lockStory(8, { processes: false, seed, mostMs: 5_000 })
  expect(problems, `seed ${seed}`).toEqual([])
  expect(holds).toBeGreaterThan(10)
}, 60_000)

test('would see it', () => {
  const witnesses = new Witnesses()
  witnesses.hear(1n, 10n, 11n)
  witnesses.hear(2n, 15n, 16n)
  witnesses.hear(2n, 18n, 19n)
  expect(witnesses.problems()).toEqual([])
  witnesses.hear(1n, 17n, 18n)
  expect(witnesses.problems()).toEqual(['1 was valid until 17, and 2 from 16'])
})
