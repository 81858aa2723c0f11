import { checkInteger, checkKnown } from '../base/check.ts'
import { type PaceSchedule, parseSchedule, type Schedule } from '../base/cron.ts'
import { toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { LONGEST_ID } from '../stream/envelope.ts'
import { type AddOptions, checkAdd, checkId } from './options.ts'
import type { Missed } from './schedule-slots.ts'

export interface RepeatOptions extends Pick<AddOptions, 'priority' | 'attempts' | 'timeout' | 'backoff'> {
  /**
   * What becomes of slots that came while no worker's process was there: `one`: the latest gets its job when one is there again; `skip`: none
   * does that is a minute old; `{ all: n }`: each of the latest n. Default `'one'`.
   */
  readonly missed?: Missed
}

/** A schedule as it is stored. Its text says whether anything has changed. */
export interface ScheduleRecord {
  readonly schedule: Schedule
  readonly missed: Missed
  readonly priority: number
  /** JSON of `JobOptions`; '' for none. */
  readonly options: string
  readonly types: string
  readonly payload: string
}

/** Room for `@` and the slot in the ids of its jobs. */
const LONGEST = LONGEST_ID - 20
/** Faster is no schedule: a worker that waits between two rounds keeps better time. */
const FASTEST_MS = 100

export function checkScheduleId(id: unknown): void {
  checkId(id, LONGEST)
}

function checkSchedule(schedule: Schedule): Schedule {
  parseSchedule(schedule)
  if (!('every' in schedule)) return { cron: schedule.cron.trim(), tz: schedule.tz ?? 'UTC' }
  const { every, anchor = 0 } = schedule as PaceSchedule
  return {
    every: toMs(every, 'schedule.every', { min: FASTEST_MS }),
    anchor: anchor instanceof Date ? anchor.getTime() : anchor,
  }
}

/** Throws ConfigError that names what is wrong. */
export function checkRepeat(
  id: string,
  schedule: Schedule,
  repeat: RepeatOptions = {},
): Omit<ScheduleRecord, 'types' | 'payload'> {
  checkScheduleId(id)
  checkKnown('options', repeat, ['missed', 'priority', 'attempts', 'timeout', 'backoff'])
  const { missed = 'one', ...job } = repeat
  const { priority, options } = checkAdd(job)
  return { schedule: checkSchedule(schedule), missed: checkMissed(missed), priority, options }
}

function checkMissed(missed: unknown): Missed {
  if (missed === 'skip' || missed === 'one') return missed
  if (typeof missed !== 'object' || missed === null)
    throw new ConfigError('missed', "'skip', 'one' or { all: n }", missed)
  checkKnown('missed', missed, ['all'])
  return { all: checkInteger('missed.all', (missed as { all?: unknown }).all, 1, 100) }
}
