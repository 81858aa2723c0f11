import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { ConfigError, ConnectionError, HoldfastError, TimeoutError } from '../base/errors.ts'
import { ChangeRefusedError, ChangeUnfinishedError, NotAgreedError } from '../ops/cluster/errors.ts'
import { EXIT, exitCodeOf, explain, Interrupted } from './exit.ts'
import { connectOptions, parseAddressMap, parseDuration, parseInteger } from './flags.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-flags-'))
afterAll(() => rmSync(folder, { recursive: true }))

describe('an address map', () => {
  it('is read from pairs, JSON or a file', () => {
    const file = join(folder, 'map.json')
    writeFileSync(file, '{"a:1":"b:2"}')
    expect(parseAddressMap('172.30.0.0/24=127.0.0.1, h:1=i:2')).toEqual({ '172.30.0.0/24': '127.0.0.1', 'h:1': 'i:2' })
    expect(parseAddressMap(' {"a:1":"b:2"}')).toEqual({ 'a:1': 'b:2' })
    expect(parseAddressMap(file)).toEqual({ 'a:1': 'b:2' })
  })

  it.each(['nowhere.json', 'a=', '=b', 'a=b=c', '{', '{"a"', '[1]'])('refuses %j', (words) => {
    expect(() => parseAddressMap(words)).toThrow(expect.objectContaining({ option: '--address-map' }) as never)
  })
})

describe('flags', () => {
  it('stand above the environment, and the password is in the environment alone', () => {
    const env = { REDIS_URL: 'redis+cluster://a', HOLDFAST_PASSWORD: 'secret', HOLDFAST_ADDRESS_MAP: 'a=b' }
    expect(connectOptions({ env }, {})).toEqual({
      url: 'redis+cluster://a',
      password: 'secret',
      addressMap: { a: 'b' },
    })
    expect(connectOptions({ env }, { url: 'redis+cluster://c', addressMap: { c: 'd' }, timeout: 5 })).toEqual({
      ...{ url: 'redis+cluster://c', password: 'secret', addressMap: { c: 'd' }, timeout: 5 },
    })
    expect(() => connectOptions({ env: { REDIS_URL: '' } }, {})).toThrow(
      /--url: expected an address here or in REDIS_URL/,
    )
  })

  it('are read strictly', () => {
    expect([parseDuration('--timeout')('250'), parseDuration('--timeout')('2s')]).toEqual([250, 2_000])
    expect(() => parseDuration('--timeout')('soon')).toThrow(ConfigError)
    expect(parseInteger('--count', 1, 5)('5')).toBe(5)
    for (const words of ['0', '6', '1.5', '', 'x', '-1']) expect(() => parseInteger('--count', 1, 5)(words)).toThrow()
  })
})

it.each([
  [new ConfigError('url', 'a', 'b'), EXIT.usage],
  [new ConnectionError('CONNECTION_LOST', 'x', 'y'), EXIT.unreachable],
  [new ConnectionError('AUTH_FAILED', 'x', 'y'), EXIT.unreachable],
  [new TimeoutError('x', 1, true), EXIT.unreachable],
  [new NotAgreedError('x', 1, 'y'), EXIT.failed],
  [new ChangeRefusedError('x', 'y'), EXIT.refused],
  [new ChangeUnfinishedError('x', 1, 2, 'y'), EXIT.partial],
  [new HoldfastError('SERVER_ERROR', 'x'), EXIT.failed],
  [new Interrupted(), EXIT.interrupted],
  [new Error('x'), EXIT.failed],
])('%s ends the program with %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code)
})

it('explains an expected error in a line with what lies below it, and an unexpected one whole', () => {
  const below = new ConnectionError('AUTH_FAILED', 'cluster', 'refused', { cause: new Error('WRONGPASS') })
  expect(explain(below)).toBe('AUTH_FAILED: cluster: refused (WRONGPASS)')
  expect(explain(new Error('a fault'))).toMatch(/a fault\n {4}at /)
})
