import { checkInteger } from '../base/check.ts'
import type { Schedule } from '../base/cron.ts'
import { ConfigError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { bellPrefix, StreamKeys } from '../stream/keys.ts'
import { Layout } from '../stream/layout.ts'
import { pauseScript } from '../stream/lua.generated.ts'
import {
  type DeadLetter,
  DeadLetters,
  type DeadLettersOptions,
  type DeadSelection,
  type RedriveOptions,
  type RedriveResult,
} from './dead-letters.ts'
import type { EventsOptions, QueueEvent } from './events.ts'
import { Feed } from './feed.ts'
import { type QueueCounts, readCounts, readTallies } from './inspect.ts'
import {
  type Cancelled,
  JobBook,
  type JobInfo,
  type JobResult,
  type LookOptions,
  type ResultOptions,
} from './job-book.ts'
import { moveJob } from './moving.ts'
import { HIGHEST_PRIORITY, type ResolvedQueue } from './options.ts'
import { Payloads } from './payload.ts'
import { Postings } from './postings.ts'
import { readProgress } from './reports.ts'
import { checkRepeat, checkScheduleId, type RepeatOptions } from './schedule-options.ts'
import { type RepeatResult, type ScheduleInfo, Schedules } from './schedules.ts'

/** What is asked of a queue as a whole, and done to it, from any process: without adding jobs to it or running them. */
export abstract class QueueOperations<T> {
  readonly name: string
  protected readonly redis: Redis
  protected readonly options: ResolvedQueue
  protected readonly payloads: Payloads
  protected readonly layouts: readonly Layout[]
  protected readonly postings: Postings
  protected readonly planned: Schedules
  readonly #dead: DeadLetters<T>
  readonly #book: JobBook
  protected readonly feed: Feed

  constructor(redis: Redis, name: string, options: ResolvedQueue) {
    this.name = name
    this.redis = redis
    this.options = options
    this.payloads = new Payloads(name, options.schema)
    const keys = new StreamKeys(redis.keyspace, 'queue', name)
    const first = new Layout(redis, keys.shard(0), { shape: options })
    this.layouts = Array.from({ length: options.shards }, (_, shard) =>
      shard === 0 ? first : new Layout(redis, keys.shard(shard), { shape: options, first }),
    )
    this.postings = new Postings(this.payloads, () => redis.serverNowMs(), options)
    this.planned = new Schedules(redis, this.layouts, this.postings, { name, maxLength: options.maxLength })
    this.#dead = new DeadLetters<T>(redis, this.layouts, this.payloads, this.postings)
    this.#book = new JobBook(redis, this.layouts)
    this.feed = new Feed(redis, first, options.keepEvents)
  }

  /** Throws CONNECTION_CLOSED after `close()`. */
  protected abstract enter(): void

  /** What a job's handler last told of it, within the last hour; undefined where it has told nothing. */
  progress(id: string): Promise<unknown> {
    this.enter()
    return readProgress(this.redis, this.layouts, id)
  }

  /**
   * Adds a job at each slot of a schedule, in the whole fleet, as long as any process runs jobs of this queue: exactly one a slot, with
   * the id `<id>@<slot in ms>`, whether or not jobs before it have ended. The server's clock decides. The same again does nothing;
   * with another schedule the next slot is the first of the new one, with another payload or other options it stays.
   *
   * schedule  `{ cron: '0 3 * * *', tz: 'Europe/Paris' }` or `{ every: '10s' }`
   * throws    ConfigError that names the field that is wrong; as `add`
   */
  async repeat(id: string, schedule: Schedule, data: T, options?: RepeatOptions): Promise<RepeatResult> {
    const checked = checkRepeat(id, schedule, options)
    this.enter()
    return this.planned.put(id, { ...checked, ...this.payloads.write(await this.payloads.fit(data)) })
  }

  /** Ends a schedule, if there is one. Jobs of slots that have come stay. */
  async unrepeat(id: string): Promise<void> {
    checkScheduleId(id)
    this.enter()
    await this.planned.remove(id)
  }

  /**
   * What is known of a job; undefined for none, and for one that is done and whose result was not kept.
   *
   * costs  one script for delayed, dead, and done with a result; any other is looked for among those that wait or run, 200 a script, up to
   *        `within` of them, 10,000 by default: for people and tests, not for every request
   */
  job(id: string, options?: LookOptions): Promise<JobInfo | undefined> {
    this.enter()
    return this.#book.job(id, options)
  }

  /**
   * What came of a job that was added with `keepResult`, or is dead; with `wait` it waits so long for it, and is told at once. Of an id that
   * was used before, what came of the one before until the new one is done.
   *
   * costs  one script; of a job without an id of your own, while it waits or runs, as `job`, each two seconds
   */
  result<R = unknown>(id: string, options?: ResultOptions): Promise<JobResult<R>> {
    this.enter()
    return this.#book.result<R>(id, options)
  }

  /**
   * Ends a job wherever it is. One that waits is removed; of one that runs the signal fires, in whatever process that is, and it is neither tried
   * again nor kept. A process that cannot listen, or dies meanwhile, is not told: then the job runs on, or again.
   *
   * costs  one script for a delayed one; any other is looked for as by `job`
   */
  cancel(id: string, options?: LookOptions): Promise<Cancelled> {
    this.enter()
    return this.#book.cancel(id, options)
  }

  /**
   * What became of jobs, in any process, as long as it is iterated: how attempts ended, once the server knows it, and what handlers said. Of a queue with
   * `keepEvents` in all processes that run jobs of it. It waits through outages, and ends with `close()`.
   *
   * costs   one call for up to 200 events; where nothing happens, one each two seconds
   * throws  ConfigError without `keepEvents`; what the `signal` says
   */
  events(options?: EventsOptions): AsyncGenerator<QueueEvent, void, void> {
    this.enter()
    return this.feed.follow(options)
  }

  /** What handlers have counted by `tally`, by name. */
  tallies(): Promise<Record<string, number>> {
    this.enter()
    return readTallies(this.redis, this.layouts)
  }

  /** All schedules, those whose slot comes first first. */
  schedules(): Promise<ScheduleInfo[]> {
    this.enter()
    return this.planned.all()
  }

  /** How many jobs there are in each state, without counting them one by one. */
  counts(): Promise<QueueCounts> {
    this.enter()
    return readCounts(this.redis, this.layouts)
  }

  /** Jobs that nobody runs any more, the latest first. */
  deadLetters(options?: DeadLettersOptions<T>): Promise<DeadLetter<T>[]> {
    this.enter()
    return this.#dead.list(options)
  }

  /** Gives dead letters another life, with all their attempts: all of them, or those that are chosen. */
  redrive(options?: RedriveOptions<T>): Promise<RedriveResult> {
    this.enter()
    return this.#dead.redrive(options)
  }

  /** Forgets dead letters: all of them, or those that are chosen. Answers how many. */
  purge(options?: DeadSelection<T>): Promise<number> {
    this.enter()
    return this.#dead.purge(options)
  }

  /**
   * Another priority for a job that waits. False for one that runs, or is not there.
   *
   * throws  ConfigError in a queue of another mode than `'priority'`
   */
  async reprioritize(id: string, priority: number): Promise<boolean> {
    if (this.options.mode !== 'priority') throw new ConfigError('mode', "'priority', to move jobs", this.options.mode)
    return this.#move(id, String(checkInteger('priority', priority, -HIGHEST_PRIORITY, HIGHEST_PRIORITY)))
  }

  /**
   * Takes away a job that waits for its time, for its group's turn, or, in the mode `'priority'`, for its turn. False for one that runs,
   * waits in a lane of a stream, or is not there.
   */
  remove(id: string): Promise<boolean> {
    return this.#move(id, '')
  }

  async #move(id: string, priority: string): Promise<boolean> {
    this.enter()
    if (typeof id !== 'string') throw new ConfigError('id', 'the id of a job', id)
    const operation = priority === '' ? 'queue.remove' : 'queue.reprioritize'
    for (const { keys } of this.layouts) if (await moveJob(this.redis, keys, id, priority, operation)) return true
    return false
  }

  /** No process begins another job of this queue; those that run end. */
  async pause(): Promise<void> {
    await this.#setPaused(1)
  }

  /** The fleet takes jobs again. */
  async resume(): Promise<void> {
    await this.#setPaused(0)
  }

  async #setPaused(paused: 0 | 1): Promise<void> {
    this.enter()
    const args = { paused, channel: bellPrefix(this.redis.keyspace) }
    const options = { operation: paused === 1 ? 'queue.pause' : 'queue.resume', repeat: true }
    await Promise.all(
      this.layouts.map(({ keys: { state, idle, wake } }) =>
        pauseScript.run(this.redis, { state, idle, wake }, args, options),
      ),
    )
  }
}
