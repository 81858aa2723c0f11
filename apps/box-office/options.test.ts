import { expect, it } from 'vitest'
import { readOptions, UsageError } from './options.ts'

it('opens the shop with a crowd, on port 4600, in memory', () => {
  expect(readOptions([], {})).toMatchObject({ port: 4_600, crowd: 24, dataDir: undefined, once: undefined })
})

it('sends the crowd away with --no-crowd', () => {
  expect(readOptions(['--no-crowd', '--crowd', '9'], {}).crowd).toBe(0)
})

it('sells 1,200 seats to 2,000 buyers with --once', () => {
  expect(readOptions(['--once'], {}).once).toEqual({ buyers: 2_000, seats: 1_200, seed: 1, processes: 1 })
})

it('refuses what it does not know, by name', () => {
  for (const args of [['--prot', '1'], ['--port', 'x'], ['--seats', '20'], ['--buyers', '-3'], ['once']])
    expect(() => readOptions(args, {})).toThrow(UsageError)
  expect(() => readOptions(['--port', '70000'], {})).toThrow(/--port: expected a whole number from 0 to 65000/)
})

it('treats an empty REDIS_URL as none', () => {
  expect(readOptions([], { REDIS_URL: '' }).redisUrl).toBeUndefined()
})
