import { inspect, isDeepStrictEqual } from 'node:util'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decode, encode } from './codec.ts'
import { ValueError } from './errors.ts'

const roundTrip = (value: unknown): unknown => {
  const { json, types } = encode(value)
  return decode(json, types)
}

/** The strictest equality there is here: -0 is not 0, a hole is not undefined's absence, Date is not its text. */
const expectSame = (value: unknown): void => {
  const back = roundTrip(value)
  expect(isDeepStrictEqual(back, value), inspect(back, { depth: 20 })).toBe(true)
}

const typedArrays = [
  fc.uint8Array(),
  fc.int8Array(),
  fc.uint8ClampedArray(),
  fc.uint16Array(),
  fc.int16Array(),
  fc.uint32Array(),
  fc.int32Array(),
  fc.float32Array(),
  fc.float64Array(),
  fc.bigInt64Array(),
  fc.bigUint64Array(),
]

const anything = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constantFrom<unknown>(null, undefined, true, false, 0, -0, Number.NaN, Infinity, -Infinity, '', 5e-324),
    fc.double(),
    fc.integer(),
    fc.bigInt(),
    fc.string({ unit: 'binary' }),
    fc.constantFrom('2020-01-01T00:00:00.000Z', '1n', 'NaN', '[object Map]', '\ud800', '\u2028', 'hf1D'),
    fc.date({ noInvalidDate: true }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    ...typedArrays,
    fc.array(tie('value')),
    fc.array(fc.tuple(tie('value'), tie('value'))).map((pairs) => new Map(pairs)),
    fc.array(tie('value')).map((items) => new Set(items)),
    fc.dictionary(
      fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', '0', 'root')),
      tie('value'),
      {
        noNullPrototype: true,
      },
    ),
  ),
})).value

describe('encode and decode', () => {
  it('gives back any nesting of what it knows', () => {
    fc.assert(fc.property(anything, expectSame), { numRuns: 1_000 })
  })

  it('keeps NaN, -0, the infinities, undefined, bigint and an invalid date', () => {
    for (const value of [Number.NaN, -0, Infinity, -Infinity, undefined, 2n ** 100n, -1n, 0, '', false, null])
      expectSame(value)
    expect((roundTrip([new Date(Number.NaN)]) as Date[])[0]?.getTime()).toBeNaN()
  })

  it('keeps fields that are undefined, and holes as undefined', () => {
    expectSame({ a: undefined, b: [undefined] })
    // biome-ignore lint/suspicious/noSparseArray: a hole is the point
    expect(roundTrip([1, , 3])).toStrictEqual([1, undefined, 3])
  })

  it('leaves a text that looks like a date, a bigint or a type a text', () => {
    for (const text of ['2020-01-01T00:00:00.000Z', '10n', 'NaN', 'undefined']) expectSame({ text, at: new Date(5) })
  })

  it('stores a plain value as the plain JSON, without a list', () => {
    const value = { id: 1, name: 'Kühe', tags: ['a', null, true], nested: { x: [1.5, {}] } }
    expect(encode(value)).toEqual({ json: JSON.stringify(value), types: '' })
  })

  it("keeps '__proto__' a field of data, and no prototype", () => {
    const value = JSON.parse('{"__proto__":{"admin":true},"a":1}')
    const plain = roundTrip(value) as Record<string, unknown>
    expect(Object.keys(plain)).toEqual(['__proto__', 'a'])
    expect(plain.admin).toBeUndefined()
    const typed = roundTrip(JSON.parse('{"__proto__":{"at":1}}', (key, item) => (key === 'at' ? new Date(1) : item)))
    expect(Object.getOwnPropertyDescriptor(typed, '__proto__')?.value).toEqual({ at: new Date(1) })
    expect(Object.getPrototypeOf(typed)).toBe(Object.prototype)
  })

  it('honours toJSON, also beside what is not JSON, and of an object that answers itself', () => {
    class Money {
      readonly cents = 5
      toJSON() {
        return { cents: this.cents, big: 1n }
      }
    }
    expect(roundTrip({ price: new Money(), at: new Date(1) })).toStrictEqual({
      price: { cents: 5, big: 1n },
      at: new Date(1),
    })
    const self = { a: 1, toJSON: () => self }
    expect(() => encode(self)).toThrow(/\$\.toJSON: a function/)
    class Model {
      id = 7
      toJSON() {
        return this
      }
    }
    expect(roundTrip(new Model())).toStrictEqual({ id: 7 })
  })

  it('keeps the fields of an instance, of an object without a prototype and of another realm', () => {
    class User {
      readonly name = 'Ada'
      readonly since = new Date(1)
    }
    expect(roundTrip(new User())).toStrictEqual({ name: 'Ada', since: new Date(1) })
    expect(roundTrip(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
    const foreign = runInNewContext(
      '({ at: new Date(5), of: new Map([[1, new Set([2])]]), bytes: new Uint8Array([1]) })',
    )
    expect(roundTrip(foreign)).toStrictEqual({
      at: new Date(5),
      of: new Map([[1, new Set([2])]]),
      bytes: new Uint8Array([1]),
    })
  })

  it('takes boxed values for what they hold', () => {
    expect(roundTrip([new Number(Number.NaN), new String('a'), new Boolean(false), Object(1n)])).toStrictEqual([
      Number.NaN,
      'a',
      false,
      1n,
    ])
  })

  it('gives back bytes in a buffer of their own', () => {
    const bytes = roundTrip(new Uint8Array(Buffer.from('abc'))) as Uint8Array
    expect(bytes.buffer.byteLength).toBe(3)
    expect(Buffer.from(roundTrip(new Uint8Array([1, 2]).buffer) as ArrayBuffer)).toEqual(Buffer.from([1, 2]))
    expect(Buffer.isBuffer(roundTrip(Buffer.from('abc')))).toBe(true)
    const view = roundTrip(new DataView(new Uint8Array([1, 2, 3]).buffer, 1)) as DataView
    expect([view.byteLength, view.getUint8(0)]).toEqual([2, 2])
  })

  it('gives back a subclass of bytes as what it extends', () => {
    class Hash extends Uint8Array {}
    expect(roundTrip(new Hash([1, 2]))).toStrictEqual(new Uint8Array([1, 2]))
  })

  it.each([
    ['a function', { items: [1, { run: () => 1 }] }, '$.items[1].run'],
    ['a symbol', [Symbol('x')], '$[0]'],
    ['a promise that was not awaited', { user: Promise.resolve(1) }, '$.user'],
    ['an error', { failed: new Error('x') }, '$.failed'],
    ['a regular expression', { 'a b': /x/ }, '$["a b"]'],
    ['a weak map', new Map([['k', new WeakMap()]]), '$[0][1]'],
  ])('refuses %s, and says where', (_, value, path) => {
    expect(() => encode(value)).toThrow(ValueError)
    expect(() => encode(value)).toThrow(expect.objectContaining({ code: 'VALUE_UNWRITABLE', path }))
  })

  it('refuses a circle, and not the same thing twice', () => {
    const circle: Record<string, unknown> = { a: { b: [] } }
    ;(circle.a as { b: unknown[] }).b.push(circle)
    expect(() => encode(circle)).toThrow(expect.objectContaining({ code: 'VALUE_UNWRITABLE', path: '$.a.b[0]' }))
    const map = new Map<string, unknown>()
    map.set('self', map)
    expect(() => encode(map)).toThrow(ValueError)
    const shared = { x: new Date(1) }
    expectSame([shared, shared])
  })

  it('refuses what is nested deeper than any data, without exhausting the stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(() => encode(deep)).toThrow(expect.objectContaining({ code: 'VALUE_UNWRITABLE' }))
    let fine: unknown = new Date(1)
    for (let i = 0; i < 400; i++) fine = [fine]
    expectSame(fine)
  })
})

describe('decode', () => {
  it.each([
    ['no JSON', '{"a":', ''],
    ['no list', '{}', '7'],
    ['a list of no pairs', '{}', '[1]'],
    ['a path into a prototype', '{}', '[[["__proto__","polluted"],"date"]]'],
    ['a path into the constructor', '{}', '[[["constructor","prototype"],"date"]]'],
    ['a path beyond the value', '{"a":1}', '[[["a","b"],"date"]]'],
    ['a path into a text', '"abc"', '[[[0],"date"]]'],
    ['an unknown type', '1', '[[[],"Function"]]'],
    ['a type that only an object has', '"YWJj"', '[[[],"constructor"]]'],
    ['a bigint that is none', '"x"', '[[[],"bigint"]]'],
    ['a map that is none', '7', '[[[],"map"]]'],
    ['bytes that do not fit their type', '"YWJj"', '[[[],"Float64Array"]]'],
    ['bytes that are none', '7', '[[[],"Buffer"]]'],
  ])('refuses %s with VALUE_UNREADABLE', (_, json, types) => {
    expect(() => decode(json, types)).toThrow(expect.objectContaining({ code: 'VALUE_UNREADABLE' }))
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  it('answers hostile text with a value or a ValueError, and nothing else', () => {
    fc.assert(
      fc.property(fc.json(), fc.json(), (json, types) => {
        try {
          decode(json, types)
        } catch (error) {
          expect(error).toBeInstanceOf(ValueError)
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
