import { checkInteger, checkKnown } from '../base/check.ts'
import { ConfigError } from '../base/errors.ts'
import type { Redis } from '../redis/redis.ts'
import { type AlarmOptions, LagAlarm } from './alarm.ts'
import type { LogEntry } from './entry.ts'
import { type DeadEntry, type GroupView, inspectGroup, readDead } from './inspect.ts'
import type { LogKeys } from './keys.ts'
import { openScript, redriveScript, removeScript, seekScript } from './lua.generated.ts'
import {
  checkPoint,
  type LogPoint,
  type ProcessBatchOptions,
  type ProcessOptions,
  type ResolvedGroupOptions,
  resolveProcessOptions,
} from './options.ts'
import type { GroupPlace } from './place.ts'
import { type Handler, type HandlerContext, LogWorker } from './worker.ts'

/** Most dead entries that are looked at or redriven by one call of the server. */
const MOST_DEAD = 100

export interface RedriveOptions {
  /** Which, by the ids of the entries. Default: the oldest. */
  readonly ids?: readonly string[]
  /** Most entries, 1 to 10,000. Default 10,000. */
  readonly limit?: number
}

/** What a group needs of its log. */
export interface GroupHost {
  readonly redis: Redis
  readonly name: string
  readonly keys: LogKeys
  enter(): void
  /** Rings the worker when there is something new, until it is closed. */
  add(worker: LogWorker): void
  drop(worker: LogWorker): void
  /** Closes it with the log, unless it was forgotten before. */
  keep(alarm: LagAlarm): void
  forget(alarm: LagAlarm): void
}

/**
 * One of any number of readers of a log, each of which gets every entry: at least once, by one of its processes. Made by `log.group(name)`.
 *
 * promise  What a dead process had is given to others within its lease and a second. An entry is done when its handler has answered; one that
 *          has lost its lease is not heard any more. Retries and dead entries are the group's own, others do not notice them.
 */
export class LogGroup<T> {
  readonly name: string
  readonly #host: GroupHost
  readonly #how: ResolvedGroupOptions
  readonly #place: GroupPlace
  #opened: Promise<void> | undefined

  /** @internal Made by `log.group`. */
  constructor(host: GroupHost, name: string, how: ResolvedGroupOptions) {
    this.name = name
    this.#host = host
    this.#how = how
    const { redis, keys } = host
    const open = async ({ from, dropMs }: ResolvedGroupOptions): Promise<void> => {
      host.enter()
      const args = { group: name, from, dropMs }
      await openScript.run(redis, { entries: keys.entries, state: keys.state, gone: keys.gone }, args, {
        operation: 'log.open',
        repeat: true,
      })
    }
    this.#place = { redis, name: host.name, keys, group: name, own: keys.group(name), keepDead: how.keepDead, open }
  }

  /** Makes the group if it is not there: from now on it gets what is appended. `process` does so by itself. */
  open(): Promise<void> {
    this.#opened ??= this.#place.open(this.#how).catch((error) => {
      this.#opened = undefined
      throw error
    })
    return this.#opened
  }

  /**
   * Gives each entry to `handler`, in this process, from now until the worker is closed. An error of the handler is a failure: the entry is
   * tried again as `retry` says, and then it is dead.
   *
   * returns  at once; what fails meanwhile is told to `onError`
   * throws   ConfigError for wrong options
   */
  process(
    handler: (entry: LogEntry<T>, context: HandlerContext) => Promise<unknown> | unknown,
    options?: ProcessOptions,
  ): LogWorker {
    checkHandler(handler)
    return this.#process(([entry], context) => handler(entry as LogEntry<T>, context), options, false)
  }

  /** The same, of many at once: all of a batch are done, or all have failed; what has failed runs alone from then on. */
  processBatches(
    handler: (entries: readonly LogEntry<T>[], context: HandlerContext) => Promise<unknown> | unknown,
    options?: ProcessBatchOptions,
  ): LogWorker {
    checkHandler(handler)
    return this.#process(handler as Handler, options, true)
  }

  #process(handler: Handler, options: ProcessBatchOptions | undefined, batches: boolean): LogWorker {
    this.#host.enter()
    const resolved = resolveProcessOptions(options, batches)
    const worker: LogWorker = new LogWorker(this.#place, this.#how, resolved, handler, () => this.#host.drop(worker))
    this.#host.add(worker)
    return worker
  }

  /** How it stands; undefined for a group that has not been opened. */
  inspect(): Promise<GroupView | undefined> {
    this.#host.enter()
    return inspectGroup(this.#host.redis, this.#host.keys, this.name)
  }

  /**
   * Has somebody told when this group is too far behind, from this process, until the alarm is closed or `hf.close()`.
   *
   * throws  ConfigError for wrong options
   */
  alarm(options: AlarmOptions): LagAlarm {
    this.#host.enter()
    const alarm: LagAlarm = new LagAlarm(
      () => this.inspect(),
      options,
      () => this.#host.forget(alarm),
    )
    this.#host.keep(alarm)
    return alarm
  }

  /** What this group has given up, the oldest first. `limit`: 1 to 10,000, default 100. */
  async deadLetters(options: { readonly limit?: number } = {}): Promise<readonly DeadEntry<T>[]> {
    checkKnown('options', options, ['limit'])
    this.#host.enter()
    const limit = checkInteger('limit', options.limit ?? 100, 1, 10_000)
    const found = await readDead(this.#host.redis, this.#place.own, limit)
    return found.map(({ dead }) => dead as DeadEntry<T>)
  }

  /** Has dead entries delivered again, to this group alone, after all that is in the log by now. Answers how many. */
  async redrive(options: RedriveOptions = {}): Promise<number> {
    const { redis, keys } = this.#host
    const { dead } = this.#place.own
    const places = await this.#chosen(options)
    let count = 0
    for (let i = 0; i < places.length; i += MOST_DEAD) {
      const ids = places.slice(i, i + MOST_DEAD)
      const args = { group: this.name, channel: keys.channel, ids }
      const script = { entries: keys.entries, state: keys.state, dead }
      count += (await redriveScript.run(redis, script, args, { operation: 'log.redrive', repeat: true }))[1]
    }
    return count
  }

  /** Forgets dead entries. Answers how many. */
  async purge(options: RedriveOptions = {}): Promise<number> {
    const { dead } = this.#place.own
    const places = await this.#chosen(options)
    let count = 0
    for (let i = 0; i < places.length; i += MOST_DEAD) {
      const args = [dead, ...places.slice(i, i + MOST_DEAD)]
      count += Number(await this.#host.redis.call(dead, 'XDEL', args, { operation: 'log.purge', repeat: true }))
    }
    return count
  }

  /** The places of the dead entries that are meant. */
  async #chosen(options: RedriveOptions): Promise<readonly string[]> {
    checkKnown('options', options, ['ids', 'limit'])
    this.#host.enter()
    const limit = checkInteger('limit', options.limit ?? 10_000, 1, 10_000)
    const { ids } = options
    if (ids !== undefined && (!Array.isArray(ids) || ids.some((id) => typeof id !== 'string')))
      throw new ConfigError('ids', 'a list of ids', ids)
    const wanted = ids && new Set(ids)
    const most = wanted === undefined ? limit : Number.POSITIVE_INFINITY
    const found = await readDead(this.#host.redis, this.#place.own, most)
    const places = found.filter(({ dead }) => wanted?.has(dead.id) ?? true).map(({ place }) => place)
    return places.slice(0, limit)
  }

  /**
   * Has the group go on from some other point, back to have entries again, or forth to pass over some. What it has at work or waiting for its
   * next try is given up: handlers are told by their signals (`LOG_LEASE_LOST`), and what they answer settles nothing. Dead entries stay.
   *
   * from     `'first'`: all that there is; `'now'`; an entry's id; a Date. What was trimmed is passed over
   * returns  how many entries it has before it now
   * throws   ConfigError for a group that has not been opened
   */
  async seek(from: LogPoint): Promise<number> {
    const point = checkPoint(from)
    this.#host.enter()
    const { redis, keys, name } = this.#host
    const { consumers, retry, marks, line } = this.#place.own
    const script = { entries: keys.entries, state: keys.state, own: [consumers, retry, marks, line] }
    const args = { group: this.name, from: point, channel: keys.channel }
    // Sent twice it ends once more what was given in between: that comes again, as it may.
    const [word, lag] = await seekScript.run(redis, script, args, { operation: 'log.seek', repeat: true })
    if (word === 'unknown') throw new ConfigError('group', `one of the log '${name}' that was opened`, this.name)
    return lag
  }

  /**
   * Ends the group with its retries and dead entries; the log keeps its entries. Its workers end, in every process: their handlers' signals
   * fire with LOG_GROUP_REMOVED, which their `onError` is told too. One that nobody processes holds up trimming.
   */
  async remove(): Promise<void> {
    this.#host.enter()
    const { redis, keys } = this.#host
    const { consumers, retry, marks, dead, line } = this.#place.own
    const own = [consumers, retry, marks, dead, line]
    const script = { entries: keys.entries, state: keys.state, gone: keys.gone, own }
    await removeScript.run(
      redis,
      script,
      { group: this.name, channel: keys.channel },
      { operation: 'log.remove', repeat: true },
    )
    this.#opened = undefined
  }
}

function checkHandler(handler: unknown): void {
  if (typeof handler !== 'function') throw new ConfigError('handler', 'a function', handler)
}
