import type { DeadLetter, QueueCounts, ScheduleInfo } from '../../queue/index.ts'
import { findQueues, type PeekedJob, peekJobs } from '../../queue/inspect.ts'
import type { Context } from '../context.ts'
import { count, plural, seconds, short } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { type Column, table } from '../terminal/table.ts'
import { type NamespaceFlags, type QueueFlags, withQueue, withServer } from './with-queue.ts'

export interface LimitFlags extends QueueFlags {
  readonly limit: number
}

const right = (title: string): Column => ({ title, align: 'right' })
const WIDTH = 60

export async function ls(this: Context, flags: NamespaceFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const queues = await withServer(this, flags, async (hf, redis) =>
    Promise.all(
      (await findQueues(redis)).map(async ({ name, shards }) => ({
        name,
        shards,
        ...plainCounts(await hf.queue(name, { shards }).counts()),
      })),
    ),
  )
  if (flags.json) return terminal.json(queues)
  if (queues.length === 0) return terminal.note('No queue was used in this namespace.')
  const columns = [
    { title: 'QUEUE' },
    ...['WAITING', 'ACTIVE', 'DELAYED', 'DEAD', 'OLDEST'].map(right),
    { title: 'STATE' },
  ]
  const rows = queues.map(({ name, waiting, active, delayed, dead, oldestMs, paused }) => [
    name === '' ? "''" : name,
    ...[waiting, active, delayed, dead].map(count),
    oldestMs === undefined ? '' : seconds(oldestMs),
    paused ? ({ text: 'paused', colour: 'yellow' } as const) : '',
  ])
  terminal.data(table(columns, rows, terminal.paint))
}

export async function stats(this: Context, flags: QueueFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const found = await withQueue(this, flags, name, async ({ queue, shards }) => ({
    name,
    shards,
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

interface Stats extends Omit<QueueCounts, 'waitingBy'> {
  readonly name: string
  readonly shards: number
  readonly waitingBy: Readonly<Record<string, number>>
  readonly schedules: readonly ScheduleInfo[]
  readonly tallies: Readonly<Record<string, number>>
}

function showStats(found: Stats, paint: Paint): string {
  const { waiting, active, delayed, dead, consumers, oldestMs, nextDueMs, paused } = found
  const head = `${paint('bold', found.name)}: ${plural(found.shards, 'shard')}, ${plural(consumers, 'consumer')}${paused ? `, ${paint('yellow', 'paused')}` : ''}`
  const rows = [
    ['waiting', count(waiting), oldestMs === undefined ? '' : `the oldest for ${seconds(oldestMs)}`],
    ['active', count(active), ''],
    ['delayed', count(delayed), nextDueMs === undefined ? '' : `the next in ${seconds(nextDueMs)}`],
    ['dead', count(dead), ''],
    ...Object.entries(found.tallies).map(([name, n]) => ['counted', count(n), name]),
  ]
  const schedules = found.schedules.map(({ id, schedule, nextAtMs, lastAtMs }) => [
    id,
    'cron' in schedule ? `${schedule.cron} ${schedule.tz}` : `every ${seconds(Number(schedule.every))}`,
    moment(nextAtMs),
    moment(lastAtMs),
  ])
  const columns = ['SCHEDULE', 'WHEN', 'NEXT', 'LAST'].map((title) => ({ title }))
  const jobs = table([{ title: 'JOBS' }, right('COUNT'), { title: '' }], rows, paint)
  return [head, '', jobs, ...(schedules.length > 0 ? ['', table(columns, schedules, paint)] : [])].join('\n')
}

const moment = (ms: number | undefined): string => (ms === undefined ? '' : new Date(ms).toISOString())
const inLine = (data: unknown): string => short(JSON.stringify(data, writeBigInt) ?? 'undefined', WIDTH)
const writeBigInt = (_: string, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value)

export async function peek(this: Context, flags: LimitFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const jobs = await withQueue(this, flags, name, ({ redis, shards }) => peekJobs(redis, name, shards, flags.limit))
  if (flags.json) return terminal.json(JSON.parse(JSON.stringify(jobs, writeBigInt)))
  if (jobs.length === 0) return terminal.note('No job waits or runs.')
  const columns = [
    { title: 'JOB' },
    { title: 'STATE' },
    right('PRIORITY'),
    right('TRIED'),
    { title: 'DUE' },
    { title: 'DATA' },
  ]
  const rowOf = ({ id, state, priority, attempts, dueAtMs, data }: PeekedJob) => [
    ...[id, state, String(priority), String(attempts), moment(dueAtMs), inLine(data)],
  ]
  terminal.data(table(columns, jobs.map(rowOf), terminal.paint))
}

export async function dead(this: Context, flags: LimitFlags, name: string): Promise<void> {
  const terminal = this.terminal(flags)
  const letters = await withQueue(this, flags, name, ({ queue }) => queue.deadLetters({ limit: flags.limit }))
  if (flags.json) return terminal.json(JSON.parse(JSON.stringify(letters, writeBigInt)))
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
