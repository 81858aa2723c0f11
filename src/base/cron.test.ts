import { describe, expect, it, test } from 'vitest'
import { nextSlots, parseSchedule, type Schedule } from './cron.ts'

/** Slots as texts in UTC. */
const slots = (schedule: Schedule, after: string, count: number) =>
  nextSlots(schedule, Date.parse(after), count).map((ms) => new Date(ms).toISOString().slice(0, 16))
const cron = (pattern: string, tz: string, after: string, count: number) => slots({ cron: pattern, tz }, after, count)

describe('where a clock is put forward', () => {
  it('takes a time that is skipped at the first moment after the gap, once', () => {
    const paris = cron('30 2 * * *', 'Europe/Paris', '2026-03-28T00:00Z', 3)
    expect(paris).toEqual(['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'])
    const saoPaulo = cron('0 0 * * *', 'America/Sao_Paulo', '2018-11-03T00:00Z', 3)
    expect(saoPaulo).toEqual(['2018-11-03T03:00', '2018-11-04T03:00', '2018-11-05T02:00'])
    // Half an hour only: 02:00 to 02:30.
    const lordHowe = cron('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T00:00Z', 3)
    expect(lordHowe).toEqual(['2026-10-02T15:45', '2026-10-03T15:30', '2026-10-04T15:15'])
  })

  it('goes on every so many minutes, without a jump', () => {
    const paris = cron('*/30 * * * *', 'Europe/Paris', '2026-03-29T00:00Z', 4)
    expect(paris).toEqual(['2026-03-29T00:30', '2026-03-29T01:00', '2026-03-29T01:30', '2026-03-29T02:00'])
    const lordHowe = cron('*/15 * * * *', 'Australia/Lord_Howe', '2026-10-03T15:00Z', 4)
    expect(lordHowe).toEqual(['2026-10-03T15:15', '2026-10-03T15:30', '2026-10-03T15:45', '2026-10-03T16:00'])
  })
})

describe('where a clock is put back', () => {
  it('takes a time that is shown twice the first time, once', () => {
    const paris = cron('30 2 * * *', 'Europe/Paris', '2026-10-24T00:00Z', 3)
    expect(paris).toEqual(['2026-10-24T00:30', '2026-10-25T00:30', '2026-10-26T01:30'])
    const saoPaulo = cron('30 23 * * *', 'America/Sao_Paulo', '2018-02-16T12:00Z', 3)
    expect(saoPaulo).toEqual(['2018-02-17T01:30', '2018-02-18T01:30', '2018-02-19T02:30'])
    const lordHowe = cron('45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T00:00Z', 3)
    expect(lordHowe).toEqual(['2026-04-03T14:45', '2026-04-04T14:45', '2026-04-05T15:15'])
  })

  it('takes it both times, and leaves out what is skipped, where the schedule is of more than one time a day', () => {
    const inSpring = cron('*/30 2 * * *', 'Europe/Paris', '2026-03-28T12:00Z', 2)
    expect(inSpring).toEqual(['2026-03-30T00:00', '2026-03-30T00:30'])
    const inAutumn = cron('30 1,2 * * *', 'Europe/Paris', '2026-10-24T12:00Z', 3)
    expect(inAutumn).toEqual(['2026-10-24T23:30', '2026-10-25T00:30', '2026-10-25T01:30'])
    const paris = cron('30 * * * *', 'Europe/Paris', '2026-10-25T00:00Z', 3)
    expect(paris).toEqual(['2026-10-25T00:30', '2026-10-25T01:30', '2026-10-25T02:30'])
    const lordHowe = cron('*/15 * * * *', 'Australia/Lord_Howe', '2026-04-04T14:30Z', 4)
    expect(lordHowe).toEqual(['2026-04-04T14:45', '2026-04-04T15:00', '2026-04-04T15:15', '2026-04-04T15:30'])
  })

  it('gives each slot once, whichever moment it is asked from', () => {
    for (const tz of ['Europe/Paris', 'Australia/Lord_Howe', 'America/Sao_Paulo'])
      for (const pattern of ['30 2 * * *', '*/20 * * * *', '0 0,1,2,3 * * *']) {
        const { next } = parseSchedule({ cron: pattern, tz })
        const fromMs = Date.parse('2018-01-01T00:00Z')
        const all = nextSlots({ cron: pattern, tz }, fromMs, 100)
        expect(new Set(all).size).toBe(100)
        expect([...all].sort((a, b) => a - b)).toEqual(all)
        // A worker whose clock is early or late finds the very same slots.
        for (const [i, at] of all.slice(1, 20).entries())
          for (const off of [1, 999, 1_001]) {
            expect(next(at - off)).toBe(at)
            expect(next((all[i] as number) + off)).toBe(at)
          }
      }
  })
})

test('reads five fields or six, names, lists, ranges, steps, nicknames, the last day and the second Friday', () => {
  const after = '2026-01-30T00:00Z'
  expect(cron('*/20 10 * * * *', 'UTC', after, 2)).toEqual(['2026-01-30T00:10', '2026-01-30T00:10'])
  expect(cron('0 9-17/4 * * MON-FRI', 'UTC', after, 4)).toEqual([
    '2026-01-30T09:00',
    '2026-01-30T13:00',
    '2026-01-30T17:00',
    '2026-02-02T09:00',
  ])
  expect(cron('0 0 1,15 feb,APR *', 'UTC', after, 3)).toEqual([
    '2026-02-01T00:00',
    '2026-02-15T00:00',
    '2026-04-01T00:00',
  ])
  expect(cron('0 0 L * *', 'UTC', after, 2)).toEqual(['2026-01-31T00:00', '2026-02-28T00:00'])
  expect(cron('0 0 * * 5#2', 'UTC', after, 1)).toEqual(['2026-02-13T00:00'])
  expect(cron('0 0 * * 7', 'UTC', after, 1)).toEqual(['2026-02-01T00:00'])
  expect(cron('0 0 29 2 *', 'UTC', after, 1)).toEqual(['2028-02-29T00:00'])
  expect(cron('@weekly', 'UTC', after, 1)).toEqual(['2026-02-01T00:00'])
  // In UTC by default, whatever the zone of the process.
  expect(slots({ cron: '0 3 * * *' }, after, 1)).toEqual(['2026-01-30T03:00'])
})

test('counts a pace from its anchor, in both directions', () => {
  const anchor = new Date('2026-01-01T00:10Z')
  expect(slots({ every: '1h', anchor }, '2026-01-01T00:10Z', 2)).toEqual(['2026-01-01T01:10', '2026-01-01T02:10'])
  expect(slots({ every: '1h', anchor }, '2025-12-31T20:00Z', 1)).toEqual(['2025-12-31T20:10'])
  expect(nextSlots({ every: 7 }, 20, 3)).toEqual([21, 28, 35])
})

test('names the field that is wrong', () => {
  const wrong: [unknown, string][] = [
    [{ cron: '60 * * * *' }, 'schedule.cron.minute'],
    [{ cron: '0 24 * * *' }, 'schedule.cron.hour'],
    [{ cron: '0 0 0 * *' }, 'schedule.cron.day'],
    [{ cron: '0 0 * FOO *' }, 'schedule.cron.month'],
    [{ cron: '0 0 * * 8' }, 'schedule.cron.weekday'],
    [{ cron: '61 0 0 * * *' }, 'schedule.cron.second'],
    [{ cron: '5-1 * * * *' }, 'schedule.cron.minute'],
    [{ cron: '*/0 * * * *' }, 'schedule.cron.minute'],
    [{ cron: '* * *' }, 'schedule.cron'],
    [{ cron: '2026-01-01T00:00:00Z' }, 'schedule.cron'],
    [{ cron: '0 0 30 2 *' }, 'schedule.cron'],
    [{ cron: '@often' }, 'schedule.cron'],
    [{ cron: 5 }, 'schedule.cron'],
    [{}, 'schedule.cron'],
    [{ cron: '@daily', tz: 'Mars/Olympus' }, 'schedule.tz'],
    [{ cron: '@daily', tz: '+02:00' }, 'schedule.tz'],
    [{ cron: '@daily', every: '1h' }, 'schedule.cron'],
    [{ every: 0 }, 'schedule.every'],
    [{ every: '1h', anchor: 'noon' }, 'schedule.anchor'],
    ['@daily', 'schedule'],
  ]
  for (const [schedule, option] of wrong)
    expect(() => nextSlots(schedule as Schedule, 0, 1), JSON.stringify(schedule)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', option }),
    )
})
