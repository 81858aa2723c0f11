import { expect, test } from 'vitest'
import { Keyspace } from '../keyspace.ts'
import {
  areRelated,
  decodeLayout,
  encodeLayout,
  firstLayout,
  isNewer,
  type Layout,
  LayoutKeys,
  Placement,
  shardsOf,
} from './layout.ts'

const named = (names: string) => [...names].map((name) => ({ name, address: `${name}.example:6379` }))
const STABLE = firstLayout(named('ba'), 1)
const pulling = (to: string, more: Partial<Layout> = {}): Layout => ({
  ...STABLE,
  version: 4,
  phase: 'pulling',
  next: named(to),
  ...more,
})
const KEYS = Array.from({ length: 2_000 }, (_, i) => `{shop:cache:product:${i}}`)

test('is read back as it was written', () => {
  for (const layout of [STABLE, pulling('abc'), pulling('b', { lost: ['a'] })])
    expect(decodeLayout(encodeLayout(layout))).toEqual(layout)
})

test('is not read when it is of another form', () => {
  const broken = [
    'x',
    'null',
    '{}',
    encodeLayout({ ...STABLE, phase: 'resting' as never }),
    encodeLayout({ ...STABLE, shards: [] }),
    encodeLayout({ ...STABLE, next: named('c') }),
    encodeLayout({ ...pulling('c'), next: [] }),
    encodeLayout({ ...STABLE, version: 1.5 }),
    encodeLayout({ ...STABLE, shards: [{ name: 'a', address: 'no port' }] }),
    encodeLayout({ ...STABLE, shards: [{ name: '', address: 'a:1' }] }),
  ]
  for (const text of broken) expect(decodeLayout(text), text).toBeUndefined()
})

test('is the newer by its version, then by its addresses; and related by where it began', () => {
  expect(isNewer(STABLE, undefined)).toBe(true)
  expect(isNewer(STABLE, STABLE)).toBe(false)
  expect(isNewer({ ...STABLE, revision: 1 }, STABLE)).toBe(true)
  expect(isNewer({ ...STABLE, revision: 9 }, { ...STABLE, version: 2 })).toBe(false)
  expect(areRelated(STABLE, pulling('c'))).toBe(true)
  expect(areRelated(STABLE, firstLayout(named('abc'), 1))).toBe(false)
  expect(areRelated(STABLE, { ...STABLE, origin: 'a,b,c|a,b' })).toBe(true)
})

test('names every shard of a move once, but for those given up', () => {
  const names = (layout: Layout) => shardsOf(layout).map(({ name }) => name)
  expect(names(pulling('bc'))).toEqual(['a', 'b', 'c'])
  expect(names(pulling('bc', { lost: ['a'] }))).toEqual(['b', 'c'])
})

test('places keys by both lists, and groups those that share both places', () => {
  const placement = new Placement(pulling('abc'))
  const pairs = new Map<number, Set<string>>()
  for (const key of KEYS) {
    const pair = `${placement.now(key)}${placement.next(key)}`
    expect(['aa', 'bb', 'ac', 'bc']).toContain(pair)
    expect(placement.isAffected(key)).toBe(pair.endsWith('c'))
    expect(placement.user(key)).toBe(placement.next(key))
    pairs.set(placement.group(key), (pairs.get(placement.group(key)) ?? new Set()).add(pair))
  }
  expect([...pairs.values()].map((all) => all.size)).toEqual([1, 1, 1, 1])
  const before = new Placement(pulling('abc', { phase: 'stopped' }))
  for (const key of KEYS.slice(0, 100)) expect(before.user(key)).toBe(before.now(key))
})

test('keeps what belongs to the list and to a move apart from the keys of the namespace', () => {
  const keys = new LayoutKeys(new Keyspace('sh{op'))
  const key = '{sh%7Bop:seats:x}:log'
  expect(keys.record).toBe('{sh%7Bop:shards}')
  expect(keys.parked(key, 7)).toBe(`moving:7:${key}`)
  expect(keys.keyOf(keys.parked(key, 7), 7)).toBe(key)
  expect([key, `lease:${key}`].every((own) => keys.isOwn(own))).toBe(true)
  for (const other of [keys.record, keys.mover, keys.parked(key, 7), keys.arrived(key, 7), '{shop:seats:x}', 'plain'])
    expect(keys.isOwn(other), other).toBe(false)
})
