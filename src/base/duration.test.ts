import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Duration, toMs } from './duration.ts'
import { ConfigError } from './errors.ts'

const refusal = (value: unknown, bounds?: { min?: number; max?: number }): ConfigError => {
  try {
    toMs(value as Duration, 'ttl', bounds)
  } catch (error) {
    return error as ConfigError
  }
  throw new Error(`${String(value)} was taken`)
}

test('reads every unit', () => {
  expect(toMs('250ms', 'ttl')).toBe(250)
  expect(toMs('10s', 'ttl')).toBe(10_000)
  expect(toMs('5m', 'ttl')).toBe(300_000)
  expect(toMs('1h', 'ttl')).toBe(3_600_000)
  expect(toMs('7d', 'ttl')).toBe(604_800_000)
  expect(toMs('1.5s', 'ttl')).toBe(1_500)
})

test('takes a number as milliseconds, rounded to a whole one', () => {
  fc.assert(
    fc.property(fc.double({ min: 0.5, max: 1e12, noNaN: true }), (ms) => {
      expect(toMs(ms, 'ttl')).toBe(Math.round(ms))
    }),
  )
})

test('reads back what it would write, for every whole number of every unit', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 36_500 }), fc.constantFrom('ms', 's', 'm', 'h', 'd'), (n, unit) => {
      const one = { ms: 1, s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[unit]
      expect(toMs(`${n}${unit}` as Duration, 'ttl')).toBe(n * (one as number))
    }),
  )
})

test.each([
  '',
  '10',
  's',
  '10 s',
  '10S',
  '-1s',
  '+1s',
  '1e3ms',
  '0x10ms',
  '1,5s',
  '.5s',
  '1w',
  '10sec',
  '10s5s',
  Number.NaN,
  Number.POSITIVE_INFINITY,
  null,
  undefined,
  true,
  {},
  ['1s'],
  10n,
  new Date(),
])('refuses %o by name', (value) => {
  const error = refusal(value)
  expect(error).toBeInstanceOf(ConfigError)
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', option: 'ttl', retryable: false })
})

test('refuses a time of nothing or less unless zero is allowed, and one beyond its bounds', () => {
  expect(refusal(0).expected).toBe("a duration of '1ms' to '36500d'")
  expect(refusal(-5)).toBeInstanceOf(ConfigError)
  expect(toMs(0, 'ttl', { min: 0 })).toBe(0)
  expect(refusal('101y' as Duration)).toBeInstanceOf(ConfigError)
  expect(refusal('36501d').received).toBe("'36501d'")
  expect(refusal('9h', { min: 0, max: 5_400_000 }).expected).toBe("a duration of '0ms' to '90m'")
  expect(refusal('2s', { max: 1_000 }).expected).toBe("a duration of '1ms' to '1s'")
})
