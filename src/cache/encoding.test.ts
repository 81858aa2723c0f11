import { readFileSync } from 'node:fs'
import { deserialize, serialize } from 'node:v8'
import { brotliCompressSync } from 'node:zlib'
import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { Encoding, type EncodingOptions, type Unread } from './encoding.ts'
import { decodeFrame, encodeFrame } from './frame.ts'

const AT = 1_795_000_000_000
const TAGS = [{ tag: 'team:7', epoch: '1795000000000000.aBc_-9' }]
const samples: Record<string, unknown> = {
  'an object': { id: 42, name: 'Ada', list: [1, null, true], price: 12.5 },
  'a number': 1234,
  'beyond ASCII': 'Kühe 🐄',
  null: null,
  'every type': {
    d: new Date(5),
    m: new Map([[1, new Set([2n])]]),
    b: Buffer.from([0, 255, 128]),
    t: new Uint16Array([1, 65_535]),
    n: Number.NaN,
    u: undefined,
    z: -0,
  },
  large: { text: 'again and again, '.repeat(200), bytes: Buffer.alloc(300, 7) },
}

const encodings: Record<string, EncodingOptions> = {
  'json, compressed': { compress: { threshold: 10 } },
  'json with a version': { version: '1' },
  msgpack: { codec: 'msgpack' },
  'msgpack, compressed, with a version': { codec: 'msgpack', compress: true, version: '1' },
  'a codec of the user': { codec: { name: 'v8', encode: serialize, decode: deserialize } },
}

/** As they were written by the version of that name: whatever is changed, these must be read. */
const fixtures = JSON.parse(readFileSync(new URL('./encoding.fixtures.json', import.meta.url), 'utf8')) as Record<
  string,
  Record<string, Record<string, string>>
>

const bytesOf = (frame: string | Buffer): Buffer => Buffer.from(frame as string)
const read = (frame: string | Buffer, encoding: Encoding): unknown => {
  let unread: Unread | undefined
  const entry = decodeFrame(bytesOf(frame), encoding, (why) => {
    unread = why
  })
  return unread ?? entry?.value
}

describe.each(Object.entries(encodings))('a frame of %s', (name, options) => {
  const encoding = new Encoding(options)

  it.each(Object.entries(samples))('gives back %s', (_, value) => {
    for (const tags of [[], TAGS]) {
      const entry = decodeFrame(bytesOf(encodeFrame(value, AT, tags, 0, encoding)), encoding)
      expect(entry).toMatchObject({ staleAtMs: AT, tags })
      expect(entry?.value).toStrictEqual(value)
    }
  })

  it('is read for ever', () => {
    for (const [version, written] of Object.entries(fixtures)) {
      expect(Object.keys(written[name] ?? {}), version).toEqual(Object.keys(samples))
      for (const [sample, hex] of Object.entries(written[name] ?? {}))
        expect(read(Buffer.from(hex, 'hex'), encoding), `${version} ${sample}`).toStrictEqual(samples[sample])
    }
  })

  it('that was cut short, or has bytes more, is a miss with a reason', () => {
    for (const value of [samples['an object'], samples['a number'], samples['every type']]) {
      const frame = bytesOf(encodeFrame(value, AT, TAGS, 0, encoding))
      for (let length = 0; length < frame.length; length++)
        expect(read(frame.subarray(0, length), encoding), `${length}`).toMatch(/^(foreign|undecodable)$/)
      expect(read(Buffer.concat([frame, Buffer.from('}')]), encoding)).toBe('undecodable')
    }
  })

  it('of other bytes is a miss, and never an error', () => {
    const garbled = fc
      .tuple(fc.constantFrom(...Object.values(samples)), fc.nat(), fc.nat(255))
      .map(([value, at, byte]) => {
        const frame = bytesOf(encodeFrame(value, AT, TAGS, 0, encoding))
        frame[at % frame.length] = byte
        return frame
      })
    fc.assert(
      fc.property(garbled, (frame) => {
        decodeFrame(frame, encoding)
      }),
      { numRuns: 200 },
    )
  })
})

describe('msgpack', () => {
  const encoding = new Encoding({ codec: 'msgpack' })

  it('gives back whatever JSON does, and bytes at their own length', () => {
    const anything = fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withNullPrototype: false,
      stringUnit: 'binary',
    })
    fc.assert(
      fc.property(anything, (value) => {
        const other = decodeFrame(bytesOf(encodeFrame(value, AT, [], 0, encoding)), encoding)
        const json = decodeFrame(bytesOf(encodeFrame(value, AT)))
        expect(other?.value).toStrictEqual(json?.value)
      }),
      { numRuns: 300 },
    )
    const bytes = Buffer.alloc(10_000, 200)
    expect(encodeFrame(bytes, AT, [], 0, encoding).length).toBeLessThan(10_100)
    expect(encodeFrame(bytes, AT).length).toBeGreaterThan(13_000)
  })

  it('refuses what JSON refuses, with the path', () => {
    expect(() => encodeFrame({ a: [{ run: () => 1 }] }, AT, [], 0, encoding)).toThrow(
      expect.objectContaining({ code: 'VALUE_UNWRITABLE', path: '$.a[0].run' }),
    )
  })

  it('is read by a cache of another codec, and reads its frames: the frame says what it is', () => {
    const [json, small] = [new Encoding(), new Encoding({ compress: { threshold: 0 } })]
    for (const writer of [encoding, json, small])
      for (const reader of [encoding, json, small])
        expect(read(encodeFrame(samples['every type'], AT, TAGS, 0, writer), reader)).toStrictEqual(
          samples['every type'],
        )
  })
})

describe('compression', () => {
  it('leaves what is small or does not become smaller as plain JSON', () => {
    const encoding = new Encoding({ compress: true })
    const short = { text: 'x'.repeat(500) }
    const noise = [...Array(1_500)].map(() => Math.random())
    expect(encodeFrame(short, AT, [], 0, encoding)).toBe(encodeFrame(short, AT))
    expect(read(encodeFrame(noise, AT, [], 0, encoding), encoding)).toEqual(noise)
    expect(encodeFrame({ text: 'x'.repeat(2_000) }, AT, [], 0, encoding).length).toBeLessThan(150)
  })

  it('never makes more of a frame than may be: a bomb is a miss', () => {
    const encoding = new Encoding({ compress: { maxBytes: 100_000 } })
    const bomb = brotliCompressSync(Buffer.alloc(200 * 1024 * 1024, 32))
    expect(bomb.length).toBeLessThan(1_000)
    const descriptor = 'json;br;'
    const head = `hf1T${AT}0${descriptor.length}${descriptor}${bomb.length.toString(36).padStart(6, '0')}`
    const before = process.memoryUsage().arrayBuffers
    expect(read(Buffer.concat([Buffer.from(head), bomb]), encoding)).toBe('undecodable')
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(10 * 1024 * 1024)
    // And what could not be read again is not compressed in the first place.
    const text = 'x'.repeat(200_000)
    expect(read(encodeFrame(text, AT, [], 0, encoding), encoding)).toBe(text)
  })

  it('counts what a value weighs, not what is stored of it', () => {
    const encoding = new Encoding({ compress: true })
    const frame = bytesOf(encodeFrame('x'.repeat(100_000), AT, [], 0, encoding))
    expect(frame.length).toBeLessThan(200)
    expect(decodeFrame(frame, encoding)?.bytes).toBeGreaterThan(100_000)
  })
})

describe('a codec of the user', () => {
  const own = (name: string, decode: (bytes: Buffer) => unknown = (bytes) => bytes.toString()) =>
    new Encoding({ codec: { name, encode: (value) => `<${value}>`, decode } })

  it('gets the value and nothing else, and gives the value', () => {
    expect(String(encodeFrame('v', AT, TAGS, 0, own('x')))).toMatch(/<v>$/)
    expect(read(encodeFrame('v', AT, TAGS, 0, own('x')), own('x'))).toBe('<v>')
  })

  it('of another name is none of ours, and one that throws makes a miss', () => {
    const frame = encodeFrame('v', AT, [], 0, own('x'))
    expect(read(frame, own('y'))).toBe('undecodable')
    expect(read(frame, new Encoding())).toBe('undecodable')
    const fails = own('x', () => {
      throw new Error('no')
    })
    expect(read(frame, fails)).toBe('undecodable')
  })

  it('that cannot encode says so, with its error as the cause', () => {
    const cause = new Error('no')
    const encode = () => {
      throw cause
    }
    const encoding = new Encoding({ codec: { name: 'x', encode, decode: String } })
    expect(() => encodeFrame(1, AT, [], 0, encoding)).toThrow(
      expect.objectContaining({ code: 'VALUE_UNWRITABLE', cause }),
    )
  })
})

describe('the shape', () => {
  const shape = (schema: EncodingOptions['schema'], version?: string) =>
    new Encoding({ ...(schema && { schema }), ...(version !== undefined && { version }) }).shape

  it('is the JSON Schema of what a schema puts out, in whatever order it was written', () => {
    const user = z.object({ id: z.number(), name: z.string() })
    expect(shape(user)).toMatch(/^[\w-]{12}$/)
    expect(shape(z.object({ id: z.number(), name: z.string() }))).toBe(shape(user))
    const others = [
      z.object({ id: z.number() }),
      z.object({ id: z.string(), name: z.string() }),
      z.object({ id: z.number(), name: z.string().optional() }),
      z.object({ id: z.number(), name: z.string(), more: z.boolean() }),
    ]
    expect(new Set([user, ...others].map((schema) => shape(schema))).size).toBe(5)
  })

  it('must be given a version where the schema cannot tell it, and is that version where it is given', () => {
    const asks = expect.objectContaining({ code: 'CONFIG_INVALID', option: 'encoding.version' })
    expect(() => shape(v.object({ id: v.number() }))).toThrow(asks)
    expect(() => shape(z.object({ at: z.date() }))).toThrow(asks)
    expect(shape(v.object({ id: v.number() }), '1')).toBe(shape(z.object({ at: z.date() }), '1'))
    expect(shape(z.string(), '1')).not.toBe(shape(z.string(), '2'))
  })

  it('of another schema is a miss, both ways, also against a cache without one', () => {
    const shapes = [new Encoding(), new Encoding({ version: '1' }), new Encoding({ version: '2', codec: 'msgpack' })]
    for (const writer of shapes)
      for (const reader of shapes)
        expect(read(encodeFrame([1], AT, [], 0, writer), reader)).toEqual(reader === writer ? [1] : 'schema')
  })
})

describe('the options', () => {
  it.each([
    ['encoding.codec', { codec: 'xml' }],
    ['encoding.codec.name', { codec: { name: 'json', encode: String, decode: String } }],
    ['encoding.codec.name', { codec: { name: 'a;b', encode: String, decode: String } }],
    ['encoding.codec.encode', { codec: { name: 'x', decode: String } }],
    ['encoding.codec.decode', { codec: { name: 'x', encode: String } }],
    ['encoding.compress', { compress: 'zip' }],
    ['encoding.compress.treshold', { compress: { treshold: 1 } }],
    ['encoding.compress.quality', { compress: { quality: 12 } }],
    ['encoding.schema', { schema: { type: 'object' } }],
    ['encoding.version', { version: '' }],
    ['encoding.colour', { colour: 'red' }],
  ])('refuse %s', (option, options) => {
    expect(() => new Encoding(options as EncodingOptions)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', option }),
    )
  })

  it('that mean the same say the same', () => {
    const make = (options: EncodingOptions) => new Encoding(options).says
    const user = () => z.object({ id: z.number() })
    expect(make({ schema: user(), compress: true })).toBe(make({ schema: user(), compress: { threshold: 1_024 } }))
    expect(make({ schema: user() })).not.toBe(make({ schema: z.object({ id: z.string() }) }))
    expect(make({ codec: 'msgpack' })).not.toBe(make({}))
  })
})
