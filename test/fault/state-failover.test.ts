// Sessions, locks and figures while another server takes over: as planned, and when the primary dies with what its replica has not heard of.
import { connect } from 'holdfast'
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

it('locks that the replica had heard of are kept, all others are forgotten: their next holders have higher fences, the old ones hear', async () => {
  const { kept, forgotten, problems } = await failoverRound(group, testNamespace('lock'))
  expect(problems).toEqual([])
  expect({ kept, forgotten }).toEqual({ kept: EACH, forgotten: EACH })
})
