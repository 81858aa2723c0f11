import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { Keyspace } from '../redis/keyspace.ts'
import type { Listeners } from '../redis/listeners.ts'
import { Encoding } from './encoding.ts'
import { decodeFrame, encodeFrame } from './frame.ts'
import { CacheKeys } from './keys.ts'
import { MemoryTier } from './memory.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const keys = new CacheKeys(new Keyspace('n'), 'it')
const encoding = new Encoding()
const stream = { trusted: () => true }
const listeners = { streamOf: () => stream, watch: () => () => {} } as unknown as Listeners

const used = (): number => {
  // Buffers are let go of by the turn after.
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

const item = (i: number) => ({ id: i, name: `item number ${i}`, price: i + 0.5, inStock: i % 2 === 0 })
const values: [string, number, (i: number) => unknown][] = [
  ['texts', 5_000, (i) => `${i} `.padEnd(2_000, 'x')],
  ['texts beyond ASCII', 3_000, (i) => `${i} `.padEnd(2_000, 'ж')],
  ['small rows', 20_000, item],
  ['lists of rows', 500, (i) => Array.from({ length: 50 }, (_, j) => item(i * 50 + j))],
  ['lists of numbers', 1_000, (i) => Array.from({ length: 500 }, (_, j) => i + j)],
  ['lists of fractions', 1_000, (i) => Array.from({ length: 500 }, (_, j) => i + j / 3)],
  [
    'maps, sets and dates',
    1_000,
    (i) => ({ m: new Map(Array.from({ length: 30 }, (_, j) => [j, `${i}`])), at: new Date(i) }),
  ],
  ['bytes', 2_000, (i) => Buffer.alloc(1_000, i)],
  ['numbers', 20_000, (i) => i],
]

describe('the memory tier', () => {
  it.each(values)('counts what its values take of the process, within a half: %s', (_, count, make) => {
    const memory = new MemoryTier({ maxEntries: 1e6, maxBytes: 1e9, ttlMs: 60_000 }, listeners, keys)
    const frames = Array.from({ length: count }, (_, i) =>
      Buffer.from(encodeFrame(make(i), Date.now() + 60_000, [], 0, encoding) as string),
    )
    const before = used()
    frames.forEach((frame, i) => {
      const entry = decodeFrame(frame, encoding)
      memory.beginRead(`id:${i}`)({ value: entry?.value, bytes: frame.length, freshMs: 60_000, tags: [] })
    })
    const taken = used() - before
    expect(memory.size).toBe(frames.length)
    const share = taken / memory.bytes
    expect(share).toBeGreaterThan(0.5)
    expect(share).toBeLessThan(1.5)
    memory.close()
  })
})
