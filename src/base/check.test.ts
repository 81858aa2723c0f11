import { expect, test } from 'vitest'
import {
  checkBoolean,
  checkFraction,
  checkFunction,
  checkInteger,
  checkKnown,
  checkName,
  checkOneOf,
  checkSignal,
} from './check.ts'
import type { ConfigError } from './errors.ts'

const refusal = (check: () => unknown): ConfigError => {
  try {
    check()
  } catch (error) {
    return error as ConfigError
  }
  throw new Error('it was taken')
}

test('takes a whole number within its bounds, and nothing else', () => {
  expect(checkInteger('n', 1, 1, 5)).toBe(1)
  expect(checkInteger('n', 5, 1, 5)).toBe(5)
  for (const value of [0, 6, 1.5, '3', Number.NaN, Number.POSITIVE_INFINITY, 3n, null, undefined, [3]])
    expect(refusal(() => checkInteger('n', value, 1, 5))).toMatchObject({
      code: 'CONFIG_INVALID',
      option: 'n',
      expected: 'a whole number of 1 to 5',
    })
})

test('takes a fraction of 0 to 1, both included', () => {
  for (const value of [0, 0.5, 1]) expect(checkFraction('jitter', value)).toBe(value)
  for (const value of [-0.1, 1.1, Number.NaN, '0.5', undefined])
    expect(refusal(() => checkFraction('jitter', value)).option).toBe('jitter')
})

test('takes true and false, and no stand-in for them', () => {
  expect(checkBoolean('lazy', true)).toBe(true)
  expect(checkBoolean('lazy', false)).toBe(false)
  for (const value of [0, 1, '', 'true', null, undefined])
    expect(refusal(() => checkBoolean('lazy', value)).expected).toBe('true or false')
})

test('takes a function or none', () => {
  const load = () => 1
  expect(checkFunction('load', load)).toBe(load)
  expect(checkFunction('load', undefined)).toBeUndefined()
  expect(refusal(() => checkFunction('load', null as never)).received).toBe('null')
})

test('takes one of the choices, and lists them when it refuses', () => {
  expect(checkOneOf('whenDown', 'load', ['load', 'throw'])).toBe('load')
  expect(refusal(() => checkOneOf('whenDown', 'allow', ['load', 'throw']))).toMatchObject({
    expected: "'load' or 'throw'",
    received: "'allow'",
  })
})

test('takes any text as a name, the empty one too, up to 512 bytes', () => {
  expect(checkName('name', '')).toBe('')
  expect(checkName('name', 'é'.repeat(256))).toHaveLength(256)
  expect(refusal(() => checkName('name', 'é'.repeat(257))).option).toBe('name')
  expect(refusal(() => checkName('name', 'x'.repeat(1_000_000))).received.length).toBeLessThan(90)
  expect(refusal(() => checkName('name', 5)).received).toBe('5')
})

test('takes an AbortSignal or none, by what it can do', () => {
  const { signal } = new AbortController()
  expect(checkSignal(signal)).toBe(signal)
  expect(checkSignal(undefined)).toBeUndefined()
  for (const value of [5, null, 'x', {}, new EventTarget(), new AbortController()])
    expect(refusal(() => checkSignal(value))).toMatchObject({ option: 'signal', expected: 'an AbortSignal' })
})

test('refuses an option that does not exist, with its path', () => {
  expect(() => checkKnown('', undefined, ['ttl'])).not.toThrow()
  expect(() => checkKnown('', { ttl: 1 }, ['ttl'])).not.toThrow()
  expect(refusal(() => checkKnown('', { tll: 1 }, ['ttl', 'load']))).toMatchObject({
    option: 'tll',
    expected: 'an option that exists (did you mean ttl?): one of ttl, load',
  })
  expect(refusal(() => checkKnown('expiry', { stael: 1 }, ['stale'])).option).toBe('expiry.stael')
  for (const options of [null, 5, 'ttl', [1]])
    expect(refusal(() => checkKnown('expiry', options, ['stale'])).option).toBe('expiry')
  expect(refusal(() => checkKnown('', null, ['ttl'])).option).toBe('options')
})
