import { ConfigError } from '../../base/errors.ts'
import type { DeadLetter, QueueCounts, ScheduleInfo } from '../../queue/index.ts'
import { findQueues, inspectQueue, type PeekedJob, peekJobs, type Shape } from '../../queue/inspect.ts'
import type { Context } from '../context.ts'
import { count, exactly, plural, short, span } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { printable } from '../terminal/printable.ts'
import { type Column, table } from '../terminal/table.ts'
import { asJson, chosen, type LetterFlags } from './letters.ts'
import { type NamespaceFlags, withQueue, withServer } from './with-queue.ts'

export interface PeekFlags extends NamespaceFlags {
  readonly limit: number
  readonly page: number
}

export interface DeadFlags extends NamespaceFlags, LetterFlags {
  readonly limit: number
}

const right = (title: string): Column => ({ title, align: 'right' })
const WIDTH = 60

export async function ls(this: Context, flags: NamespaceFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const { queues, space } = await withServer(this, flags, async (_, redis) => ({
    queues: await Promise.all(
      (await findQueues(redis)).map(async ({ name, shape }) => ({
        name,
        ...shape,
        ...plainCounts(await inspectQueue(redis, name, shape.shards)),
      })),
    ),
    space: redis.keyspace.namespace,
  }))
  if (flags.json) return terminal.json(queues)
  if (queues.length === 0) return terminal.note(`No queue was used in the namespace ${printable(space)}.`)
  const columns = [
    { title: 'QUEUE' },
    ...['WAITING', 'ACTIVE', 'DELAYED', 'DEAD', 'OLDEST'].map(right),
    { title: 'STATE' },
  ]
  const rows = queues.map(({ name, waiting, active, delayed, dead, oldestMs, paused }) => [
    name === '' ? "''" : name,
    ...[waiting, active, delayed, dead].map(count),
    oldestMs === undefined ? '' : span(oldestMs),
    paused ? ({ text: 'paused', colour: 'yellow' } as const) : '',
  ])
  terminal.data(table(columns, rows, terminal.paint))
}

export async function stats(this: Context, flags: NamespaceFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const found = await withQueue(this, flags, name, async ({ queue, shape }) => ({
    name,
    ...shape,
    ...plainCounts(await queue.counts()),
    schedules: await queue.schedules(),
    tallies: await queue.tallies(),
  }))
  if (flags.json) terminal.json(found)
  else terminal.data(showStats(found, terminal.paint))
}

/** JSON knows no Map. */
function plainCounts({ waitingBy, ...counts }: QueueCounts) {
  return { ...counts, waitingBy: Object.fromEntries(waitingBy) }
}

interface Stats extends Shape, Omit<QueueCounts, 'waitingBy'> {
  readonly name: string
  readonly waitingBy: Readonly<Record<string, number>>
  readonly schedules: readonly ScheduleInfo[]
  readonly tallies: Readonly<Record<string, number>>
}

function showStats(found: Stats, paint: Paint): string {
  const { waiting, active, delayed, dead, consumers, oldestMs, nextDueMs, paused } = found
  const kind = `${found.mode}, ${plural(found.shards, 'shard')}, ${found.groupConcurrency} of a group`
  const head = `${paint('bold', found.name)}: ${kind}, ${plural(consumers, 'consumer')}${paused ? `, ${paint('yellow', 'paused')}` : ''}`
  const rows = [
    ['waiting', count(waiting), oldestMs === undefined ? '' : `the oldest for ${span(oldestMs)}`],
    ['active', count(active), ''],
    ['delayed', count(delayed), nextDueMs === undefined ? '' : `the next in ${span(nextDueMs)}`],
    ['dead', count(dead), ''],
    ...Object.entries(found.tallies).map(([name, n]) => ['counted', count(n), name]),
  ]
  const schedules = found.schedules.map(({ id, schedule, nextAtMs, lastAtMs }) => [
    id,
    'cron' in schedule ? `${schedule.cron} ${schedule.tz}` : `every ${exactly(Number(schedule.every))}`,
    moment(nextAtMs),
    moment(lastAtMs),
  ])
  const columns = ['SCHEDULE', 'WHEN', 'NEXT', 'LAST'].map((title) => ({ title }))
  const jobs = table([{ title: 'JOBS' }, right('COUNT'), { title: '' }], rows, paint)
  return [head, '', jobs, ...(schedules.length > 0 ? ['', table(columns, schedules, paint)] : [])].join('\n')
}

const moment = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString())
const inLine = (data: unknown): string => short(asJson(data), WIDTH)
/** Most that one look passes over: all of it is read. */
const DEEPEST = 10_000

export async function peek(this: Context, flags: PeekFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { limit, page } = flags
  const offset = (page - 1) * limit
  if (offset > DEEPEST) throw new ConfigError('--page', `one within the first ${count(DEEPEST)} jobs`, page)
  const jobs = await withQueue(this, flags, name, ({ redis, shape }) =>
    peekJobs(redis, name, shape.shards, { limit, offset }),
  )
  if (flags.json) return terminal.json(JSON.parse(asJson(jobs)))
  if (jobs.length === 0) return terminal.note(page > 1 ? 'No more jobs.' : 'No job waits or runs.')
  const columns = [
    { title: 'JOB' },
    { title: 'STATE' },
    right('PRIORITY'),
    { title: 'GROUP' },
    right('TRIED'),
    { title: 'DUE' },
    { title: 'DATA' },
  ]
  const rowOf = ({ id, state, priority, group, attempts, dueAtMs, data }: PeekedJob) => [
    ...[id, state, String(priority), group ?? '', String(attempts), moment(dueAtMs), inLine(data)],
  ]
  terminal.data(table(columns, jobs.map(rowOf), terminal.paint))
  if (jobs.length === limit) terminal.note(`--page ${page + 1} shows more.`)
}

export async function dead(this: Context, flags: DeadFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const { limit } = flags
  const { ids, filter } = chosen(flags)
  const meant = (letter: DeadLetter) => (ids?.includes(letter.id) ?? true) && (filter?.(letter) ?? true)
  const letters = await withQueue(this, flags, name, ({ queue }) => queue.deadLetters({ limit, filter: meant }))
  if (flags.json) return terminal.json(JSON.parse(asJson(letters)))
  if (letters.length === 0) return terminal.note('No dead letters.')
  const columns = [
    { title: 'JOB' },
    { title: 'REASON' },
    right('TRIED'),
    { title: 'DIED' },
    { title: 'ERROR' },
    { title: 'DATA' },
  ]
  const rowOf = ({ id, reason, attempts, diedAtMs, error, data }: DeadLetter) => [
    ...[id, reason, String(attempts), moment(diedAtMs), short(error?.message ?? '', 40), inLine(data)],
  ]
  terminal.data(table(columns, letters.map(rowOf), terminal.paint))
}
