// The short form of `npm run chaos -- --queue`: every fault of a single server once, and proofs that what is broken would be seen.
import { describe, expect, it } from 'vitest'
import type { ChaosJob, Kind } from './jobs.ts'
import { judge, type Remains } from './judge.ts'
import { Ledger } from './ledger.ts'
import { queueStory } from './story.ts'

it('runs every job to its end, whoever dies, stands still, is full or starts again', async () => {
  const seed = Math.ceil(Math.random() * 1e9)
  const options = {
    topology: 'standalone',
    jobs: 1_500,
    workers: 3,
    seed,
    goesOn: false,
    leaseMs: 800,
    rate: 1_000,
  } as const
  const story = await queueStory({ ...options, without: ['two workers killed at once'] }, () => {})
  expect(story.problems, `seed ${seed}`).toEqual([])
  expect(Object.keys(story.faults)).toHaveLength(6)
  expect(story.acknowledged).toBeGreaterThan(1_000)
  expect(story.full).toBeGreaterThan(0)
}, 60_000)

describe('the judge', () => {
  const NOTHING: Remains = { stuck: [], tallies: {}, dead: new Map() }
  const LEASE_MS = 1_000
  const jobOf = (key: string, kind: Kind = 'plain'): ChaosJob => ({ key, kind, takesMs: 1 })
  /** Acknowledged at 1 ms. */
  const told = (...lines: string[]) => {
    const ledger = new Ledger()
    ledger.add(jobOf('0.1')).ackedUs = 1_000
    for (const line of lines) ledger.hear(line.slice(0, 1), line.slice(2))
    return ledger
  }
  const RUN = ['A began 0.1 5 2000 1', 'A ended 0.1 5 3000']

  it('finds nothing where each job has run once', () => {
    expect(judge(told(...RUN), NOTHING, LEASE_MS)).toMatchObject({ acknowledged: 1, ran: 1, twice: {}, problems: [] })
  })

  it('misses a job that never ran, or never to its end, unless the server may have forgotten it', () => {
    for (const ledger of [told(), told('A began 0.1 5 2000 1', 'A failed 0.1 5 3000'), told('A began 0.1 5 2000 1')])
      expect(judge(ledger, NOTHING, LEASE_MS).problems).toEqual([expect.stringMatching(/^lost: 0\.1 \(plain\)/)])
    const forgetful = told()
    forgetful.losses.push({ cause: 'failover', fromUs: 500, toUs: 1_500 })
    expect(judge(forgetful, NOTHING, LEASE_MS)).toMatchObject({ forgotten: { failover: 1 }, problems: [] })
    // On every replica: then no failover may have forgotten it.
    for (const added of forgetful.added.values()) added.isFirm = true
    expect(judge(forgetful, NOTHING, LEASE_MS).problems).toEqual([expect.stringMatching(/^lost: .*on every replica/)])
    const late = told()
    late.losses.push({ cause: 'failover', fromUs: 1_001, toUs: 1_500 })
    expect(judge(late, NOTHING, LEASE_MS).problems).toHaveLength(1)
  })

  it('asks why a job ran twice', () => {
    const again = [...RUN, 'B began 0.1 6 9000 2', 'B ended 0.1 6 9500']
    expect(judge(told(...again), NOTHING, LEASE_MS).problems).toEqual([expect.stringMatching(/^twice, and nothing/)])
    expect(judge(told(...again, 'A stats 1 - 3500'), NOTHING, LEASE_MS)).toMatchObject({
      ...{ twice: { 'lease lost': 1 }, refused: 1, problems: [] },
    })
    // Refused before that end: it was another's.
    expect(judge(told(...again, 'A stats 1 - 2500'), NOTHING, LEASE_MS).problems).toHaveLength(1)
    const killed = told(...again)
    killed.worker('A').killedUs = 3_100
    expect(judge(killed, NOTHING, LEASE_MS)).toMatchObject({ twice: { killed: 1 }, problems: [] })
    const stopped = told(...again)
    stopped.worker('A').stops.push([2_500, 8_000])
    expect(judge(stopped, NOTHING, LEASE_MS)).toMatchObject({ twice: { 'stood still': 1 }, problems: [] })
  })

  it('sees an end that was accepted from one who had lost the job', () => {
    const stale = told(
      ...['A began 0.1 5 2000 1', 'B began 0.1 6 4000 2', 'A ended 0.1 5 5000', 'A asked 0.1 5 5001'],
      ...['A accepted 0.1 5 5100', 'B ended 0.1 6 6000', 'A lost 0.1 5 5200'],
    )
    expect(judge(stale, NOTHING, LEASE_MS).problems).toEqual([
      expect.stringMatching(/^stale: the end of A's delivery 5/),
    ])
    const twice = told(...RUN, 'A asked 0.1 5 3001', 'A accepted 0.1 5 3100', 'A lost 0.1 5 3000')
    for (const line of ['began 0.1 6 4000 2', 'ended 0.1 6 5000', 'asked 0.1 6 5001', 'accepted 0.1 6 5100'])
      twice.hear('B', line)
    expect(judge(twice, NOTHING, LEASE_MS).problems).toEqual([expect.stringMatching(/^ended twice/)])
  })

  it('sees half an effect, a group out of order, jobs from nowhere, and what is stuck', () => {
    const ledger = new Ledger()
    ledger.add(jobOf('0.1', 'effect')).ackedUs = 1_000
    for (const line of ['began 0.1 5 2000 1', 'ended 0.1 5 3000']) ledger.hear('A', line)
    const counted = { ...NOTHING, tallies: { '0.1>5': 1 } }
    expect(judge(ledger, counted, LEASE_MS).problems).toEqual([expect.stringMatching(/never ran$/)])
    for (const line of ['began 0.1>5 7 4000 1', 'ended 0.1>5 7 4100']) ledger.hear('A', line)
    expect(judge(ledger, counted, LEASE_MS).problems).toEqual([])
    expect(judge(ledger, NOTHING, LEASE_MS).problems).toEqual([expect.stringMatching(/never counted$/)])

    const group = new Ledger()
    for (const key of ['0.5', '0.10']) group.add(jobOf(key, 'grouped')).ackedUs = 1_000
    for (const line of ['began 0.5 5 2000 1', 'began 0.10 6 2500 1', 'ended 0.5 5 3000', 'ended 0.10 6 3500'])
      group.hear('A', line)
    const remains = { ...NOTHING, stuck: ['1 waiting'] }
    group.hear('A', 'began 7.7 8 2000 1')
    expect(judge(group, remains, LEASE_MS).problems).toEqual([
      ...['stuck: 1 waiting', 'never added: 7.7', 'order: 0.10 began 500 µs before the end of 0.5'],
    ])
  })
})
