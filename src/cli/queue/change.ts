import type { Duration } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'
import { drainQueue } from '../../queue/inspect.ts'
import type { Context } from '../context.ts'
import { type ChangeFlags, confirm } from '../flags.ts'
import { plural } from '../terminal/figures.ts'
import { type QueueFlags, withQueue } from './with-queue.ts'

export interface QueueChangeFlags extends QueueFlags, ChangeFlags {}

export interface DeadFlags extends QueueChangeFlags {
  readonly id?: readonly string[] | undefined
}

export interface AddJobFlags extends QueueFlags {
  readonly id?: string | undefined
  readonly delay?: Duration | undefined
  readonly priority?: number | undefined
}

export async function pause(this: Context, flags: QueueFlags, name: string): Promise<void> {
  await withQueue(this, flags, name, ({ queue }) => queue.pause())
  tell(this, flags, { paused: true }, `'${name}' is paused: nobody begins another job of it.`)
}

export async function resume(this: Context, flags: QueueFlags, name: string): Promise<void> {
  await withQueue(this, flags, name, ({ queue }) => queue.resume())
  tell(this, flags, { paused: false }, `'${name}' goes on.`)
}

export async function drain(this: Context, flags: QueueChangeFlags, name: string): Promise<void> {
  if (!flags.dryRun) confirm('drain', `all jobs of '${name}' that wait or are delayed would be forgotten`, flags)
  const drained = await withQueue(this, flags, name, async ({ queue, redis, shards }) => {
    if (!flags.dryRun) return drainQueue(redis, name, shards)
    const { waiting, delayed } = await queue.counts()
    return waiting + delayed
  })
  tell(this, flags, { drained }, `${flags.dryRun ? 'Would forget' : 'Forgot'} ${plural(drained, 'job')} of '${name}'.`)
}

export async function redrive(this: Context, flags: DeadFlags, name: string): Promise<void> {
  const { dryRun: preview, id: ids } = flags
  const chosen = { preview, ...(ids === undefined ? {} : { ids }) }
  const done = await withQueue(this, flags, name, ({ queue }) => queue.redrive(chosen))
  const left = done.exists.length === 0 ? '' : ` Left, since a job with the same id exists: ${done.exists.join(', ')}`
  tell(
    this,
    flags,
    done,
    `${preview ? 'Would give' : 'Gave'} ${plural(done.ids.length, 'dead letter')} another life.${left}`,
  )
}

export async function purge(this: Context, flags: DeadFlags, name: string): Promise<void> {
  const { dryRun, id: ids } = flags
  if (!dryRun) confirm('purge', `dead letters of '${name}' would be forgotten`, flags)
  const chosen = ids === undefined ? {} : { ids }
  const purged = await withQueue(this, flags, name, async ({ queue }) =>
    dryRun ? (await queue.redrive({ ...chosen, preview: true })).ids.length : queue.purge(chosen),
  )
  tell(this, flags, { purged }, `${dryRun ? 'Would forget' : 'Forgot'} ${plural(purged, 'dead letter')} of '${name}'.`)
}

export async function add(this: Context, flags: AddJobFlags, name: string, json: string): Promise<void> {
  const { id, delay, priority } = flags
  const options = {
    ...(id === undefined ? {} : { id }),
    ...(delay === undefined ? {} : { delay }),
    ...(priority === undefined ? {} : { priority }),
  }
  const data = parsePayload(json)
  const job = await withQueue(this, flags, name, ({ queue }) => queue.add(data, options), true)
  tell(this, flags, job, job.added ? `Added job ${job.id}.` : `A job ${job.id} exists already; nothing was added.`)
}

function parsePayload(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new ConfigError('payload', 'JSON', json)
  }
}

function tell(context: Context, flags: QueueFlags, result: unknown, words: string): void {
  const terminal = context.terminal(flags)
  if (flags.json) terminal.json(result)
  else terminal.data(words)
}
