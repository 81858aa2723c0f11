import { checkBoolean, checkFunction, checkKnown, checkName, checkSignal } from '../base/check.ts'
import { unlessAborted } from '../base/clock.ts'
import { encode } from '../base/codec.ts'
import { ConfigError, ConnectionError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import type { Redis } from '../redis/redis.ts'
import type { LagAlarm } from './alarm.ts'
import { Appender } from './appender.ts'
import { Bell } from './bell.ts'
import { fieldsOf, type LogEntry, toEntry } from './entry.ts'
import { LogGapError } from './errors.ts'
import { type GroupHost, LogGroup } from './group.ts'
import { type GroupView, inspectGroups } from './inspect.ts'
import { LogKeys } from './keys.ts'
import {
  type AppendManyOptions,
  type AppendOptions,
  checkAppend,
  checkRead,
  type GroupOptions,
  type IterateOptions,
  type ReadOptions,
  type ResolvedLogOptions,
  resolveGroupOptions,
  startOf,
} from './options.ts'
import { Retention } from './retention.ts'
import { logRights } from './rights.ts'
import type { LogWorker } from './worker.ts'

const observed = { append: new Observed('log.append'), read: new Observed('log.read') }
const PAGE = 200
/** Who follows looks this often, whatever was heard. */
const POLL_MS = 1_000

/**
 * A durable log of events that any number of groups read, each at its own pace, from any point. Made by `hf.log(name, options)`.
 *
 * promise  an append that was acknowledged stands once, in the order of the log, while the primary keeps its memory; every group gets every
 *          entry at least once; nothing is trimmed that a group has not done, unless that group said so. A failover may lose the last appends.
 * costs    append: one round trip for all that comes while another is under way. All of one log lives on one server.
 */
export class Log<T = unknown> implements GroupHost {
  readonly name: string
  readonly #redis: Redis
  readonly #keys: LogKeys
  readonly #appender: Appender
  readonly #retention: Retention
  readonly #bell: Bell
  readonly #workers = new Set<LogWorker>()
  readonly #alarms = new Set<LagAlarm>()
  #vetted = false
  #closing: Promise<void> | undefined

  /** @internal Made by `hf.log`. */
  constructor(redis: Redis, name: string, options: ResolvedLogOptions) {
    this.name = name
    this.#redis = redis
    this.#keys = new LogKeys(redis.keyspace, name)
    this.#appender = new Appender(redis, this.#keys, options.dedupeMs)
    this.#retention = new Retention(redis, this.#keys, name, options)
    this.#bell = new Bell(redis, this.#keys)
  }

  /**
   * Appends one entry.
   *
   * returns  its id, once it stands; with an `id` that was appended before, the one it has since
   * throws   VALUE_UNWRITABLE; SERVER_FULL; TIMEOUT, CONNECTION_LOST: with `sent` it may stand. With an `id` it is safe to try again
   */
  async append(data: T, options: AppendOptions = {}): Promise<string> {
    checkAppend(options)
    this.enter()
    const add = async () => this.#appender.add(encode(data), options.key, options.id)
    return observed.append.heard ? observed.append.run({ log: this.name, count: 1 }, add) : add()
  }

  /** Appends many, in order; answers their ids. What was sent in other calls before an error stands. */
  async appendMany(all: readonly T[], options: AppendManyOptions<T> = {}): Promise<readonly string[]> {
    if (!Array.isArray(all)) throw new ConfigError('data', 'an array', all)
    checkKnown('options', options, ['key', 'id'])
    const [keyOf, idOf] = [checkFunction('key', options.key), checkFunction('id', options.id)]
    this.enter()
    // All are written down before the first is sent: one that cannot be stored keeps none of them half-way.
    const each = all.map((data, i) => {
      const key = keyOf?.(data, i)
      const id = idOf?.(data, i)
      checkAppend({ ...(key !== undefined && { key }), ...(id !== undefined && { id }) })
      return [encode(data), key, id] as const
    })
    const add = () => Promise.all(each.map(([data, key, id]) => this.#appender.add(data, key, id)))
    return observed.append.run({ log: this.name, count: all.length }, add)
  }

  /**
   * One of the readers of this log. The same name is the same group, in every process.
   *
   * name     any string of at most 512 bytes
   * options  see GroupOptions; `from` counts when the group is made, by `open()` or the first `process()`
   */
  group(name: string, options?: GroupOptions): LogGroup<T> {
    return new LogGroup<T>(this, checkName('group', name), resolveGroupOptions(options))
  }

  /** Every group that was opened, with how far it is behind. */
  groups(): Promise<readonly GroupView[]> {
    this.enter()
    return inspectGroups(this.#redis, this.#keys)
  }

  /** Entries from a point on, in order. Groups do not notice. */
  async read(options: ReadOptions = {}): Promise<readonly LogEntry<T>[]> {
    const { start, limit, signal } = checkRead(options)
    signal?.throwIfAborted()
    this.enter()
    const work = observed.read.run({ log: this.name }, async () => {
      const found: LogEntry<T>[] = []
      for (let from = start; found.length < limit; ) {
        const { entries, last, atEnd } = await this.#page(from, limit - found.length)
        found.push(...entries)
        if (atEnd) break
        from = `(${last}`
      }
      return found
    })
    return unlessAborted(work, signal)
  }

  /**
   * The entries from a point on, one after another; with `follow` also those that are appended later, until the loop is left or `signal` fires.
   *
   * throws  LogGapError (STREAM_LOST) when entries after the last one read were trimmed meanwhile; `signal.reason`
   */
  async *entries(options: IterateOptions = {}): AsyncGenerator<LogEntry<T>, void, void> {
    checkKnown('options', options, ['from', 'after', 'follow', 'signal'])
    const { from = 'first', after } = options
    const follow = checkBoolean('follow', options.follow ?? false)
    const signal = checkSignal(options.signal)
    this.enter()
    let start = from === 'now' && after === undefined ? await this.#end() : startOf(from, after)
    let before: { readonly id: string; readonly position: number } | undefined
    // Heard from before the first look on, so that nothing falls between.
    const ear = follow ? this.#bell.ear() : undefined
    try {
      for (;;) {
        signal?.throwIfAborted()
        ear?.reset()
        const { entries, last, position, first, atEnd } = await this.#page(start, PAGE)
        if (before !== undefined && first !== undefined && first > before.position + 1)
          throw new LogGapError(this.name, before.id, first - before.position - 1)
        yield* entries
        if (last !== undefined) {
          before = { id: last, position }
          start = `(${last}`
        }
        if (!atEnd) continue
        if (ear === undefined) return
        await ear.heard(POLL_MS, signal)
      }
    } finally {
      ear?.close()
    }
  }

  /** After the last entry that there is. */
  async #end(): Promise<string> {
    const { entries } = this.#keys
    const rows = await this.#redis.call(entries, 'XREVRANGE', [entries, '+', '-', 'COUNT', 1], READING)
    return `(${(rows as readonly (readonly [string])[])[0]?.[0] ?? '0-0'}`
  }

  async #page(start: string, most: number) {
    const { entries: key } = this.#keys
    const count = Math.min(1_000, most)
    const rows = await this.#redis.call(key, 'XRANGE', [key, start, '+', 'COUNT', count], READING)
    const all = (rows as readonly (readonly [string, readonly string[]])[]).map(
      ([id, flat]) => [id, fieldsOf(flat)] as const,
    )
    const number = (at: number) => Number(all.at(at)?.[1].get('n'))
    // What was redriven to one group is nobody else's.
    const own = all.filter(([, fields]) => !fields.has('g'))
    return {
      entries: own.map(([id, f]) =>
        toEntry<T>(id, f.get('n') ?? '', f.get('d') ?? '', f.get('t') ?? '', f.get('k') ?? ''),
      ),
      last: all.at(-1)?.[0],
      position: number(-1),
      first: all.length === 0 ? undefined : number(0),
      atEnd: all.length < count,
    }
  }

  /** Removes what `retention` allows, now; answers how many entries went. Every process that uses the log does so by itself. */
  trim(): Promise<number> {
    this.enter()
    return this.#retention.trim()
  }

  /** @internal */
  get redis(): Redis {
    return this.#redis
  }

  /** @internal */
  get keys(): LogKeys {
    return this.#keys
  }

  /** @internal */
  enter(): void {
    if (this.#closing !== undefined) throw new ConnectionError('CONNECTION_CLOSED', 'log', 'close() was called')
    if (this.#vetted) return
    this.#vetted = true
    const { keyspace } = this.#redis
    this.#redis.vet('log', 'state', logRights(keyspace), this.#keys.entries, this.#keys.channel).catch(() => {})
  }

  /** @internal */
  add(worker: LogWorker): void {
    this.#workers.add(worker)
    this.#bell.add(worker)
  }

  /** @internal */
  drop(worker: LogWorker): void {
    this.#workers.delete(worker)
    this.#bell.delete(worker)
  }

  /** @internal */
  keep(alarm: LagAlarm): void {
    this.#alarms.add(alarm)
  }

  /** @internal */
  forget(alarm: LagAlarm): void {
    this.#alarms.delete(alarm)
  }

  /** @internal Called by `hf.close()`: handlers at work are let end, for up to their worker's `timeout`. */
  close(): Promise<void> {
    this.#closing ??= (async () => {
      await Promise.all([this.#retention, ...this.#alarms, ...this.#workers].map((one) => one.close()))
      this.#bell.close()
    })()
    return this.#closing
  }
}

const READING = { operation: 'log.read', repeat: true } as const
