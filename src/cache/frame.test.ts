import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeFrame, encodeFrame } from './frame.ts'

const AT = 1_795_000_000_000
const samples: Record<string, { readonly value: unknown; readonly tags?: { tag: string; epoch: string }[] }> = {
  'an object': { value: { id: 42, name: 'Ada', list: [1, null, true] } },
  'a number': { value: 1234 },
  'beyond ASCII': { value: 'Kühe 🐄' },
  null: { value: null },
  'a date': { value: new Date(5) },
  'every type': {
    value: {
      d: new Date(5),
      m: new Map([[1, new Set([2n])]]),
      b: Buffer.from('abc'),
      n: Number.NaN,
      u: undefined,
      z: -0,
    },
  },
  tags: {
    value: 7,
    tags: [
      { tag: 'team:7', epoch: '1795000000000000.aBc_-9' },
      { tag: 'ü {}"', epoch: '0.x' },
    ],
  },
}

/** As the version of that name wrote them: whatever is changed, these must be read. */
const fixtures = JSON.parse(readFileSync(new URL('./frame.fixtures.json', import.meta.url), 'utf8')) as Record<
  string,
  Record<string, string>
>

const read = (frame: string | Buffer) => decodeFrame(Buffer.from(frame as string))

describe('a frame', () => {
  it.each(Object.entries(samples))('gives back %s', (_, { value, tags = [] }) => {
    const frame = encodeFrame(value, AT, tags)
    expect(read(frame)).toStrictEqual({ value, staleAtMs: AT, tags, costMs: 0, bytes: Buffer.byteLength(frame) })
  })

  it.each([1, 35, 12_345, 10 ** 9])('tells that its load took %i ms, if anybody wants to know', (costMs) => {
    for (const { value, tags = [] } of Object.values(samples)) {
      const frame = Buffer.from(encodeFrame(value, AT, tags, costMs))
      expect(decodeFrame(frame)).toMatchObject({ value, tags, costMs: Math.min(costMs, 36 ** 4 - 1) })
      for (let length = 0; length < frame.length; length++)
        expect(decodeFrame(frame.subarray(0, length)), `${length}`).toBeUndefined()
    }
  })

  it.each(Object.keys(fixtures))('of %s is read for ever', (version) => {
    const written = fixtures[version] as Record<string, string>
    expect(Object.keys(written)).toEqual(Object.keys(samples))
    for (const [name, hex] of Object.entries(written)) {
      const { value, tags = [] } = samples[name] as (typeof samples)[string]
      expect(decodeFrame(Buffer.from(hex, 'hex')), name).toMatchObject({ staleAtMs: AT, tags })
      expect(decodeFrame(Buffer.from(hex, 'hex'))?.value, name).toStrictEqual(value)
    }
  })

  it.each(Object.entries(samples))('that was cut short is a miss: %s', (_, { value, tags = [] }) => {
    const frame = Buffer.from(encodeFrame(value, AT, tags))
    // The last byte of a number is the space that tells it is whole.
    for (let length = 0; length < frame.length; length++)
      expect(decodeFrame(frame.subarray(0, length)), `${length}`).toBeUndefined()
  })

  it('of other bytes is a miss, and never an error', () => {
    const garbled = fc
      .tuple(fc.constantFrom(...Object.values(samples)), fc.nat(), fc.nat(255))
      .map(([{ value, tags }, at, byte]) => {
        const frame = Buffer.from(encodeFrame(value, AT, tags ?? []))
        frame[at % frame.length] = byte
        return frame
      })
    const lookalike = fc
      .tuple(fc.string({ maxLength: 1 }), fc.string({ unit: 'binary' }))
      .map(([flag, rest]) => Buffer.from(`hf1${flag}${AT}${rest}`))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array)),
      garbled,
      lookalike,
    )
    fc.assert(
      fc.property(bytes, (frame) => {
        decodeFrame(frame)
      }),
      { numRuns: 2_000 },
    )
    for (const text of [
      '',
      'hf1',
      'hf2@1795000000000{}',
      '{"a":1}',
      'null',
      `hf1H${AT}{}`,
      `hf1D${AT}zzzz`,
      `hf1E${AT}0004null{}`,
    ])
      expect(read(text), text).toBeUndefined()
  })
})
