import { isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { shortKey, stableKey } from './stable-key.ts'

const key = (...args: unknown[]) => stableKey(args)

class Money {
  readonly #cents: number
  constructor(cents: number) {
    this.#cents = cents
  }
  toJSON() {
    return this.#cents
  }
}

/** Arguments of which no two are the same. */
const DIFFERENT: readonly (readonly unknown[])[] = [
  [],
  [undefined],
  [undefined, undefined],
  [null],
  [1],
  ['1'],
  [1n],
  ['1n'],
  [true],
  ['true'],
  [0],
  [-0],
  [Number.NaN],
  ['NaN'],
  [Number.POSITIVE_INFINITY],
  [''],
  [[]],
  [{}],
  [new Map()],
  [new Set()],
  [new Date(0)],
  [new Date(Number.NaN)],
  ['Date(0)'],
  [new Date(0).toISOString()],
  [1, 2],
  [[1, 2]],
  ['1,2'],
  ['1', '2'],
  ['1","2'],
  [['a'], 'b'],
  [['a', 'b']],
  [{ a: 1 }],
  [{ a: '1' }],
  [{ a: undefined }],
  [{ a: { b: 1 } }],
  [{ 'a":{"b': 1 }],
  // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
  [[, 1]],
  [[undefined, 1]],
  [[null, 1]],
  [new Map([[1, 2]])],
  [new Map([['1', 2]])],
  [new Set([1, 2])],
  [new Set([[1, 2]])],
  [Buffer.from([1])],
  [Uint8Array.of(1)],
  [Int8Array.of(1)],
  [Uint8Array.of(1).buffer],
  [{ type: 'Buffer', data: [1] }],
  [new URL('http://x.test/')],
  ['http://x.test/'],
  [new Money(5)],
  [new Money(6)],
  [5],
  ['\ud800'],
  ['\ud801'],
  ['\ufffd'],
  ['\\ud800'],
]

describe('a stable key', () => {
  it('is another one for arguments that differ, however alike they look', () => {
    expect(new Set(DIFFERENT.map((args) => stableKey(args))).size).toBe(DIFFERENT.length)
  })

  it('is the same in whatever order fields, Maps and Sets were filled, but not lists', () => {
    expect(key({ a: 1, b: { c: [1], d: 2 } })).toBe(key({ b: { d: 2, c: [1] }, a: 1 }))
    expect(
      key(
        new Map<unknown, unknown>([
          ['a', 1],
          [{ x: 1 }, 2],
        ]),
      ),
    ).toBe(
      key(
        new Map<unknown, unknown>([
          [{ x: 1 }, 2],
          ['a', 1],
        ]),
      ),
    )
    expect(key(new Set(['a', 'b']))).toBe(key(new Set(['b', 'a'])))
    expect(key([1, 2])).not.toBe(key([2, 1]))
    expect(key(Object.assign(Object.create(null), { a: 1 }))).toBe(key({ a: 1 }))
    expect(key(runInNewContext('[{ a: new Date(5), b: new Map([[1, 2]]) }]'))).toBe(
      key([{ a: new Date(5), b: new Map([[1, 2]]) }]),
    )
    expect(key(new URL('http://x.test/'))).toBe(key(new URL('http://x.test')))
  })

  it('takes what extends a built-in class by its own toJSON, and bytes of every kind and realm', () => {
    class Ids extends Set<number> {
      readonly tenant: string
      constructor(ids: readonly number[], tenant: string) {
        super(ids)
        this.tenant = tenant
      }
      toJSON() {
        return [this.tenant, ...this]
      }
    }
    expect(key(new Ids([1], 'a'))).toBe(key(new Ids([1], 'a')))
    expect(key(new Ids([1], 'a'))).not.toBe(key(new Ids([1], 'b')))
    const kinds = [Float64Array.of(Number.NaN, -0), new DataView(Uint8Array.of(1).buffer), BigInt64Array.of(5n)]
    for (const bytes of kinds) expect(key(bytes)).toBe(key(structuredClone(bytes)))
    const part = Buffer.from('-abc-').subarray(1, 4)
    expect(key(part)).toBe(key(Buffer.from('abc')))
    expect(key(runInNewContext('Uint16Array.of(1, 2)'))).toBe(key(Uint16Array.of(1, 2)))
    expect(() => key(runInNewContext('new (class Map extends globalThis.Map {})()'))).toThrow(/a Map cannot/)
  })

  it('is the same for what is deeply equal, and for nothing else', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.constantFrom<unknown>(0, -0, Number.NaN, 1, 1n, '1', null, undefined, true, 'true', '', 'null'),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array({ maxLength: 2 }),
    )
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.string({ maxLength: 2 }), tie('value'), { maxKeys: 3, noNullPrototype: true }),
        fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
        fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
      ),
    }))
    const args = fc.array(value, { maxLength: 3 })
    fc.assert(
      fc.property(args, args, (a, b) => (stableKey(a) === stableKey(b)) === isDeepStrictEqual(a, b)),
      { numRuns: 3_000 },
    )
    fc.assert(
      fc.property(args, (a) => stableKey(a) === stableKey(structuredClone(a))),
      { numRuns: 1_000 },
    )
  })

  const circle: unknown[] = []
  circle.push({ inside: circle })
  class Secret {
    readonly #at = 5
    get at() {
      return this.#at
    }
  }
  it.each<[string, readonly unknown[], string, string]>([
    ['a function', ['x', { run: () => 1 }], '$[1].run', 'a function'],
    ['a symbol', [Symbol('x')], '$[0]', 'a symbol'],
    ['a circle', [circle], '$[0][0].inside', 'a circle'],
    ['a promise', [Promise.resolve(1)], '$[0]', 'a Promise'],
    ['an instance that says nothing of itself', [{ 'the secret': new Secret() }], '$[0]["the secret"]', 'a Secret'],
    ['a regular expression', [new Map([['x', /a/]])], '$[0][0]', 'a RegExp'],
    ['an error', [new Error('x')], '$[0]', 'a Error'],
    ['a symbol for a field', [{ [Symbol('x')]: 1 }], '$[0]', 'an object with a symbol for a field'],
    ['a list with fields', [Object.assign([1], { x: 1 })], '$[0]', 'a list with fields of its own'],
    ['a list with a symbol', [Object.assign([1], { [Symbol('x')]: 1 })], '$[0]', 'a list with fields of its own'],
    ['a Map with fields', [Object.assign(new Map(), { tenant: 1 })], '$[0]', 'a Map with fields of its own'],
    ['a Set with a symbol', [Object.assign(new Set(), { [Symbol('x')]: 1 })], '$[0]', 'a Set with fields of its own'],
    ['a Date with fields', [Object.assign(new Date(0), { zone: 'x' })], '$[0]', 'a Date with fields of its own'],
    [
      'a long Buffer with fields',
      [Object.assign(Buffer.alloc(99), { x: 1 })],
      '$[0]',
      'a Buffer with fields of its own',
    ],
    ['a Buffer with fields', [Object.assign(Buffer.from('a'), { x: 1 })], '$[0]', 'a Buffer with fields of its own'],
    [
      'numbers with fields',
      [Object.assign(Float64Array.of(Number.NaN), { x: 1 })],
      '$[0]',
      'a Float64Array with fields of its own',
    ],
    [
      'a buffer with fields',
      [Object.assign(new ArrayBuffer(1), { x: 1 })],
      '$[0]',
      'a ArrayBuffer with fields of its own',
    ],
    ['a class that extends Set', [new (class Ids extends Set {})()], '$[0]', 'a Ids'],
    ['a class that extends Map', [new (class Team extends Map {})()], '$[0]', 'a Team'],
    ['a class that extends Array', [class Rows extends Array {}.from([1])], '$[0]', 'a Rows'],
    ['a class that extends Date', [new (class Day extends Date {})(0)], '$[0]', 'a Day'],
    ['a class that extends bytes', [new (class Hash extends Uint8Array {})(1)], '$[0]', 'a Hash'],
  ])('refuses %s, and says where', (_, args, path, what) => {
    expect(() => stableKey(args)).toThrow(
      expect.objectContaining({ code: 'KEY_UNSTABLE', path, message: `${path}: ${what} cannot be part of a key` }),
    )
  })

  it('refuses what is nested too deep, rather than break the stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(() => key(deep)).toThrow(expect.objectContaining({ code: 'KEY_UNSTABLE' }))
  })
})

describe('a short key', () => {
  it('is the text itself where that is short, and else its head and hash, unlike any other', () => {
    expect(shortKey(':', 'abc')).toBe(':abc')
    const long = `select ${'x'.repeat(5_000)}`
    const short = shortKey(':', long)
    expect(short).toMatch(/^#select x+…[\w-]{43}$/)
    expect(shortKey(':', long)).toBe(short)
    const keys = [long, `${long} `, `${long.slice(0, -1)}y`, short, short.slice(1)].map((text) => shortKey(':', text))
    expect(new Set([...keys, shortKey('[', long)]).size).toBe(6)
  })

  it('does not cut a pair of surrogates in two, and tells broken ones apart', () => {
    const [a, b] = ['\ud800', '\ud801'].map((broken) => shortKey(':', `${'x'.repeat(99)}😀${broken}${'y'.repeat(200)}`))
    expect(a).not.toBe(b)
    expect(a).not.toMatch(/[\ud800-\udfff]/)
  })
})
