import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type TestServer } from '../testing/index.ts'
import { Keyspace } from './keyspace.ts'
import { hashTag, slotOf } from './slots.ts'

let server: TestServer

beforeAll(async () => {
  server = await startServer({ config: { 'cluster-enabled': 'yes' } })
})
afterAll(() => server.stop())

test('puts every key into the slot that the server puts it into', async () => {
  const keys = [
    '',
    '123456789',
    '{a}b',
    'a{b}c',
    '{}a',
    '{{a}}b',
    '}{',
    '{a',
    'a}{b',
    'größe',
    '{ключ}',
    '🎫',
    '{a}{b}',
  ]
  keys.push(
    ...fc.sample(fc.string({ unit: fc.constantFrom('{', '}', 'a', 'é', '€', '🎫', ' ', '\n'), maxLength: 8 }), 300),
  )
  const theirs = await Promise.all(keys.map((key) => server.command('CLUSTER', 'KEYSLOT', key)))
  expect(keys.map(slotOf)).toEqual(theirs)
})

test('keeps all keys of an entity in one slot, whatever its name holds', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (name) => {
      const entity = new Keyspace('shop').entity('seats', name)
      expect(hashTag(entity)).toBe(entity.slice(1, -1))
      expect(new Set([entity, `${entity}:map`, `lease:${entity}`].map(slotOf)).size).toBe(1)
    }),
  )
})
