import { startServer } from 'holdfast/testing'
import { Redis } from 'ioredis'
import { describe, expect, it, vi } from 'vitest'
import { fileOf } from '../place.ts'
import { type OnceRun, runOnce } from './once.ts'
import { printSummary, type Summary } from './summary.ts'

// A database starts in seconds, on a busy machine in many.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const SALE: OnceRun = { buyers: 320, seats: 210, seed: 7, processes: 1, redis: undefined, onFault: () => {} }

function brokenIn(summary: Summary): string[] {
  return summary.invariants.flatMap(({ name, problems }) => problems.map((problem) => `${name}: ${problem}`))
}

it('sells a night to a crowd that contends, forgets, gives back and repeats: every invariant holds, and nothing is left', async () => {
  const server = await startServer()
  const redis = new Redis(server.url)
  const faults: unknown[] = []
  await redis.mset('somebody:else', 'is here', '{box-office-x:cache:event:1}', 'not this run')
  const summary = await runOnce({ ...SALE, redis: { url: server.url }, onFault: (error) => faults.push(error) })
  expect((await redis.keys('*')).sort()).toEqual(['somebody:else', '{box-office-x:cache:event:1}'])
  expect(await redis.config('GET', 'maxmemory')).toEqual(['maxmemory', '0'])
  redis.disconnect()
  await server.stop()
  expect(brokenIn(summary)).toEqual([])
  expect(faults).toEqual([])
  expect(summary.ok).toBe(true)
  expect(summary.seats.held).toBe(0)
  expect(summary.seats.sold).toBe(summary.seatsSold)
  expect(summary.seats.sold).toBeGreaterThan(summary.run.seats * 0.9)
  for (const kind of ['seat taken', 'over the limit', 'card declined', 'paid too late'])
    expect([kind, summary.refusals[kind]]).toEqual([kind, expect.any(Number)])
  expect(summary.refusals['seat taken']).toBeGreaterThan(0)
  expect(summary.receipts).toBe(summary.orders)
  expect(summary.expiredHolds).toBeGreaterThan(0)
  expect(summary.releasedHolds).toBeGreaterThan(0)
  expect(summary.repeatedRequests).toBeGreaterThan(0)
  expect(summary.cacheHitRatio).toBeGreaterThan(0.9)
  expect(summary.holdMs.count).toBeGreaterThan(summary.orders)
})

it('prints a tick for every invariant that holds, and names each that does not', () => {
  const said: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((line) => void said.push(String(line)))
  const invariants = [
    { name: 'map = counters', problems: [] },
    { name: 'map = SQL', problems: ['A-1-1 is sold in the map, not in SQL'] },
  ]
  const ms = { count: 1, p50: 1, p95: 1, p99: 1, max: 1 }
  printSummary({
    ...{ ok: false, run: { ...SALE, server: 'a server' }, seats: { free: 0, held: 0, sold: 300 } },
    ...{ holds: 9, orders: 8, receipts: 8, seatsSold: 300, refusals: { 'seat taken': 3, paused: 0 }, expiredHolds: 1 },
    ...{ releasedHolds: 1, repeatedRequests: 2, buyersByEnding: { bought: 8 }, cacheHitRatio: 0.5 },
    ...{ undurable: 0, longestWaitMs: 1, traffic: { repeats: 5, redirects: 4, failovers: 2 } },
    storm: [1, 2, 3].map((n) => ({ name: n < 3 ? 'primary killed' : 'replica stopped', ms: 2_000 })),
    ...{ holdMs: ms, confirmMs: ms, saleMs: 1_000, wholeMs: 2_000, invariants },
  })
  log.mockRestore()
  const text = said.join('\n')
  expect(text).toContain('✓ map = counters')
  expect(text).toContain('✗ map = SQL\n      A-1-1 is sold')
  expect(text).toContain('BROKEN: map = SQL')
  expect(text).not.toContain('paused')
  expect(text).toContain('3 faults: 2 primary killed, 1 replica stopped')
  expect(text).toContain('5 repeats, 4 redirects, 2 failovers')
})

it('ends in the middle when it is told to, and leaves nothing behind', async () => {
  const server = await startServer()
  const redis = new Redis(server.url)
  try {
    const stopping = new AbortController()
    const running = runOnce({
      ...SALE,
      buyers: 5_000,
      redis: { url: server.url },
      signal: stopping.signal,
      onProgress: (what) => what.includes('buyers') && setTimeout(() => stopping.abort(new Error('told to')), 200),
    })
    await expect(running).rejects.toThrow('told to')
    expect(await redis.keys('*')).toEqual([])
  } finally {
    redis.disconnect()
    await server.stop()
  }
})

it('says which invariant is broken', async () => {
  const summary = await runOnce({
    ...SALE,
    buyers: 40,
    beforeAudit: async (house, eventId) => {
      await house.db.query('delete from sales where event_id = $1 and seat_id = (select max(seat_id) from sales)', [
        eventId,
      ])
      await house.db.query('delete from receipts where order_number = (select min(order_number) from receipts)')
    },
  })
  expect(summary.ok).toBe(false)
  expect(summary.invariants.filter(({ problems }) => problems.length > 0).map(({ name }) => name)).toEqual(
    expect.arrayContaining([
      'map = SQL',
      'the map as pages read it = SQL',
      'each paid order has one receipt, and no other has any',
      'the report = SQL',
    ]),
  )
})

describe('1,200 buyers in four processes', () => {
  it('share 480 seats: map = counters = holds = log = SQL, and nothing is sold twice', {
    timeout: 180_000,
  }, async () => {
    const summary = await runOnce({
      ...SALE,
      buyers: 1_200,
      seats: 480,
      processes: 4,
      program: fileOf('main.ts'),
      execArgv: ['--import', new URL('../../../scripts/typescript.mjs', import.meta.url).href],
    })
    expect(brokenIn(summary)).toEqual([])
    expect(summary.seats.sold).toBeGreaterThan(summary.run.seats * 0.95)
    expect(summary.refusals['seat taken']).toBeGreaterThan(60)
    expect(summary.expiredHolds).toBeGreaterThan(8)
    expect(summary.repeatedRequests).toBeGreaterThan(80)
  })
})
