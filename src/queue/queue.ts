import { ConfigError, ConnectionError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import type { Bell } from '../stream/bell.ts'
import type { Delivery } from '../stream/consumer-lease.ts'
import { ShardCrew } from '../stream/crew.ts'
import { bellPrefix } from '../stream/keys.ts'
import type { Layout } from '../stream/layout.ts'
import type { Ending } from '../stream/settlements.ts'
import { Adding } from './adding.ts'
import { Alarm } from './alarm.ts'
import type { Handler } from './attempt.ts'
import type { AddedJob } from './effects.ts'
import { ChildFault, endEventOf, expiredOf, failedOf, PayloadFault } from './endings.ts'
import { type ChildJob, Families, FamilyPostings, type ParentOptions } from './families.ts'
import { Finisher } from './finisher.ts'
import { type ChildOutcome, optionsOf } from './job.ts'
import { Notices } from './notices.ts'
import { QueueOperations } from './operations.ts'
import { type AddOptions, type CloseOptions, checkProcess, type ProcessOptions, type ResolvedQueue } from './options.ts'
import { PulledJob, type PulledOwner } from './pulled.ts'
import { Reports } from './reports.ts'
import { queueRights } from './rights.ts'
import { Scheduler } from './scheduler.ts'
import { Worker } from './worker.ts'

const OBSERVED = {
  add: new Observed('queue.add'),
  take: new Observed('queue.take'),
} as const

/**
 * Jobs that are kept until they are done. Made by `hf.queue(name, options)`.
 *
 * promise  each job runs at least once while the server keeps its data; a killed worker's jobs run elsewhere within the lease; what ends
 *          after its lease was lost is refused; what fails too often, or kills its process, ends among the dead letters
 * costs    one script for a batch of adds; one script for a batch of jobs ended and taken
 */
export class Queue<T = unknown> extends QueueOperations<T> implements AsyncDisposable {
  readonly #adding: Adding
  readonly #families: FamilyPostings
  readonly #crew: ShardCrew
  readonly #desk: PulledOwner
  readonly #scheduler: Scheduler
  readonly #notices: Notices
  readonly #workers = new Set<Worker>()
  readonly #bell: Bell
  readonly #alarm: Alarm
  readonly #onClosed: () => void
  #refused = 0
  #lastError: unknown
  #vetted = false
  #closing: Promise<void> | undefined

  /** @internal Made by `hf.queue`. */
  constructor(redis: Redis, bell: Bell, name: string, options: ResolvedQueue, onClosed: () => void) {
    super(redis, name, options)
    this.#onClosed = onClosed
    this.#bell = bell
    this.#alarm = new Alarm(name)
    this.#adding = new Adding(redis, this.layouts, name, options)
    this.#families = new FamilyPostings(this.postings, this.payloads, options.shards)
    this.#crew = new ShardCrew(redis, this.layouts, bell, {
      ...{ room: 'queue', leaseMs: options.leaseMs, deadMost: Math.ceil(options.keepDead / options.shards) },
      groupMost: options.groupConcurrency,
      rate: options.rate.limit,
      // Each shard has its part: the limit is a whole number, and so the time grows.
      perMs: options.rate.perMs * options.shards,
      onRefused: (count) => {
        this.#refused += count
      },
      onError: (error) => this.#troubled(error),
    })
    const tell = options.keepEvents === 0 ? undefined : this.feed.tell.bind(this.feed)
    this.#desk = {
      tell,
      finisher: new Finisher(redis, this.layouts, this.postings, {
        name,
        // A bound on what comes from outside: jobs that wait for room which only their own ends can make would wait for ever.
        add: async (data, own) => this.#adding.add(this.postings.prepare(await this.payloads.fit(data), own), false),
      }),
      families: new Families(redis, this.layouts, this.postings),
      reports: new Reports(redis, this.layouts, tell),
      timeoutMs: redis.timeoutMs,
      onRefused: () => void this.#refused++,
    }
    this.#scheduler = new Scheduler(this.planned, (error) => this.#troubled(error))
    this.#notices = new Notices(redis, this.layouts, (word, id) => {
      if (word === 'schedules') this.#scheduler.look()
      else if (word === 'cancel') for (const consumer of this.#crew.consumers) consumer.cancel(id)
    })
  }

  /**
   * Adds a job.
   *
   * data     anything that JSON has a word for, and Date, Map, Set, bigint, bytes
   * returns  its id, and whether it was added: not when a job with the `id` given exists. Where a `durability` is asked for, `durable` says
   *          whether it has been reached
   * throws   QUEUE_FULL beyond `maxLength`; SERVER_FULL; VALUE_UNWRITABLE, VALUE_INVALID; TIMEOUT, CONNECTION_LOST: `sent` tells whether it
   *          may have been added, and adding it again under the same `id` is safe
   */
  async add(data: T, options?: AddOptions): Promise<AddedJob> {
    const work = () => this.#add(data, options)
    return OBSERVED.add.heard ? OBSERVED.add.run({ queue: this.name }, work) : work()
  }

  async #add(data: T, options: AddOptions | undefined): Promise<AddedJob> {
    this.enter()
    const fitting = this.payloads.hasSchema ? await this.payloads.fit(data) : data
    return this.#adding.add(this.postings.prepare(fitting, options))
  }

  /**
   * Adds many jobs, up to 500 in one step.
   *
   * options  for all of them, or a function of a payload and its place. Jobs of different `durability` are different steps
   * returns  as `add`, in their order
   * throws   as `add`; where the length is bounded each step is all or nothing, and QUEUE_FULL tells what had been added
   */
  async addMany(
    payloads: readonly T[],
    options?: AddOptions | ((data: T, index: number) => AddOptions | undefined),
  ): Promise<AddedJob[]> {
    if (!Array.isArray(payloads)) throw new ConfigError('payloads', 'an array', payloads)
    this.enter()
    const fitting = this.payloads.hasSchema
      ? await Promise.all(payloads.map((data) => this.payloads.fit(data)))
      : payloads
    const jobs = fitting.map((data, i) =>
      this.postings.prepare(data, typeof options === 'function' ? options(payloads[i] as T, i) : options),
    )
    return this.#adding.addMany(jobs)
  }

  /**
   * Adds a job that waits for others, and those, in one step: all or none. It is ready in the step that ends the last of them, and its handler sees in
   * `job.children` what they came to. All lie in one shard, that of its id; children have its id and `@0@1`, `@0@2`, …
   *
   * children  1 to 499 jobs of this queue, in all, that may have children themselves
   * returns   as `add`, and the ids of its own children: with `added: false` those that this call would have given
   * throws    as `add`; ConfigError for options that a family cannot have
   */
  async addParent(
    data: T,
    children: readonly ChildJob<T>[],
    options?: ParentOptions,
  ): Promise<AddedJob & { readonly children: readonly string[] }> {
    this.enter()
    const family = await this.#families.prepare(data, children, options)
    const shard = this.postings.shardOf({ id: family.id, group: options?.group })
    const added = await this.#adding.addFamily(family, shard, options?.durability ?? this.options.durability)
    return { ...added, children: family.children }
  }

  /**
   * Runs `handler` for the jobs of this queue, in this process, from now until the worker is closed. What it throws counts as a failed
   * attempt; `GiveUp` ends the attempts.
   */
  process(handler: Handler<T>, options?: ProcessOptions): Worker {
    if (typeof handler !== 'function') throw new ConfigError('handler', 'a function (job, context)', handler)
    const checked = checkProcess(options)
    this.enter()
    this.#attend()
    const place = {
      queue: this.name,
      options: this.options,
      payloads: this.payloads,
      handler: handler as Handler<never>,
      ...this.#desk,
    }
    const worker = new Worker(this.#crew, place, checked, this.#alarm, (closed) => this.#workers.delete(closed))
    this.#workers.add(worker)
    return worker
  }

  /**
   * Takes a job by hand, or answers `undefined` at once when there is none. It must be ended by `complete`, `fail` or `release`; until then
   * its lease is renewed by this process, for as long as the job's `timeout` says.
   */
  async take(): Promise<PulledJob<T> | undefined> {
    this.enter()
    this.#attend()
    return OBSERVED.take.run({ queue: this.name }, async (operation) => {
      for (;;) {
        const delivery = await this.#crew.take()
        operation.outcome = delivery === undefined ? 'none' : 'taken'
        if (delivery === undefined) return undefined
        const expired = expiredOf(delivery)
        if (expired !== undefined) {
          this.#settleUntaken(delivery, expired.ending)
          continue
        }
        let children: readonly ChildOutcome[] | undefined
        if (optionsOf(delivery).children !== undefined) {
          try {
            children = await this.#desk.families.gather(delivery)
          } catch (error) {
            if (!(error instanceof ChildFault)) throw error
            this.#alarm.buried(delivery.envelope.id, 'child', error)
            this.#settleUntaken(delivery, failedOf(this.options, delivery, error))
          }
          if (children === undefined) continue
        }
        try {
          const read = this.payloads.read(delivery.envelope)
          const data = (this.payloads.hasSchema ? await this.payloads.fit(read) : read) as T
          if (!delivery.lease.held.has(delivery)) continue
          return new PulledJob(this.name, this.options, delivery, data, this.#desk, children)
        } catch (error) {
          this.#alarm.buried(delivery.envelope.id, 'payload', error)
          this.#settleUntaken(delivery, failedOf(this.options, delivery, new PayloadFault(error)))
        }
      }
    })
  }

  #settleUntaken(delivery: Delivery, ending: Ending): void {
    delivery.lease.settle(delivery, ending, (settled) => settled && this.#desk.tell?.(endEventOf(delivery, ending, 0)))
  }

  #troubled(error: unknown): void {
    this.#lastError = error
    for (const worker of this.#workers) worker.troubled(error)
  }

  /** Jobs are run here: so this process adds those of schedules too, and hears what concerns running ones. */
  #attend(): void {
    this.#scheduler.start()
    this.#notices.start()
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

  /** @internal */
  protected override enter(): void {
    if (this.#closing !== undefined) throw new ConnectionError('CONNECTION_CLOSED', 'queue', 'close() was called')
    if (this.#vetted) return
    this.#vetted = true
    const { keyspace } = this.redis
    const [layout] = this.layouts as [Layout]
    const rights = queueRights(keyspace, this.name, this.options.durability)
    this.redis.vet('queue', 'state', rights, layout.keys.state, bellPrefix(keyspace) + this.#bell.id).catch(() => {})
  }

  /** Closes its workers in this process, and hands back what was taken and not ended. */
  close(options?: CloseOptions): Promise<void> {
    this.#closing ??= this.#end(options)
    return this.#closing
  }

  async #end(options: CloseOptions | undefined): Promise<void> {
    this.#notices.stop()
    await this.#scheduler.stop()
    await Promise.all([...this.#workers].map((worker) => worker.close(options)))
    await this.#crew.close()
    await this.feed.close()
    this.#onClosed()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
