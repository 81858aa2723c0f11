import { inspect } from 'node:util'
import { expect, test, vi } from 'vitest'
import * as errors from './errors.ts'
import {
  ConfigError,
  ConnectionError,
  describe,
  ERROR_CODES,
  HoldfastError,
  messageOf,
  ServerError,
  TimeoutError,
  ValueError,
} from './errors.ts'

const ONE_OF_EACH = [
  new ConfigError('ttl', 'a duration', 'x'),
  new TimeoutError('cache.get', 1_000, true),
  new ConnectionError('CONNECTION_LOST', 'cache.get', 'away', { sent: true }),
  new ServerError('SERVER_FULL', 'cache.set', 'full', { reply: 'OOM', retryable: true }),
  new ValueError('VALUE_UNREADABLE', '$', 'what is this'),
]

test('is an Error with a code of the table, a name, a stack and its facts as fields', () => {
  for (const error of ONE_OF_EACH) {
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(HoldfastError)
    expect(Object.keys(ERROR_CODES)).toContain(error.code)
    expect(error.name).toBe(error.constructor.name)
    expect(error.stack).toContain(`${error.name}: ${error.message}`)
    expect(inspect(error)).toContain(error.code)
  }
  expect(ONE_OF_EACH[1]).toMatchObject({ operation: 'cache.get', timeoutMs: 1_000, sent: true, retryable: true })
  expect(ONE_OF_EACH[2]).toMatchObject({ operation: 'cache.get', sent: true, retryable: true })
  expect(ONE_OF_EACH[3]).toMatchObject({ operation: 'cache.set', reply: 'OOM', retryable: true })
  expect(ONE_OF_EACH[4]).toMatchObject({ path: '$', retryable: false })
})

test('keeps the cause, and has none where there was none', () => {
  const cause = new Error('why')
  expect(new TimeoutError('get', 1, false, cause).cause).toBe(cause)
  expect('cause' in new TimeoutError('get', 1, false)).toBe(false)
})

test('tells the classes apart', () => {
  const [config, timeout] = ONE_OF_EACH
  expect(config instanceof TimeoutError).toBe(false)
  expect(timeout instanceof ConfigError).toBe(false)
  expect(timeout instanceof TimeoutError).toBe(true)
})

test('is known by another installed copy of the package, class by class', async () => {
  vi.resetModules()
  const other: typeof errors = await import('./errors.ts')
  expect(other.TimeoutError).not.toBe(TimeoutError)
  const foreign = new other.TimeoutError('get', 5, true)
  expect(Object.getPrototypeOf(foreign)).not.toBe(TimeoutError.prototype)
  expect(foreign instanceof TimeoutError).toBe(true)
  expect(foreign instanceof HoldfastError).toBe(true)
  expect(foreign instanceof ConnectionError).toBe(false)
  expect(new HoldfastError('TIMEOUT', 'x') instanceof other.TimeoutError).toBe(false)
  for (const error of ONE_OF_EACH)
    for (const name of ['ConfigError', 'TimeoutError', 'ConnectionError', 'ServerError', 'ValueError'] as const)
      expect(error instanceof other[name]).toBe(error.name === name)
})

test('knows a subclass of a user by its own prototype, and as every class above it in both copies', async () => {
  vi.resetModules()
  const other: typeof errors = await import('./errors.ts')
  class Mine extends TimeoutError {}
  class Theirs extends other.TimeoutError {}
  const mine = new Mine('get', 5, true)
  expect(mine.name).toBe('Mine')
  expect(mine instanceof Mine).toBe(true)
  expect(mine instanceof other.TimeoutError).toBe(true)
  expect(mine instanceof Theirs).toBe(false)
  expect(new TimeoutError('get', 5, true) instanceof Mine).toBe(false)
})

test('keeps its name when a bundler renames the class', () => {
  const a = { b: class extends HoldfastError {} }.b
  class c extends a {
    static override readonly kind = 'LockLostError'
  }
  expect(new c('TIMEOUT', 'x').name).toBe('LockLostError')
})

test('takes no stranger for one of ours', () => {
  const strangers = [
    undefined,
    null,
    1,
    'TimeoutError',
    {},
    [],
    new Error('x'),
    { code: 'TIMEOUT' },
    Object.create(null),
  ]
  for (const stranger of strangers) {
    expect(stranger instanceof HoldfastError).toBe(false)
    expect(stranger instanceof TimeoutError).toBe(false)
  }
})

test('states its kind in every class of this file', () => {
  for (const [name, made] of Object.entries(errors))
    if (typeof made === 'function' && made.prototype instanceof Error)
      expect([name, Object.hasOwn(made, 'kind') && (made as typeof HoldfastError).kind]).toEqual([name, name])
})

test('shows what came in at most 80 characters, without the values inside it', () => {
  expect(describe('10s')).toBe("'10s'")
  expect(describe('x'.repeat(1_000))).toHaveLength(77)
  expect(describe(undefined)).toBe('undefined')
  expect(describe(null)).toBe('null')
  expect(describe(5n)).toBe('5n')
  expect(describe(Symbol('s'))).toBe('Symbol(s)')
  expect(describe(() => 1)).toBe('a function')
  expect(describe([1, 2])).toBe('an array of 2')
  expect(describe(new Map())).toBe('a Map')
  expect(describe(Object.create(null))).toBe('an object with {}')
  expect(describe({ password: 'secret', user: 'me' })).toBe('an object with {password, user}')
  expect(describe({ ['k'.repeat(500)]: 1 }).length).toBeLessThanOrEqual(80)
  expect(describe(Object.assign(() => 1, { x: 1 })).length).toBeLessThanOrEqual(80)
  function named() {}
  Object.defineProperty(named, 'name', { value: 'n'.repeat(500) })
  expect(describe(named).length).toBeLessThanOrEqual(80)
})

test('says in its message what happened to a command whose answer did not come', () => {
  expect(new TimeoutError('cache.set', 250, true).message).toBe(
    'cache.set: no answer within 250 ms; it was sent, so its effect may exist',
  )
  expect(new TimeoutError('cache.set', 250, false).message).toContain('it was never sent')
})

test('makes a text of whatever was thrown', () => {
  const deaf = () => {
    throw new Error('none')
  }
  const texts = [new Error('why'), { message: 'why' }, 'why', null, undefined, Symbol('why'), new Error('')].map(
    messageOf,
  )
  expect(texts).toEqual(['why', 'why', 'why', 'null', 'undefined', 'Symbol(why)', ''])
  for (const odd of [
    Object.create(null),
    { toString: deaf },
    Object.assign(new Error('x'), { message: Object.create(null) }),
  ])
    expect(messageOf(odd)).toEqual(expect.any(String))
})
