import { checkInteger } from '../base/check.ts'
import { ConfigError, ConnectionError } from '../base/errors.ts'
import { randomId } from '../base/id.ts'
import { Observed } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import type { Bell } from '../stream/bell.ts'
import { ShardCrew } from '../stream/crew.ts'
import { writeEnvelope } from '../stream/envelope.ts'
import { bellPrefix, HELD, StreamKeys } from '../stream/keys.ts'
import { Layout } from '../stream/layout.ts'
import { moveScript, pauseScript } from '../stream/lua.generated.ts'
import { type Outcome, type Posting, Producer, ProducerIds } from '../stream/producer.ts'
import type { Handler } from './attempt.ts'
import {
  type DeadLetter,
  DeadLetters,
  type DeadLettersOptions,
  type DeadSelection,
  type RedriveOptions,
  type RedriveResult,
} from './dead-letters.ts'
import { failedOf, PayloadFault } from './endings.ts'
import { QueueFullError } from './errors.ts'
import { type QueueCounts, readCounts } from './inspect.ts'
import {
  type AddOptions,
  type CloseOptions,
  checkAdd,
  checkProcess,
  HIGHEST_PRIORITY,
  type ProcessOptions,
  type ResolvedQueue,
} from './options.ts'
import { Payloads } from './payload.ts'
import { PulledJob } from './pulled.ts'
import { queueRights } from './rights.ts'
import { Worker } from './worker.ts'

const PROGRESS_MS = 3_600_000

const OBSERVED = {
  add: new Observed('queue.add'),
  take: new Observed('queue.take'),
} as const

/** What came of adding a job. */
export interface AddedJob {
  readonly id: string
  /** False when a job with this id exists already: nothing was added. */
  readonly added: boolean
}

/**
 * Jobs that are kept until they are done. Made by `hf.queue(name, options)`.
 *
 * promise  each job runs at least once while the server keeps its data; a killed worker's jobs run elsewhere within the lease; what ends
 *          after its lease was lost is refused; what fails too often, or kills its process, ends among the dead letters
 * costs    one script for a batch of adds; one script for a batch of jobs ended and taken
 */
export class Queue<T = unknown> implements AsyncDisposable {
  readonly name: string
  readonly #redis: Redis
  readonly #options: ResolvedQueue
  readonly #payloads: Payloads
  readonly #layouts: readonly Layout[]
  readonly #producers: readonly Producer[]
  readonly #ids = new ProducerIds()
  readonly #crew: ShardCrew
  readonly #dead: DeadLetters<T>
  readonly #workers = new Set<Worker>()
  readonly #bell: Bell
  readonly #onClosed: () => void
  #refused = 0
  #lastError: unknown
  #vetted = false
  #closing: Promise<void> | undefined

  /** @internal Made by `hf.queue`. */
  constructor(redis: Redis, bell: Bell, name: string, options: ResolvedQueue, onClosed: () => void) {
    this.name = name
    this.#onClosed = onClosed
    this.#redis = redis
    this.#bell = bell
    this.#options = options
    this.#payloads = new Payloads(name, options.schema)
    const keys = new StreamKeys(redis.keyspace, 'queue', name)
    this.#layouts = Array.from({ length: options.shards }, (_, shard) => new Layout(redis, keys.shard(shard)))
    const length = options.maxLength === 0 ? 0 : Math.ceil(options.maxLength / options.shards)
    const bounds = { length, groupMost: options.groupConcurrency }
    const producer = randomId(9)
    this.#producers = this.#layouts.map((layout) => new Producer(redis, layout, 'queue', producer, bounds))
    this.#crew = new ShardCrew(redis, this.#layouts, bell, {
      ...{ room: 'queue', leaseMs: options.leaseMs, deadMost: Math.ceil(options.keepDead / options.shards) },
      groupMost: options.groupConcurrency,
      onRefused: (count) => {
        this.#refused += count
      },
      onError: (error) => {
        this.#lastError = error
        for (const worker of this.#workers) worker.troubled(error)
      },
    })
    this.#dead = new DeadLetters<T>(redis, this.#layouts, this.#payloads, options.groupConcurrency)
  }

  /**
   * Adds a job.
   *
   * data     anything that JSON has a word for, and Date, Map, Set, bigint, bytes
   * returns  its id, and whether it was added: not when a job with the `id` given exists
   * throws   QUEUE_FULL beyond `maxLength`; SERVER_FULL; VALUE_UNWRITABLE, VALUE_INVALID; TIMEOUT, CONNECTION_LOST: `sent` tells whether it
   *          may have been added, and adding it again under the same `id` is safe
   */
  async add(data: T, options?: AddOptions): Promise<AddedJob> {
    const work = () => this.#add(data, options)
    return OBSERVED.add.heard ? OBSERVED.add.run({ queue: this.name }, work) : work()
  }

  async #add(data: T, options: AddOptions | undefined): Promise<AddedJob> {
    this.#enter()
    const { shard, id, posting } = this.#prepare(
      this.#payloads.hasSchema ? await this.#payloads.fit(data) : data,
      options,
    )
    const [outcome] = await (this.#producers[shard] as Producer).post([posting])
    if (outcome === 'full') throw new QueueFullError(this.name, this.#options.maxLength, [])
    return { id, added: outcome === 'added' }
  }

  /**
   * Adds many jobs, up to 500 in one step.
   *
   * options  for all of them, or a function of a payload and its place
   * returns  as `add`, in their order
   * throws   as `add`; where the length is bounded each step is all or nothing, and QUEUE_FULL tells what had been added
   */
  async addMany(
    payloads: readonly T[],
    options?: AddOptions | ((data: T, index: number) => AddOptions | undefined),
  ): Promise<AddedJob[]> {
    if (!Array.isArray(payloads)) throw new ConfigError('payloads', 'an array', payloads)
    this.#enter()
    const fitting = this.#payloads.hasSchema
      ? await Promise.all(payloads.map((data) => this.#payloads.fit(data)))
      : payloads
    const jobs = fitting.map((data, i) =>
      this.#prepare(data, typeof options === 'function' ? options(payloads[i] as T, i) : options),
    )
    const outcomes: Outcome[] = []
    await Promise.all(
      this.#producers.map(async (producer, shard) => {
        const own = jobs.flatMap((job, i) => (job.shard === shard ? [i] : []))
        if (own.length === 0) return
        const posted = await producer.post(own.map((i) => (jobs[i] as Prepared).posting))
        own.forEach((i, at) => {
          outcomes[i] = posted[at] as Outcome
        })
      }),
    )
    if (outcomes.includes('full')) {
      const added = jobs.flatMap(({ id }, i) => (outcomes[i] === 'added' ? [id] : []))
      throw new QueueFullError(this.name, this.#options.maxLength, added)
    }
    return jobs.map(({ id }, i) => ({ id, added: outcomes[i] === 'added' }))
  }

  #prepare(data: unknown, options: AddOptions | undefined): Prepared {
    const { id: own, priority, group, kind, ms, options: text } = checkAdd(options)
    const { payload, types } = this.#payloads.write(data)
    const id = own ?? this.#ids.next()
    const isNamed = own !== undefined
    const isRanked = group === undefined && this.#options.mode === 'priority'
    const envelope = writeEnvelope({
      ...{ id, isNamed, isRanked, priority, options: text, types, payload },
      ...(group === undefined ? {} : { group }),
    })
    const lane = isRanked || group !== undefined ? HELD : priority
    // A group stays together.
    return { id, shard: this.#shardOf(group ?? id), posting: { envelope, lane, kind, ms, named: own ?? '' } }
  }

  /** The same in every process. */
  #shardOf(id: string): number {
    const { shards } = this.#options
    if (shards === 1) return 0
    let hash = 0x811c9dc5
    for (let i = 0; i < id.length; i++) hash = Math.imul(hash ^ id.charCodeAt(i), 0x01000193)
    return (hash >>> 0) % shards
  }

  /**
   * Runs `handler` for the jobs of this queue, in this process, from now until the worker is closed. What it throws counts as a failed
   * attempt; `GiveUp` ends the attempts.
   */
  process(handler: Handler<T>, options?: ProcessOptions): Worker {
    if (typeof handler !== 'function') throw new ConfigError('handler', 'a function (job, context)', handler)
    const checked = checkProcess(options)
    this.#enter()
    const place = {
      queue: this.name,
      options: this.#options,
      payloads: this.#payloads,
      handler: handler as Handler<never>,
      report: (job: { readonly id: string; readonly group: string | undefined }, value: unknown) =>
        this.#report(job, value),
    }
    const worker = new Worker(this.#crew, place, checked, (closed) => this.#workers.delete(closed))
    this.#workers.add(worker)
    return worker
  }

  /**
   * Takes a job by hand, or answers `undefined` at once when there is none. It must be ended by `complete`, `fail` or `release`; until then
   * its lease is renewed by this process, for as long as the job's `timeout` says.
   */
  async take(): Promise<PulledJob<T> | undefined> {
    this.#enter()
    return OBSERVED.take.run({ queue: this.name }, async (operation) => {
      for (;;) {
        const delivery = await this.#crew.take()
        operation.outcome = delivery === undefined ? 'none' : 'taken'
        if (delivery === undefined) return undefined
        try {
          const read = this.#payloads.read(delivery.envelope)
          const data = (this.#payloads.hasSchema ? await this.#payloads.fit(read) : read) as T
          if (!delivery.lease.held.has(delivery)) continue
          return new PulledJob(this.name, this.#options, delivery, data, {
            timeoutMs: this.#redis.timeoutMs,
            onRefused: () => this.#refused++,
          })
        } catch (error) {
          delivery.lease.settle(delivery, failedOf(this.#options, delivery, new PayloadFault(error)))
        }
      }
    })
  }

  async #report({ id, group }: { readonly id: string; readonly group: string | undefined }, value: unknown) {
    const { payload, types } = this.#payloads.write(value)
    const key = (this.#layouts[this.#shardOf(group ?? id)] as Layout).keys.progress(id)
    const options = { operation: 'queue.progress', repeat: true }
    await this.#redis.call(key, 'SET', [key, `${types.length} ${types}${payload}`, 'PX', PROGRESS_MS], options)
  }

  /** What a job's handler last told of it, within the last hour; undefined where it has told nothing. */
  async progress(id: string): Promise<unknown> {
    this.#enter()
    if (typeof id !== 'string') throw new ConfigError('id', 'the id of a job', id)
    const options = { operation: 'queue.progress', repeat: true }
    // A job of a group is where its group is.
    const keys = this.#layouts.map((layout) => layout.keys.progress(id))
    const told = await Promise.all(keys.map((key) => this.#redis.call(key, 'GET', [key], options)))
    const text = told.find((one) => one !== null)
    if (text === undefined) return undefined
    const [, length = '0', rest = ''] = /^(\d+) (.*)$/s.exec(String(text)) ?? []
    return this.#payloads.read({ types: rest.slice(0, Number(length)), payload: rest.slice(Number(length)) })
  }

  /** How many jobs there are in each state, without counting them one by one. */
  counts(): Promise<QueueCounts> {
    this.#enter()
    return readCounts(this.#redis, this.#layouts)
  }

  /** Jobs that nobody runs any more, the latest first. */
  deadLetters(options?: DeadLettersOptions<T>): Promise<DeadLetter<T>[]> {
    this.#enter()
    return this.#dead.list(options)
  }

  /** Gives dead letters another life, with all their attempts: all of them, or those that are chosen. */
  redrive(options?: RedriveOptions<T>): Promise<RedriveResult> {
    this.#enter()
    return this.#dead.redrive(options)
  }

  /** Forgets dead letters: all of them, or those that are chosen. Answers how many. */
  purge(options?: DeadSelection<T>): Promise<number> {
    this.#enter()
    return this.#dead.purge(options)
  }

  /**
   * Another priority for a job that waits. False for one that runs, or is not there.
   *
   * throws  ConfigError in a queue of another mode than `'priority'`
   */
  async reprioritize(id: string, priority: number): Promise<boolean> {
    if (this.#options.mode !== 'priority') throw new ConfigError('mode', "'priority', to move jobs", this.#options.mode)
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
    this.#enter()
    if (typeof id !== 'string') throw new ConfigError('id', 'the id of a job', id)
    for (const { keys } of this.#layouts) {
      const { delayed, ids, bodies, ranked, grouped } = keys
      const operation = priority === '' ? 'queue.remove' : 'queue.reprioritize'
      const args = { id, priority }
      const options = { operation, repeat: false }
      const [word] = await moveScript.run(this.#redis, { delayed, ids, bodies, ranked, grouped }, args, options)
      if (word === 'moved') return true
    }
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
    this.#enter()
    const args = { paused, channel: bellPrefix(this.#redis.keyspace) }
    const options = { operation: paused === 1 ? 'queue.pause' : 'queue.resume', repeat: true }
    await Promise.all(
      this.#layouts.map(({ keys: { state, idle } }) => pauseScript.run(this.#redis, { state, idle }, args, options)),
    )
  }

  /** What this process did: its workers, and endings that did not count. */
  get stats() {
    return {
      held: this.#crew.held,
      refused: this.#refused + [...this.#workers].reduce((sum, { stats }) => sum + stats.refused, 0),
      workers: [...this.#workers].map(({ stats }) => stats),
      lastError: this.#lastError,
    }
  }

  #enter(): void {
    if (this.#closing !== undefined) throw new ConnectionError('CONNECTION_CLOSED', 'queue', 'close() was called')
    if (this.#vetted) return
    this.#vetted = true
    const { keyspace } = this.#redis
    const [layout] = this.#layouts as [Layout]
    const rights = queueRights(keyspace, this.name)
    this.#redis.vet('queue', 'state', rights, layout.keys.state, bellPrefix(keyspace) + this.#bell.id).catch(() => {})
  }

  /** Closes its workers in this process, and hands back what was taken and not ended. */
  close(options?: CloseOptions): Promise<void> {
    this.#closing ??= this.#end(options)
    return this.#closing
  }

  async #end(options: CloseOptions | undefined): Promise<void> {
    await Promise.all([...this.#workers].map((worker) => worker.close(options)))
    await this.#crew.close()
    this.#onClosed()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}

interface Prepared {
  readonly id: string
  readonly shard: number
  readonly posting: Posting
}
