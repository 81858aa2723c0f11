// Sessions, figures, write-behind and locks while another server takes over: as planned, and when the primary dies with what its replica
// has not heard of.
import { connect, type WrittenEntry } from 'holdfast'
import { startSentinel, type TestSentinel, testNamespace } from 'holdfast/testing'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { EACH, failoverRound } from '../chaos/lock-moves.ts'
import { Counting } from './figures.ts'

let group: TestSentinel

beforeAll(async () => {
  group = await startSentinel({ replicas: 1, sentinels: 1, appendOnly: false })
})
afterAll(() => group.stop())

it('sessions go on through a planned failover without an error, loses no field, and ends for good what was ended', async () => {
  await using hf = await connect(group.url, { namespace: testNamespace('session'), timeout: '10s' })
  const sessions = hf.sessions<Record<string, number>>()
  const users = Array.from({ length: 8 }, (_, i) => `user ${i}`)
  const made = await Promise.all(users.map((userId) => sessions.create({}, { userId })))
  let over = false
  let changes = 0
  const work = made.slice(4).map(async ({ id }) => {
    let n = 0
    for (; !over; n++) {
      await sessions.update(id, { [`f${n % 50}`]: n, last: n })
      changes++
    }
    return n - 1
  })
  const ended = made.slice(0, 4)
  for (const { id } of ended) await sessions.destroy(id)
  await vi.waitFor(() => expect(changes).toBeGreaterThan(200))
  await group.failover()
  await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), 10_000)
  const before = changes
  await vi.waitFor(() => expect(changes).toBeGreaterThan(before + 200), 10_000)
  over = true
  const lasts = await Promise.all(work)
  for (const { id } of ended) expect(await sessions.load(id)).toBeUndefined()
  const loaded = await Promise.all(made.slice(4).map(({ id }) => sessions.load(id)))
  expect(loaded.map((session) => session?.data.last)).toEqual(lasts)
  for (const session of loaded) expect(Object.keys(session?.data ?? {})).toHaveLength(51)
  const lists = await Promise.all(users.map((user) => sessions.listFor(user)))
  expect(lists.map((list) => list.length)).toEqual([0, 0, 0, 0, 1, 1, 1, 1])
})

it('what is counted, measured and moved goes on through a planned failover: nothing is lost, and nothing counted twice', async () => {
  await using hf = await connect(group.url, { namespace: testNamespace('figures'), timeout: '10s' })
  const counting = new Counting(hf, 'site')
  await vi.waitFor(() => expect(counting.rounds).toBeGreaterThan(50), 10_000)
  await group.failover()
  await vi.waitFor(() => expect(hf.stats.failovers).toBe(1), 10_000)
  const before = counting.rounds
  await vi.waitFor(() => expect(counting.rounds).toBeGreaterThan(before + 50), 10_000)
  const { found, expected } = await counting.stop()
  expect(counting.problems).toEqual([])
  expect(found).toEqual(expected)
})

it('write-behind goes on through a planned failover: the last of each id is persisted, and none before it after it', async () => {
  const store = new Map<string, { readonly value: number | undefined; readonly version: bigint }>()
  const older: string[] = []
  const persist = (entries: readonly WrittenEntry<number>[]) => {
    for (const { id, value, version } of entries) {
      if ((store.get(id)?.version ?? 0n) > version) older.push(id)
      store.set(id, { value, version })
    }
  }
  await using hf = await connect(group.url, { namespace: testNamespace('behind'), timeout: '10s' })
  const cache = hf.cache<number>('it', { ttl: '1m', write: { mode: 'behind', persist, batch: { delay: '20ms' } } })
  const before = hf.stats.failovers
  let over = false
  let writes = 0
  const work = ['a', 'b', 'c', 'd'].map(async (id) => {
    let n = 0
    for (; !over; n++) {
      await cache.set(id, n)
      writes++
    }
    return [id, n - 1] as const
  })
  await vi.waitFor(() => expect(writes).toBeGreaterThan(100), 10_000)
  await group.failover()
  await vi.waitFor(() => expect(hf.stats.failovers).toBe(before + 1), 10_000)
  const then = writes
  await vi.waitFor(() => expect(writes).toBeGreaterThan(then + 100), 10_000)
  over = true
  const lasts = await Promise.all(work)
  await cache.flush()
  for (const [id, last] of lasts) expect(store.get(id)?.value).toBe(last)
  expect(older).toEqual([])
  expect(await cache.writeLag()).toEqual({ dirty: 0, oldestMs: 0, dead: 0 })
})

it('locks that the replica had heard of are kept, all others are forgotten: their next holders have higher fences, the old ones hear', async () => {
  const { kept, forgotten, problems } = await failoverRound(group, testNamespace('lock'))
  expect(problems).toEqual([])
  expect({ kept, forgotten }).toEqual({ kept: EACH, forgotten: EACH })
})
