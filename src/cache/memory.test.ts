import { beforeEach, describe, expect, it } from 'vitest'
import { Keyspace } from '../redis/keyspace.ts'
import type { Listeners, Watcher } from '../redis/listeners.ts'
import { CacheKeys } from './keys.ts'
import { type MemoryLimits, MemoryTier } from './memory.ts'

const keys = new CacheKeys(new Keyspace('n'), 'it')
let watcher: Watcher
let trusted: boolean

const tier = (limits: Partial<MemoryLimits> = {}) =>
  new MemoryTier(
    { maxEntries: 3, maxBytes: 1e9, ttlMs: 60_000, ...limits },
    {
      streamOf: () => ({ trusted: () => trusted }),
      watch(wanted: Watcher) {
        watcher = wanted
        return () => {}
      },
    } as unknown as Listeners,
    keys,
  )

const keep = (memory: MemoryTier, id: string, value: unknown = id, bytes = 10, tags: readonly string[] = []) =>
  memory.beginRead(id)({ value, bytes, freshMs: 60_000, tags })
const has = (memory: MemoryTier, ids: string) => [...ids].filter((id) => memory.get(id) !== undefined).join('')

beforeEach(() => {
  trusted = true
})

describe('the memory tier', () => {
  it('drops what was not hit since the hand came by, old before new', () => {
    const memory = tier({ maxEntries: 3 })
    for (const id of 'abc') keep(memory, id)
    memory.get('a')
    keep(memory, 'd')
    // 'a' was hit and is spared, 'b' was not.
    expect(memory.size).toBe(3)
    expect(has(memory, 'b')).toBe('')
    expect(has(memory, 'acd')).toBe('acd')
  })

  it('never evicts for ever, though all were hit', () => {
    const memory = tier({ maxEntries: 3 })
    for (let i = 0; i < 100; i++) {
      keep(memory, `k${i}`)
      for (let j = 0; j <= i; j++) memory.get(`k${j}`)
    }
    expect(memory.size).toBe(3)
  })

  it('keeps within its bytes, and nothing that is larger than all of it', () => {
    const memory = tier({ maxEntries: 100, maxBytes: 1_000 })
    for (const id of 'abcdef') keep(memory, id, id, 200)
    expect(memory.bytes).toBeLessThanOrEqual(1_000)
    expect(memory.size).toBe(2)
    keep(memory, 'x', 'x', 5_000)
    expect(has(memory, 'x')).toBe('')
    expect(memory.size).toBe(2)
  })

  it('14: leaves nothing behind of a hundred thousand keys', () => {
    const memory = tier({ maxEntries: 10 })
    const heap = () => {
      globalThis.gc?.()
      return process.memoryUsage().heapUsed
    }
    const before = heap()
    for (let i = 0; i < 100_000; i++) {
      keep(memory, `key:${i}`, { i }, 10, [`tag:${i % 100}`])
      watcher.onKey(keys.entry(`key:${i - 5}`))
      watcher.onKey(keys.tag(`tag:${i}`))
    }
    expect(memory.size).toBeLessThanOrEqual(10)
    memory.clear()
    expect(memory.bytes).toBe(0)
    if (globalThis.gc) expect(heap() - before).toBeLessThan(5e6)
  })

  it('3: keeps no value of which the stream told while it was being read', () => {
    const memory = tier()
    const tell: (() => void)[] = [
      () => watcher.onKey(keys.entry('a')),
      () => watcher.onKey(keys.tag('t')),
      () => watcher.onGap(undefined),
      () => memory.forget('a'),
      () => memory.forgetTags(['t']),
      () => memory.forgetWhere((id) => id === 'a'),
      () => {
        trusted = false
      },
    ]
    for (const one of tell) {
      const done = memory.beginRead('a')
      one()
      done({ value: 'old', bytes: 1, freshMs: 1_000, tags: ['t'] })
      expect(memory.get('a')).toBeUndefined()
      trusted = true
    }
  })

  it('keeps a busy key again, though some read of it is always under way', () => {
    const memory = tier()
    const first = memory.beginRead('a')
    watcher.onKey(keys.entry('a'))
    const second = memory.beginRead('a')
    first({ value: 'old', bytes: 1, freshMs: 1_000, tags: [] })
    expect(memory.get('a')).toBeUndefined()
    second({ value: 'new', bytes: 1, freshMs: 1_000, tags: [] })
    expect(memory.get('a')?.value).toBe('new')
  })

  it('forgets by key, by tag, and all at a gap or in doubt', () => {
    const memory = tier({ maxEntries: 10 })
    const fill = () => {
      keep(memory, 'a', 'a', 1, ['t'])
      keep(memory, 'b')
    }
    fill()
    watcher.onKey(keys.entry('b'))
    watcher.onKey(keys.entry('{strange}'))
    watcher.onKey('no key of ours')
    expect(has(memory, 'ab')).toBe('a')
    watcher.onKey(keys.tag('t'))
    expect(has(memory, 'ab')).toBe('')
    fill()
    expect(has(memory, 'ab')).toBe('ab')
    watcher.onGap(undefined)
    expect(memory.size).toBe(0)
    fill()
    trusted = false
    expect(has(memory, 'ab')).toBe('')
    expect(memory.size).toBe(0)
  })

  it('20: freezes what it gives to all, Maps, Sets and Dates too', () => {
    const memory = tier()
    keep(memory, 'a', { list: [{ x: 1 }], map: new Map([['m', { y: 1 }]]), set: new Set([1]), at: new Date(1) })
    const value = memory.get('a')?.value as {
      list: { x: number }[]
      map: Map<string, { y: number }>
      set: Set<number>
      at: Date
    }
    const changes: (() => unknown)[] = [
      () => value.list.push({ x: 2 }),
      () => Object.assign(value.list[0] as object, { x: 2 }),
      () => value.map.set('m', { y: 2 }),
      () => value.map.clear(),
      () => Object.assign(value.map.get('m') as object, { y: 2 }),
      () => value.set.add(2),
      () => value.set.delete(1),
      () => value.at.setTime(0),
      () => value.at.setFullYear(0),
    ]
    for (const change of changes) expect(change).toThrow(TypeError)
    expect(value).toEqual({ list: [{ x: 1 }], map: new Map([['m', { y: 1 }]]), set: new Set([1]), at: new Date(1) })
    expect(structuredClone(value.map)).toEqual(new Map([['m', { y: 1 }]]))
  })
})
