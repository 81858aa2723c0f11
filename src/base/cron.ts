import { Cron } from 'croner'
import { checkInteger, checkKnown } from './check.ts'
import { type Duration, toMs } from './duration.ts'
import { ConfigError } from './errors.ts'

/** When something repeats: by a calendar, or at a fixed pace. */
export type Schedule = CronSchedule | PaceSchedule

export interface CronSchedule {
  /**
   * Five fields (minute hour day month weekday) or six, seconds first: `*`, lists, ranges, steps, names, `L` for the last day, `5#2` for the
   * second Friday, `@daily` and its like. Where day and weekday are both given, either will do.
   */
  readonly cron: string
  /** An IANA time zone. Default `'UTC'`, wherever the process runs. */
  readonly tz?: string
}

export interface PaceSchedule {
  /** Time from one slot to the next. */
  readonly every: Duration
  /** A moment that is a slot; the others follow from it in both directions. Default 1970-01-01T00:00Z. */
  readonly anchor?: Date | number
}

const FIELDS = [
  ['second', '0 to 59'],
  ['minute', '0 to 59'],
  ['hour', '0 to 23'],
  ['day', '1 to 31 or L'],
  ['month', '1 to 12 or JAN to DEC'],
  ['weekday', '0 to 7 or SUN to SAT, with #1 to #5 or L for one of the month'],
] as const
const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

/**
 * Moments of a schedule. Slots are absolute: which they are depends on neither when they are asked for nor on how long anything took.
 *
 * Where a clock is changed: a schedule of one time a day (`30 2 * * *`) has one slot that day too, at the first moment after a gap that skips it,
 * and the first time where it is shown twice. Any other (lists, ranges, steps, `*` among the hours, minutes or seconds) goes by what the clock
 * shows: what is skipped is left out, what is shown twice counts twice.
 */
export interface Slots {
  /** The first slot after `afterMs`, in ms since 1970; undefined where there is none for centuries. */
  next(afterMs: number): number | undefined
}

/** The slots of a schedule; `option` is what an error calls it. */
export function parseSchedule(schedule: Schedule, option = 'schedule'): Slots {
  if (typeof schedule !== 'object' || schedule === null)
    throw new ConfigError(option, 'an object with { cron, tz } or { every, anchor }', schedule)
  if ('every' in schedule) return parsePace(schedule, option)
  checkKnown(option, schedule, ['cron', 'tz'])
  return parseCron(schedule, option)
}

/**
 * The next slots of a schedule, in ms since 1970, each after the one before; fewer where there are no more.
 *
 * afterMs  the first is later than this
 * throws   ConfigError that names the field: `schedule.cron.hour`, `schedule.tz`, `schedule.every`
 */
export function nextSlots(schedule: Schedule, afterMs: number, count: number): readonly number[] {
  checkInteger('count', count, 0, 100_000)
  const slots = parseSchedule(schedule)
  const found: number[] = []
  for (let at = slots.next(afterMs); at !== undefined && found.length < count; at = slots.next(at)) found.push(at)
  return found
}

function parsePace({ every, anchor = 0, ...rest }: PaceSchedule, option: string): Slots {
  checkKnown(option, rest, ['every', 'anchor'])
  const everyMs = toMs(every, `${option}.every`)
  const anchorMs = anchor instanceof Date ? anchor.getTime() : anchor
  if (typeof anchorMs !== 'number' || !Number.isFinite(anchorMs))
    throw new ConfigError(`${option}.anchor`, 'a Date or ms since 1970', anchor)
  return { next: (afterMs) => anchorMs + (Math.floor((afterMs - anchorMs) / everyMs) + 1) * everyMs }
}

function parseCron({ cron, tz = 'UTC' }: CronSchedule, option: string): Slots {
  checkZone(tz, `${option}.tz`)
  if (typeof cron !== 'string') throw new ConfigError(`${option}.cron`, 'a text such as 0 3 * * *', cron)
  const text = cron.trim()
  if (text.startsWith('@')) {
    if (!NICKNAMES.includes(text.toLowerCase()))
      throw new ConfigError(`${option}.cron`, `one of ${NICKNAMES.join(', ')}`, cron)
  } else checkFields(text.split(/\s+/), cron, `${option}.cron`)
  const job = new Cron(text, { timezone: tz, paused: true })
  // The library answers whole seconds, after the second in which the moment lies.
  const next = (afterMs: number) => job.nextRun(new Date(afterMs))?.getTime()
  if (next(0) === undefined) throw new ConfigError(`${option}.cron`, 'a date that there is', cron)
  return { next }
}

/** Each field by itself, so that an error names the one that is wrong. */
function checkFields(fields: readonly string[], cron: string, option: string): void {
  if (fields.length !== 5 && fields.length !== 6)
    throw new ConfigError(option, 'five fields, or six with seconds first', cron)
  const first = FIELDS.length - fields.length
  for (const [i, field] of fields.entries()) {
    const [name, range] = FIELDS[first + i] as (typeof FIELDS)[number]
    const alone = FIELDS.map((_, at) => (at === first + i ? field : '*')).join(' ')
    try {
      new Cron(alone, { paused: true })
    } catch {
      throw new ConfigError(`${option}.${name}`, `${range}, with * , - and /`, field)
    }
  }
}

function checkZone(tz: unknown, option: string): void {
  try {
    // An offset such as +02:00 is no zone: it knows of no summer.
    if (typeof tz !== 'string' || /^[+-]/.test(tz)) throw new RangeError()
    new Intl.DateTimeFormat('en', { timeZone: tz })
  } catch {
    throw new ConfigError(option, 'an IANA time zone such as Europe/Paris', tz)
  }
}
