import { expect, test } from 'vitest'
import { SingleFlight } from './single-flight.ts'

/** A promise to be settled from outside. */
function gate<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

test('runs one piece of work for all who come while it runs, and gives each its answer', async () => {
  const flights = new SingleFlight<number>()
  const work = gate<number>()
  let runs = 0
  const load = () => {
    runs++
    return work.promise
  }
  const callers = Array.from({ length: 50 }, () => flights.run('a', load))
  work.resolve(7)
  expect(await Promise.all(callers)).toEqual(Array(50).fill(7))
  expect(runs).toBe(1)
})

test('gives every caller the very error of the work, and the next caller tries again', async () => {
  const flights = new SingleFlight<number>()
  const error = new Error('no')
  const callers = [1, 2, 3].map(() => flights.run('a', () => Promise.reject(error)))
  for (const caller of callers) await expect(caller).rejects.toBe(error)
  expect(flights.size).toBe(0)
  expect(await flights.run('a', async () => 2)).toBe(2)
})

test('keeps nothing once the work has ended', async () => {
  const flights = new SingleFlight<number>()
  await Promise.all(Array.from({ length: 1_000 }, (_, i) => flights.run(`${i}`, async () => i)))
  expect(flights.size).toBe(0)
  expect(() =>
    flights.run('a', () => {
      throw new Error('at once')
    }),
  ).toThrow('at once')
  expect(flights.size).toBe(0)
})

test('keeps names apart', async () => {
  const flights = new SingleFlight<string>()
  const names = ['a', 'b', '', '__proto__', 'constructor']
  expect(await Promise.all(names.map((name) => flights.run(name, async () => name)))).toEqual(names)
})

test('lets a caller who comes after a detachment start anew, while those who waited get the old answer', async () => {
  const flights = new SingleFlight<number>()
  const old = gate<number>()
  const anew = gate<number>()
  const early = flights.run('a', () => old.promise)
  flights.detach('a')
  const late = flights.run('a', () => anew.promise)
  old.resolve(1)
  expect(await early).toBe(1)
  // The old flight's landing must not have opened the way for a third.
  expect(flights.get('a')).toBe(late)
  anew.resolve(2)
  expect(await late).toBe(2)
})

test('detaches those whose name matches', async () => {
  const flights = new SingleFlight<number>()
  const first = ['user:1', 'user:2', 'team:1'].map((name) => flights.run(name, () => new Promise<number>(() => {})))
  flights.detachWhere((name) => name.startsWith('user:'))
  expect(flights.size).toBe(1)
  expect(flights.get('team:1')).toBe(first[2])
})
