import type { Duration } from '../../base/duration.ts'
import { ConfigError } from '../../base/errors.ts'
import { drainQueue, reshapeQueue, type Shape } from '../../queue/inspect.ts'
import type { Context } from '../context.ts'
import { type ChangeFlags, confirm } from '../flags.ts'
import { plural } from '../terminal/figures.ts'
import { chosen, type LetterFlags } from './letters.ts'
import { type NamespaceFlags, withQueue, withServer } from './with-queue.ts'

export interface QueueChangeFlags extends NamespaceFlags, ChangeFlags {}

export interface PurgeFlags extends LetterFlags, QueueChangeFlags {}

export interface RedriveFlags extends LetterFlags, NamespaceFlags {
  readonly preview: boolean
  readonly dryRun: boolean
}

export interface ShapeFlags {
  readonly shards?: number | undefined
  readonly mode?: Shape['mode'] | undefined
  readonly groupConcurrency?: number | undefined
}

export interface AddJobFlags extends NamespaceFlags, ShapeFlags {
  readonly id?: string | undefined
  readonly delay?: Duration | undefined
  readonly priority?: number | undefined
  readonly group?: string | undefined
}

export interface ReshapeFlags extends NamespaceFlags, ShapeFlags {}

export async function pause(this: Context, flags: NamespaceFlags, name: string): Promise<void> {
  await withQueue(this, flags, name, ({ queue }) => queue.pause())
  tell(this, flags, { paused: true }, `'${name}' is paused: nobody begins another job of it.`)
}

export async function resume(this: Context, flags: NamespaceFlags, name: string): Promise<void> {
  await withQueue(this, flags, name, ({ queue }) => queue.resume())
  tell(this, flags, { paused: false }, `'${name}' goes on.`)
}

export async function drain(this: Context, flags: QueueChangeFlags, name: string): Promise<void> {
  if (!flags.dryRun) confirm('drain', `all jobs of '${name}' that wait or are delayed would be forgotten`, flags)
  const drained = await withQueue(this, flags, name, async ({ queue, redis, shape }) => {
    if (!flags.dryRun) return drainQueue(redis, name, shape.shards)
    const { waiting, delayed } = await queue.counts()
    return waiting + delayed
  })
  tell(this, flags, { drained }, `${flags.dryRun ? 'Would forget' : 'Forgot'} ${plural(drained, 'job')} of '${name}'.`)
}

export async function redrive(this: Context, flags: RedriveFlags, name: string): Promise<void> {
  const preview = flags.preview || flags.dryRun
  const done = await withQueue(this, flags, name, ({ queue }) => queue.redrive({ ...chosen(flags), preview }))
  const left = done.exists.length === 0 ? '' : ` Left, since a job with the same id exists: ${done.exists.join(', ')}`
  const which = preview && done.ids.length > 0 ? ` ${done.ids.join(', ')}` : ''
  const did = `${preview ? 'Would give' : 'Gave'} ${plural(done.ids.length, 'dead letter')} another life.`
  tell(this, flags, done, `${did}${which}${left}`)
}

export async function purge(this: Context, flags: PurgeFlags, name: string): Promise<void> {
  const { dryRun } = flags
  if (!dryRun) confirm('purge', `dead letters of '${name}' would be forgotten`, flags)
  const purged = await withQueue(this, flags, name, async ({ queue }) =>
    dryRun ? (await queue.redrive({ ...chosen(flags), preview: true })).ids.length : queue.purge(chosen(flags)),
  )
  tell(this, flags, { purged }, `${dryRun ? 'Would forget' : 'Forgot'} ${plural(purged, 'dead letter')} of '${name}'.`)
}

export async function add(this: Context, flags: AddJobFlags, name: string, json: string): Promise<void> {
  const { id, delay, priority, group } = flags
  const options = {
    ...(id === undefined ? {} : { id }),
    ...(delay === undefined ? {} : { delay }),
    ...(priority === undefined ? {} : { priority }),
    ...(group === undefined ? {} : { group }),
  }
  const data = parsePayload(json)
  const told = shapeOf(flags)
  const fresh = { mode: 'stream', shards: 1, groupConcurrency: 1, ...told } as const
  const job = await withQueue(
    this,
    flags,
    name,
    ({ queue, shape }) => {
      for (const [option, value] of Object.entries(told))
        if (shape[option as keyof Shape] !== value)
          throw new ConfigError(option, `${shape[option as keyof Shape]}, as '${name}' has it`, value)
      return queue.add(data, options)
    },
    fresh,
  )
  tell(this, flags, job, job.added ? `Added job ${job.id}.` : `A job ${job.id} exists already; nothing was added.`)
}

export async function reshape(this: Context, flags: ReshapeFlags, name: string): Promise<void> {
  const told = shapeOf(flags)
  if (Object.keys(told).length === 0)
    throw new ConfigError('reshape', 'one of --mode, --shards, --group-concurrency', 'none')
  const shape = await withServer(this, flags, (_, redis) => reshapeQueue(redis, name, told))
  const { mode, shards, groupConcurrency } = shape
  tell(this, flags, shape, `'${name}' is now ${mode}, ${plural(shards, 'shard')}, ${groupConcurrency} of a group.`)
}

/** What was said of a queue's shape. */
function shapeOf({ mode, shards, groupConcurrency }: ShapeFlags): Partial<Shape> {
  return {
    ...(mode === undefined ? {} : { mode }),
    ...(shards === undefined ? {} : { shards }),
    ...(groupConcurrency === undefined ? {} : { groupConcurrency }),
  }
}

function parsePayload(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw new ConfigError('payload', 'JSON', json)
  }
}

function tell(context: Context, flags: NamespaceFlags, result: unknown, words: string): void {
  const terminal = context.terminal(flags)
  if (flags.json) terminal.json(result)
  else terminal.data(words)
}
