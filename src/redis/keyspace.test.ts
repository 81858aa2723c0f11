import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ConfigError } from '../base/errors.ts'
import { startServer, type TestServer } from '../testing/index.ts'
import { compileGlob, escapeLast, escapePart, Keyspace, unescapeName } from './keyspace.ts'

/** Any text at all, with what is special to Redis, to us and to Unicode made likely. */
const name = fc
  .array(
    fc.oneof(
      {
        weight: 3,
        arbitrary: fc.constantFrom('', ':', '{', '}', '*', '?', '[', ']', '\\', '%', '%3A', '%u', ' ', '\n', '\0'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          '\ud800',
          '\udfff',
          '\ufffd',
          '\uffff',
          'é',
          'e\u0301',
          '日本',
          '😀',
          '\u00a0',
          '\u0085',
        ),
      },
      { weight: 2, arbitrary: fc.string({ maxLength: 4 }) },
      { weight: 1, arbitrary: fc.string({ maxLength: 4, unit: 'binary' }) },
    ),
    { maxLength: 5 },
  )
  .map((parts) => parts.join(''))

let server: TestServer

beforeAll(async () => {
  server = await startServer()
})

afterAll(() => server.stop())

test('spells a key that a person can read', () => {
  expect(new Keyspace('shop').entity('cache', 'product', 'user:42')).toBe('{shop:cache:product:user:42}')
  expect(new Keyspace('shop').stem('cache', 'product')).toBe('shop:cache:product:')
  expect(new Keyspace('shop').channel('cache', 'product', 'filled')).toBe('shop:cache:product:filled')
  expect(new Keyspace('shop').entity('lock', 'Ünïcode/naïve@example.com#1')).toBe(
    '{shop:lock:Ünïcode/naïve@example.com#1}',
  )
})

test('never gives two names one key, whatever they hold', () => {
  const entity = fc.tuple(name, fc.tuple(name, name, name))
  fc.assert(
    fc.property(entity, entity, ([space, parts], [otherSpace, otherParts]) => {
      const key = new Keyspace(space).entity(...parts)
      const other = new Keyspace(otherSpace).entity(...otherParts)
      expect(key === other).toBe(space === otherSpace && parts.join('\u0001') === otherParts.join('\u0001'))
      expect(Buffer.from(key).equals(Buffer.from(other))).toBe(key === other)
    }),
    { numRuns: 3_000 },
  )
})

test('keeps names apart that differ by one special letter', () => {
  const twins = ['a', 'a:', ':a', 'a%3A', 'a%253A', 'a ', 'a\n', 'a{}', 'a}', 'A', 'a\ud800', 'a\ufffd', 'a\udfff', '']
  const keys = twins.flatMap((one) => twins.map((other) => new Keyspace('n').entity('room', one, other)))
  expect(new Set(keys.map((key) => Buffer.from(key).toString('hex'))).size).toBe(twins.length ** 2)
})

test('never gives two names one channel', () => {
  fc.assert(
    fc.property(
      fc.array(name, { minLength: 1, maxLength: 3 }),
      fc.array(name, { minLength: 1, maxLength: 3 }),
      (a, b) => {
        const space = new Keyspace('n')
        expect(space.channel(...a) === space.channel(...b)).toBe(
          a.length === b.length && a.every((part, i) => part === b[i]),
        )
      },
    ),
  )
})

test('puts a key into the slot of its braces, and of nothing that a name holds', async () => {
  await using clustered = await startServer({ config: { 'cluster-enabled': 'yes' } })
  const samples = fc.sample(fc.tuple(name, name, name), 300)
  for (const [space, room, id] of samples) {
    const key = new Keyspace(space).entity(room, id)
    expect(key.indexOf('{')).toBe(0)
    expect(key.indexOf('}')).toBe(key.length - 1)
    expect(key.lastIndexOf('{')).toBe(0)
    const [whole, inner] = await Promise.all([
      clustered.command<number>('CLUSTER', 'KEYSLOT', `lease:${key}:ready`),
      clustered.command<number>('CLUSTER', 'KEYSLOT', key.slice(1, -1)),
    ])
    expect(whole).toBe(inner)
  }
})

test('escapes so that no glob, blank or control character is left, and every name reads back', () => {
  fc.assert(
    fc.property(name, (text) => {
      for (const escaped of [escapePart(text), escapeLast(text)]) {
        expect([...escaped].filter((char) => char <= ' ' || '*?[]\\{}"\x7f'.includes(char))).toEqual([])
        expect(escaped).not.toMatch(/\p{Surrogate}/u)
        expect(unescapeName(escaped)).toBe(text)
      }
      expect(escapePart(text)).not.toContain(':')
    }),
    { numRuns: 2_000 },
  )
})

test('takes the empty namespace and the empty name', async () => {
  const key = new Keyspace('').entity('', '')
  expect(key).toBe('{::}')
  expect(key).not.toBe(new Keyspace('').entity('', ':'))
})

test('refuses a namespace that is no text or too long', () => {
  for (const namespace of [5, null, 'x'.repeat(201), 'é'.repeat(101)])
    expect(() => new Keyspace(namespace as string)).toThrow(ConfigError)
})

/** A glob's meaning in the simplest words there are: letter by letter, trying every length for a star. */
function means(pattern: readonly string[], text: readonly string[]): boolean {
  const [head, ...rest] = pattern
  if (head === undefined) return text.length === 0
  if (head === '*') return text.length === 0 ? means(rest, text) : means(rest, text) || means(pattern, text.slice(1))
  if (text.length === 0) return false
  const [letter, ...later] = text
  if (head === '?') return means(rest, later)
  const set = /^\[(\^?)(.*)\]$/su.exec(head)
  if (set === null) return head.replace(/^\\(?=.)/su, '') === letter && means(rest, later)
  return [...(set[2] as string)].includes(letter as string) !== (set[1] === '^') && means(rest, later)
}

const letter = fc.constantFrom(
  'a',
  'b',
  ':',
  '{',
  '}',
  '.',
  '+',
  '^',
  '$',
  '(',
  '|',
  '/',
  '%',
  ' ',
  '\n',
  'é',
  '😀',
  '\ud800',
  '-',
)
const piece = fc.oneof(
  { weight: 4, arbitrary: letter },
  { weight: 3, arbitrary: fc.constant('*') },
  { weight: 1, arbitrary: fc.constant('?') },
  { weight: 1, arbitrary: fc.constantFrom('\\*', '\\?', '\\[', '\\]', '\\\\') },
  { weight: 1, arbitrary: fc.constantFrom('[ab]', '[^ab]', '[:]', '[😀é]', '[^{]', '[.+]') },
)

test('matches a glob as its letters say', () => {
  fc.assert(
    fc.property(
      fc.array(piece, { maxLength: 8 }),
      fc.array(fc.oneof(letter, fc.constantFrom('*', '?', '[', ']', '\\')), { maxLength: 8 }),
      (pattern, text) => {
        expect(compileGlob(pattern.join('')).matches(text.join(''))).toBe(means(pattern, text))
      },
    ),
    { numRuns: 5_000 },
  )
})

test('asks the server for no less than what the glob means', async () => {
  const space = new Keyspace('glob')
  const stem = `{${space.stem('cache', 'p')}`
  const ids = [
    ...new Set(
      fc.sample(
        fc.array(letter, { maxLength: 5 }).map((letters) => letters.join('')),
        200,
      ),
    ),
  ]
  await server.command('MSET', ...ids.flatMap((id) => [space.entity('cache', 'p', id), '1']))
  for (const pattern of fc.sample(fc.array(piece, { maxLength: 6 }), 60).map((pieces) => pieces.join(''))) {
    const glob = compileGlob(pattern)
    const found = await server.command<string[]>('KEYS', `${stem}${glob.superset}}`)
    const names = found.map((key) => unescapeName(key.slice(stem.length, -1)))
    expect(new Set(names.filter(glob.matches))).toEqual(new Set(ids.filter(glob.matches)))
  }
})

test('reads classes, ranges and negation as people write them', () => {
  const matching = (pattern: string) =>
    ['a', 'b', 'c', '-', '^', '!', ']', '['].filter(compileGlob(pattern).matches).join('')
  expect(matching('[a-b]')).toBe('ab')
  expect(matching('[^a-b]')).toBe('c-^!][')
  expect(matching('[!a-b]')).toBe('c-^!][')
  expect(matching('[a-]')).toBe('a-')
  expect(matching('[b^]')).toBe('b^')
  expect(matching('[]')).toBe('')
  expect(matching('\\[')).toBe('[')
  expect(matching('[')).toBe('[')
  expect(matching('?')).toBe('abc-^!][')
})

test('refuses a range that runs backwards, by name', () => {
  expect(() => compileGlob('[z-a]')).toThrow(ConfigError)
  expect(() => compileGlob('x*[z-a]*')).toThrow(/^pattern: expected a glob/)
})

test('decides a glob of many stars in no time', () => {
  const glob = compileGlob(`${'*a'.repeat(40)}*b`)
  const startMs = performance.now()
  expect(glob.matches('a'.repeat(512))).toBe(false)
  expect(glob.matches(`${'a'.repeat(511)}b`)).toBe(true)
  expect(performance.now() - startMs).toBeLessThan(100)
})
