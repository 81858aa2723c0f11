import { checkBoolean, checkFraction, checkFunction, checkInteger, checkKnown, checkOneOf } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { checkSchema, type StandardSchema } from '../base/schema.ts'
import type { Durability } from '../redis/durable/durable.ts'
import { LONGEST_ID, MOST_ATTEMPTS } from '../stream/envelope.ts'
import type { Posting } from '../stream/producer.ts'
import type { EndEvent } from './events.ts'

export interface BackoffOptions {
  /** The wait before the second attempt; each later one is twice the one before. Default `'1s'`. */
  readonly base?: Duration
  /** Most that it grows to. Default `'5m'`. */
  readonly max?: Duration
  /** Share of each wait that is left to chance, so that jobs that failed together do not come back together. Default 0.2. */
  readonly jitter?: number
}

/** The wait before the next attempt, of the number of attempts made and what the last one threw. */
export type BackoffFunction = (attempts: number, error: unknown) => Duration

/**
 * What an add must have reached: `'async'`: the primary's memory; a failover may lose the last adds. `'replica'`: the memory of every replica
 * that is configured. `'fsync'`: the disks of the primary and of every replica (Redis and Valkey from 7.2, with append-only files).
 */
export type QueueDurability = 'async' | Durability

export interface QueueOptions<T = unknown> {
  /** How often a job is tried before it goes to the dead letters, 1 to 100. Default 5. */
  readonly attempts?: number
  /** Waits between attempts. */
  readonly backoff?: BackoffOptions | BackoffFunction
  /** So long after a process died its jobs run elsewhere; while it lives it renews this by itself. 100 ms to an hour, default `'15s'`. */
  readonly lease?: Duration
  /** How long an attempt may take; then its signal fires. Default: as long as it likes. */
  readonly timeout?: Duration
  /** How long a handler may still take after its signal fired, before its place is given to another. Default `'5s'`. */
  readonly grace?: Duration
  /** A schema of zod, valibot, ArkType …: payloads must fit it when they are added and when they are run. */
  readonly schema?: StandardSchema<T>
  /** Most jobs that wait, for their turn or for their time, or run; more are refused by QUEUE_FULL. Default: any number. */
  readonly maxLength?: number
  /** Dead letters that are kept; beyond, the oldest go. 1 to 10 million, default 10,000. */
  readonly keepDead?: number
  /** Events that are kept, about, for `queue.events()`; beyond, the oldest go. Up to 1 million; default 0: nobody is told of any. */
  readonly keepEvents?: number
  /**
   * `'stream'` (default): the fastest; up to 16 different priorities. `'priority'`: any priority, and a job that waits can be moved by
   * `reprioritize`. The same in every process.
   */
  readonly mode?: 'stream' | 'priority'
  /** How many jobs of one group may run at the same time, 1 to 1,000. Default 1: one after the other. The same in every process. */
  readonly groupConcurrency?: number
  /**
   * How many jobs the whole fleet begins, such as `{ limit: 100, per: '1s' }`: after a rest up to `limit` at once, then evenly. Asked before a job
   * leaves its place, by the server's clock. With `shards` each has an equal part. Default: any number.
   */
  readonly rate?: QueueRate
  /** Parts of the queue, each on a server of its own where there are several. 1 to 64, default 1. The same in every process. */
  readonly shards?: number
  /** What adds must have reached when their answer says `durable: true`; an add may ask for something else. Default `'async'`. */
  readonly durability?: QueueDurability
}

export interface QueueRate {
  /** A whole number of 1 to 1,000,000. */
  readonly limit: number
  /** At most a day. */
  readonly per: Duration
}

export interface AddOptions {
  /** An id of your own, of at most 120 bytes: while a job of it exists, another is not added. Default: one that no other has. */
  readonly id?: string
  /** How long from now it waits. */
  readonly delay?: Duration
  /** When it may run: a Date, or ms of the wall clock. */
  readonly at?: Date | number
  /** Higher goes first, in a group its group; a whole number of -100,000 to 100,000. Default 0. */
  readonly priority?: number
  /** Jobs of one group run in the order in which they were added, also after failures; at most 120 bytes. */
  readonly group?: string
  /** As of the queue, for this job. */
  readonly attempts?: number
  /** As of the queue, for this job. */
  readonly timeout?: Duration
  /** As of the queue, for this job; a function is the queue's alone. */
  readonly backoff?: BackoffOptions
  /**
   * How long it may wait to begin, once its `delay` is over: later it is not begun, but a dead letter of the reason `'expired'`. Whatever has begun
   * once, or was redriven, does not expire. Default: however long.
   */
  readonly expiresIn?: Duration
  /**
   * How long what its handler returns is kept for `queue.result`. What cannot be stored, or has more than 1 MiB, is not: the job is done, its
   * result is `undefined`, and `onError` is told. Default: not at all.
   */
  readonly keepResult?: Duration
  /** How long its `id` is refused after it was done: what comes twice runs once. Default: not at all. */
  readonly keepId?: Duration
  /**
   * Takes the place of a job of its `id` that waits for its `delay`, so that only the last of many runs, when no more have come for so long. Where that one
   * has begun, or waits for its turn, this one goes under its id and a number. Default false.
   */
  readonly replace?: boolean
  /** What it must have reached for `durable: true`. Default: as of the queue. Of `addMany`, one for the whole call: of all its jobs the same. */
  readonly durability?: QueueDurability
}

export interface ProcessOptions {
  /** Jobs at the same time. 1 to 10,000, default 1. */
  readonly concurrency?: number
  /**
   * How an idle worker is told of a job. `'message'` (default): by one message, and it asks for the job. `'block'`: it waits for it on the server, on a
   * connection of its own for each shard, and has it half a round trip after it was added.
   */
  readonly wake?: 'message' | 'block'
  /**
   * Told of each attempt that failed, and, without a job, why Redis cannot be asked for more; the worker goes on. Default: a warning
   * HOLDFAST_QUEUE once a minute tells of the latter and of dead letters.
   */
  readonly onError?: (error: unknown, job: { readonly id: string; readonly attempt: number } | undefined) => void
  /** Told how each attempt of this worker ended, once the server knows it: `done`, `failed` and tried again, or `dead`. */
  readonly onEnd?: (event: EndEvent) => void
}

export interface CloseOptions {
  /** How long running handlers may still take; then they are aborted, and their jobs handed back without using an attempt. Default `'10s'`. */
  readonly timeout?: Duration
}

export interface ResolvedBackoff {
  readonly baseMs: number
  readonly maxMs: number
  readonly jitter: number
}

export interface ResolvedQueue {
  readonly attempts: number
  readonly backoff: ResolvedBackoff | BackoffFunction
  readonly leaseMs: number
  readonly timeoutMs: number
  readonly graceMs: number
  readonly schema: StandardSchema | undefined
  readonly maxLength: number
  readonly keepDead: number
  readonly keepEvents: number
  readonly shards: number
  readonly mode: 'stream' | 'priority'
  readonly groupConcurrency: number
  /** `limit` 0: any number. */
  readonly rate: { readonly limit: number; readonly perMs: number }
  readonly durability: QueueDurability
}

/** What was set for one job alone, as it is stored with it. */
export interface JobOptions {
  readonly attempts?: number
  readonly timeoutMs?: number
  readonly backoff?: ResolvedBackoff
  readonly resultMs?: number
  readonly keepIdMs?: number
  /** How many children it waits for, and what it does when one is dead. */
  readonly children?: number
  readonly onDead?: 'fail' | 'ignore' | 'wait'
  /** It is a child: how many there are of its parent. */
  readonly siblings?: number
  readonly expiresAtMs?: number
}

const QUEUE = [
  'attempts',
  'backoff',
  'lease',
  'timeout',
  'grace',
  'schema',
  'maxLength',
  'keepDead',
  'keepEvents',
  'shards',
  'mode',
  'groupConcurrency',
  'rate',
  'durability',
]
const ADD = [
  'id',
  'delay',
  'at',
  'priority',
  'group',
  'attempts',
  'timeout',
  'backoff',
  'keepResult',
  'keepId',
  'replace',
  'expiresIn',
  'durability',
]
/** With it and 2^36 jobs a rank is still exact. */
export const HIGHEST_PRIORITY = 100_000
const DEFAULT_BACKOFF: ResolvedBackoff = { baseMs: 1_000, maxMs: 300_000, jitter: 0.2 }
/** A timer of Node is no longer. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export function resolveQueueOptions<T>(options: QueueOptions<T> = {}): ResolvedQueue {
  checkKnown('', options, QUEUE)
  const {
    attempts = 5,
    backoff,
    lease = '15s',
    timeout,
    grace = '5s',
    maxLength,
    keepDead = 10_000,
    shards = 1,
  } = options
  return {
    attempts: checkAttempts(attempts),
    backoff: typeof backoff === 'function' ? backoff : resolveBackoff(backoff),
    leaseMs: toMs(lease, 'lease', { min: 100, max: 3_600_000 }),
    timeoutMs: timeout === undefined ? 0 : toMs(timeout, 'timeout', { max: LONGEST_TIMEOUT_MS }),
    graceMs: toMs(grace, 'grace', { min: 0, max: LONGEST_TIMEOUT_MS }),
    schema: checkSchema('schema', options.schema),
    maxLength: maxLength === undefined ? 0 : checkInteger('maxLength', maxLength, 1, 1e9),
    keepDead: checkInteger('keepDead', keepDead, 1, 1e7),
    keepEvents: checkInteger('keepEvents', options.keepEvents ?? 0, 0, 1e6),
    shards: checkInteger('shards', shards, 1, 64),
    mode: checkOneOf('mode', options.mode ?? 'stream', ['stream', 'priority']),
    groupConcurrency: checkInteger('groupConcurrency', options.groupConcurrency ?? 1, 1, 1_000),
    rate: resolveRate(options.rate),
    durability: checkDurability(options.durability) ?? 'async',
  }
}

const checkDurability = (durability: unknown): QueueDurability | undefined =>
  durability === undefined
    ? undefined
    : checkOneOf<QueueDurability>('durability', durability, ['async', 'replica', 'fsync'])

const checkAttempts = (attempts: unknown): number => checkInteger('attempts', attempts, 1, Math.min(100, MOST_ATTEMPTS))

function resolveRate(rate: QueueRate | undefined): ResolvedQueue['rate'] {
  if (rate === undefined) return ANY_RATE
  checkKnown('rate', rate, ['limit', 'per'])
  const { limit, per } = rate
  return { limit: checkInteger('rate.limit', limit, 1, 1e6), perMs: toMs(per, 'rate.per', { max: 86_400_000 }) }
}

const ANY_RATE = { limit: 0, perMs: 0 }

function resolveBackoff(backoff: BackoffOptions | undefined): ResolvedBackoff {
  if (backoff === undefined) return DEFAULT_BACKOFF
  checkKnown('backoff', backoff, ['base', 'max', 'jitter'])
  const { base = '1s', max = '5m', jitter = 0.2 } = backoff
  const baseMs = toMs(base, 'backoff.base', { min: 0 })
  return {
    baseMs,
    maxMs: Math.max(baseMs, toMs(max, 'backoff.max', { min: 0 })),
    jitter: checkFraction('backoff.jitter', jitter),
  }
}

export interface CheckedAdd {
  readonly id: string | undefined
  readonly priority: number
  readonly group: string | undefined
  readonly kind: Posting['kind']
  readonly ms: number
  /** JSON of `JobOptions`; '' for none. */
  readonly options: string
  readonly expiresInMs: number | undefined
  /** Undefined: as of the queue. */
  readonly durability: QueueDurability | undefined
}

const PLAIN_ADD: CheckedAdd = {
  ...{ id: undefined, priority: 0, group: undefined, kind: 'in', ms: 0, options: '' },
  ...{ expiresInMs: undefined, durability: undefined },
}

/** Throws ConfigError. What ends in `@0`, or that and a number, is a child's: its end would be counted by a parent that it is none of. */
export function checkId(id: unknown, longest: number): asserts id is string {
  if (typeof id !== 'string' || id === '' || Buffer.byteLength(id) > longest)
    throw new ConfigError('id', `a text of 1 to ${longest} bytes`, id)
  if (/@0(@\d+)?$/.test(id)) throw new ConfigError('id', 'a text that does not end as the id of a child, @0@1', id)
}

export function checkAdd(options: AddOptions | undefined): CheckedAdd {
  if (options === undefined) return PLAIN_ADD
  checkKnown('options', options, ADD)
  const { id, delay, at, priority = 0, group, attempts, timeout, backoff, keepResult, keepId, expiresIn } = options
  if (id !== undefined) checkId(id, LONGEST_ID)
  if (
    group !== undefined &&
    (typeof group !== 'string' || group === '' || Buffer.byteLength(group) > LONGEST_ID || group.includes('\0'))
  )
    throw new ConfigError('group', `a text of 1 to ${LONGEST_ID} bytes, none of them zero`, group)
  if (delay !== undefined && at !== undefined) throw new ConfigError('at', 'nothing beside `delay`', at)
  const own: JobOptions = {
    ...(attempts === undefined ? {} : { attempts: checkAttempts(attempts) }),
    ...(timeout === undefined ? {} : { timeoutMs: toMs(timeout, 'timeout', { max: LONGEST_TIMEOUT_MS }) }),
    ...(backoff === undefined ? {} : { backoff: resolveBackoff(backoff) }),
    ...(keepResult === undefined ? {} : { resultMs: toMs(keepResult, 'keepResult') }),
    ...(keepId === undefined ? {} : { keepIdMs: toMs(keepId, 'keepId') }),
  }
  return {
    id,
    priority: checkInteger('priority', priority, -HIGHEST_PRIORITY, HIGHEST_PRIORITY),
    group,
    kind: `${ruleOf(options)}${at === undefined ? 'in' : 'at'}`,
    ms: at === undefined ? toMs(delay ?? 0, 'delay', { min: 0 }) : checkMoment(at),
    options: Object.keys(own).length === 0 ? '' : JSON.stringify(own),
    expiresInMs: expiresIn === undefined ? undefined : toMs(expiresIn, 'expiresIn'),
    durability: checkDurability(options.durability),
  }
}

/** What holds of its id beyond that no two jobs have it. */
function ruleOf({ id, delay, at, keepId, replace = false }: AddOptions): '' | 'keep ' | 'last ' {
  checkBoolean('replace', replace)
  if (keepId === undefined && !replace) return ''
  if (id === undefined) throw new ConfigError('id', `one beside \`${replace ? 'replace' : 'keepId'}\``, id)
  if (!replace) return 'keep '
  if (keepId !== undefined) throw new ConfigError('keepId', 'nothing beside `replace`', keepId)
  if (delay === undefined && at === undefined) throw new ConfigError('delay', 'a time to wait beside `replace`', delay)
  return 'last '
}

function checkMoment(at: unknown): number {
  const ms = at instanceof Date ? at.getTime() : at
  if (typeof ms !== 'number' || !Number.isFinite(ms) || ms < 0 || ms > 8.64e15)
    throw new ConfigError('at', 'a Date, or ms since 1970', at)
  return Math.round(ms)
}

export interface CheckedProcess {
  readonly concurrency: number
  readonly isBlocking: boolean
  readonly onError: ProcessOptions['onError']
  readonly onEnd: ProcessOptions['onEnd']
}

export function checkProcess(options: ProcessOptions = {}): CheckedProcess {
  checkKnown('options', options, ['concurrency', 'wake', 'onError', 'onEnd'])
  return {
    concurrency: checkInteger('concurrency', options.concurrency ?? 1, 1, 10_000),
    isBlocking: checkOneOf('wake', options.wake ?? 'message', ['message', 'block']) === 'block',
    onError: checkFunction('onError', options.onError),
    onEnd: checkFunction('onEnd', options.onEnd),
  }
}

export function checkClose(options: CloseOptions = {}): number {
  checkKnown('options', options, ['timeout'])
  return toMs(options.timeout ?? '10s', 'timeout', { min: 0, max: LONGEST_TIMEOUT_MS })
}
