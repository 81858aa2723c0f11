import type { Holdfast, Queue } from 'holdfast'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { Place } from './place.ts'

const place = new Place({ queues: ['jobs', 'wide'] })
let hf: Holdfast
let queue: Queue<string>

beforeEach(async () => {
  hf = await place.connect()
  queue = hf.queue<string>('jobs')
})

const HOUR = 3_600_000
const soon = { timeout: 10_000, interval: 5 }
const keyOf = async (part: string) => (await place.keys(`*${place.namespace}*:${part}`))[0] as string
/** As if nobody had been there since then: the slot that is waited for is this one. */
const waitFor = async (id: string, slotMs: number) => place.command('ZADD', await keyOf('slots'), slotMs, id)
const scheduleOf = async (id: string) => (await queue.schedules()).find((one) => one.id === id)
/** All jobs that wait. */
async function idsOf(one: Queue<string> = queue): Promise<string[]> {
  const ids: string[] = []
  for (let job = await one.take(); job !== undefined; job = await one.take()) {
    ids.push(job.id)
    await job.complete()
  }
  return ids
}

describe('a schedule', () => {
  it('has one job a slot in any number of processes, on the beat of the slots', async () => {
    const others = await Promise.all([place.connect(), place.connect()])
    const ran: string[] = []
    for (const one of [hf, ...others]) one.queue<string>('jobs').process((job) => void ran.push(job.id))
    const { nextAtMs, changed } = await queue.repeat('tick', { every: 100 }, 'now')
    expect(changed).toBe(true)
    await vi.waitFor(() => expect(ran.length).toBeGreaterThanOrEqual(4), soon)
    await queue.unrepeat('tick')
    expect(new Set(ran).size).toBe(ran.length)
    const slots = ran.map((id) => Number(id.replace('tick@', '')))
    expect(slots.filter((slot) => slot % 100 !== 0)).toEqual([])
    expect(Math.min(...slots)).toBeGreaterThanOrEqual(nextAtMs as number)
    expect(await queue.schedules()).toEqual([])
  })

  it('goes on whatever becomes of its jobs: they run, fail, wait behind a pause or are gone', async () => {
    const failing = hf.queue<string>('wide', { attempts: 1, shards: 3 })
    await failing.pause()
    failing.process(() => Promise.reject(new Error('no')), { onError: () => {} })
    await failing.repeat('tick', { every: 100 }, 'x', { missed: { all: 5 } })
    await vi.waitFor(async () => expect((await failing.counts()).waiting).toBeGreaterThanOrEqual(2), soon)
    await failing.resume()
    await vi.waitFor(async () => expect((await failing.counts()).dead).toBeGreaterThanOrEqual(2), soon)
    const purged = await failing.purge()
    await vi.waitFor(async () => expect((await failing.counts()).dead).toBeGreaterThanOrEqual(1), soon)
    expect(purged).toBeGreaterThanOrEqual(2)
  })

  it('stands as it was after a restart that asks for the same again', async () => {
    const first = await queue.repeat('nightly', { cron: '0 3 * * *', tz: 'Europe/Paris' }, 'report')
    const again = (await place.connect()).queue<string>('jobs')
    expect(await again.repeat('nightly', { cron: '0 3 * * *', tz: 'Europe/Paris' }, 'report')).toEqual({
      ...first,
      changed: false,
    })
    expect(await queue.schedules()).toEqual([
      {
        id: 'nightly',
        schedule: { cron: '0 3 * * *', tz: 'Europe/Paris' },
        missed: 'one',
        nextAtMs: first.nextAtMs,
        lastAtMs: undefined,
      },
    ])
    // Another payload is no other schedule.
    expect(await again.repeat('nightly', { cron: '0 3 * * *', tz: 'Europe/Paris' }, 'report 2')).toEqual({
      ...first,
      changed: true,
    })
  })

  it('that a deploy changes loses no slot that has come, and doubles none', async () => {
    const { nextAtMs } = await queue.repeat('report', { every: '1h' }, 'old')
    const cameAtMs = (nextAtMs as number) - HOUR
    await waitFor('report', cameAtMs)
    await Promise.all([
      queue.repeat('report', { every: '2h' }, 'new'),
      (await place.connect()).queue<string>('jobs').repeat('report', { every: '2h' }, 'new'),
    ])
    const job = await queue.take()
    expect(job).toMatchObject({ id: `report@${cameAtMs}`, data: 'old' })
    await job?.complete()
    expect(await queue.take()).toBeUndefined()
    const now = await scheduleOf('report')
    expect(now).toMatchObject({ schedule: { every: 2 * HOUR, anchor: 0 }, lastAtMs: cameAtMs })
    expect((now?.nextAtMs ?? 0) % (2 * HOUR)).toBe(0)
    expect(now?.nextAtMs).toBeGreaterThan(cameAtMs)
  })

  it('goes by the clock of the server, however wrong that of the process is', async () => {
    const lying = vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 10 * HOUR)
    try {
      const { nextAtMs } = await queue.repeat('hourly', { every: '1h' }, 'x')
      expect(await idsOf()).toEqual([])
      expect((nextAtMs as number) - (Date.now() - 10 * HOUR)).toBeLessThanOrEqual(HOUR)
      expect((await scheduleOf('hourly'))?.lastAtMs).toBeUndefined()
    } finally {
      lying.mockRestore()
    }
  })

  it('makes up for missed slots as it was told to', async () => {
    // Its slots are half an hour from now, before and after.
    const schedule = { every: '1h', anchor: Date.now() - HOUR / 2 } as const
    const { nextAtMs } = await queue.repeat('one', schedule, 'x')
    await queue.repeat('skip', schedule, 'x', { missed: 'skip' })
    await queue.repeat('all', schedule, 'x', { missed: { all: 3 } })
    const next = nextAtMs as number
    for (const id of ['one', 'skip', 'all']) await waitFor(id, next - 5 * HOUR)
    const ids: string[] = []
    queue.process((job) => void ids.push(job.id))
    await vi.waitFor(() => expect(ids).toHaveLength(4), soon)
    await vi.waitFor(
      async () => expect((await queue.schedules()).map((one) => one.nextAtMs)).toEqual([next, next, next]),
      soon,
    )
    const latest = next - HOUR
    expect(ids.toSorted()).toEqual([...[2, 1, 0].map((hours) => `all@${latest - hours * HOUR}`), `one@${latest}`])
  })

  it('has its slot in the night that skips the hour, and one in the night that shows it twice', async () => {
    const paris = { tz: 'Europe/Paris' }
    await queue.repeat('spring', { cron: '30 2 30 3 *', ...paris }, 'x', { missed: { all: 100 } })
    await queue.repeat('autumn', { cron: '30 2 26 10 *', ...paris }, 'x', { missed: { all: 100 } })
    await waitFor('spring', Date.parse('2025-03-30T01:00Z'))
    await waitFor('autumn', Date.parse('2025-10-26T00:30Z'))
    const ids: string[] = []
    queue.process((job) => void ids.push(job.id))
    const in2025 = (id: string) => new Date(Number(id.split('@')[1])).getUTCFullYear() === 2025
    const expected = [`autumn@${Date.parse('2025-10-26T00:30Z')}`, `spring@${Date.parse('2025-03-30T01:00Z')}`]
    await vi.waitFor(() => expect(ids.filter(in2025).toSorted()).toEqual(expected), soon)
  })

  it('is refused when it cannot be, with the field that is wrong', async () => {
    const wrong = (schedule: never, option: string, options?: never) =>
      expect(queue.repeat('x', schedule, 'x', options)).rejects.toMatchObject({ code: 'CONFIG_INVALID', option })
    await wrong({ cron: '0 25 * * *' } as never, 'schedule.cron.hour')
    await wrong({ every: '1ms' } as never, 'schedule.every')
    await wrong({ every: '1h' } as never, 'missed.all', { missed: { all: 0 } } as never)
    await wrong({ every: '1h' } as never, 'options.delay', { delay: 5 } as never)
    expect(await queue.schedules()).toEqual([])
  })
})
