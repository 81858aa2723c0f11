import { expect, test } from 'vitest'
import { parseSchedule, type Schedule } from '../base/cron.ts'
import { dueSlots, type Missed } from './schedule-slots.ts'

const at = (text: string) => Date.parse(text)
/** As of a schedule whose slot `first` was waited for, looked at at `now`. */
const due = (schedule: Schedule, first: string, now: string, missed: Missed) => {
  const { run, nextMs } = dueSlots(parseSchedule(schedule), at(first), at(now), missed)
  const shown = (ms: number) => new Date(ms).toISOString().slice(0, 16)
  return { run: run.map(shown), next: nextMs === undefined ? undefined : shown(nextMs) }
}
const PARIS = { tz: 'Europe/Paris' }

test('runs a slot on time, and none before', () => {
  const daily: Schedule = { cron: '0 3 * * *' }
  for (const missed of ['one', 'skip', { all: 9 }] as const) {
    expect(due(daily, '2026-05-01T03:00Z', '2026-05-01T03:00:00.000Z', missed)).toEqual({
      run: ['2026-05-01T03:00'],
      next: '2026-05-02T03:00',
    })
    expect(due(daily, '2026-05-01T03:00Z', '2026-05-01T02:59:59.999Z', missed).run).toEqual([])
  }
})

test('runs of missed slots the latest, none, or the latest few', () => {
  const hourly: Schedule = { every: '1h' }
  const missed = (policy: Missed) => due(hourly, '2026-05-01T03:00Z', '2026-05-01T07:30Z', policy)
  expect(missed('one')).toEqual({ run: ['2026-05-01T07:00'], next: '2026-05-01T08:00' })
  expect(missed('skip')).toEqual({ run: [], next: '2026-05-01T08:00' })
  expect(missed({ all: 3 }).run).toEqual(['2026-05-01T05:00', '2026-05-01T06:00', '2026-05-01T07:00'])
  expect(missed({ all: 100 }).run).toHaveLength(5)
})

test('finds the latest of years of seconds without walking through them', () => {
  const every = due({ cron: '* * * * * *' }, '2020-01-01T00:00Z', '2026-05-01T00:00Z', { all: 2 })
  expect(every).toEqual({ run: ['2026-04-30T23:59', '2026-05-01T00:00'], next: '2026-05-01T00:00' })
})

test('gives the night that skips an hour its one slot, and the night that shows one twice no second', () => {
  const nightly: Schedule = { cron: '30 2 * * *', ...PARIS }
  expect(due(nightly, '2025-03-29T01:30Z', '2025-03-31T12:00Z', { all: 9 }).run).toEqual([
    '2025-03-29T01:30',
    '2025-03-30T01:00',
    '2025-03-31T00:30',
  ])
  expect(due(nightly, '2025-10-25T00:30Z', '2025-10-27T12:00Z', { all: 9 }).run).toEqual([
    '2025-10-25T00:30',
    '2025-10-26T00:30',
    '2025-10-27T01:30',
  ])
})
