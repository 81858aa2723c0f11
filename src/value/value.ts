import { backoffMs } from '../base/backoff.ts'
import { checkName } from '../base/check.ts'
import { sleep, unlessAborted } from '../base/clock.ts'
import { encode } from '../base/codec.ts'
import { ConfigError } from '../base/errors.ts'
import { Observed, type Operation } from '../base/observe.ts'
import { ValueConflictError } from './errors.ts'
import { readLog, type Seen, type ValueLogEntry } from './inspect.ts'
import type { ValueKeys } from './keys.ts'
import {
  checkLog,
  checkSet,
  checkUpdate,
  type LogOptions,
  type ResolvedValueOptions,
  resolveValueOptions,
  type UpdateOptions,
  type ValueCallOptions,
  type ValueOptions,
  type ValueSetOptions,
} from './options.ts'
import { ANY, type ValueStore } from './store.ts'

/** The wait after a conflict: a rival's write takes about a round trip. */
const RETRY_BASE_MS = 1
const RETRY_MAX_MS = 100

const OBSERVED = {
  get: new Observed('value.get'),
  set: new Observed('value.set'),
  delete: new Observed('value.delete'),
  update: new Observed('value.update'),
  log: new Observed('value.log'),
} as const

/**
 * One value that many processes change, by compare-and-set: what WATCH, MULTI and EXEC are used for, without a connection of one's own.
 * Made by `hf.value(name)`.
 *
 * promise  an update is applied to the very value that it was made from, or not at all, and at most once, whatever connections break;
 *          while the primary keeps its memory. A failover may lose the last writes.
 * costs    `get`, `set`, `delete` one round trip; `update` two, and one more for each conflict
 */
export class Value<T, Entry = unknown> {
  readonly name: string
  readonly #store: ValueStore
  readonly #keys: ValueKeys
  readonly #options: ResolvedValueOptions

  /** @internal Made by `hf.value`. */
  constructor(store: ValueStore, name: string, options?: ValueOptions) {
    this.name = checkName('name', name)
    this.#options = resolveValueOptions(options)
    this.#store = store
    this.#keys = store.keysOf(name)
  }

  /** The value, or undefined where there is none. */
  async get(options: ValueCallOptions = {}): Promise<T | undefined> {
    options.signal?.throwIfAborted()
    const work = OBSERVED.get.run({ value: this.name }, () => this.#store.read(this.#keys, 'value.get'))
    const { content } = await unlessAborted(work, options.signal)
    return content as T | undefined
  }

  /**
   * Gives the value a content, whatever it was. An update that is under way elsewhere finds that, and is made anew.
   *
   * throws  VALUE_UNWRITABLE for what cannot be stored; TIMEOUT, CONNECTION_LOST with `sent`: it may stand
   */
  async set(value: T, options: ValueSetOptions = {}): Promise<void> {
    const ttlMs = checkSet(options, this.#options.ttlMs)
    if (value === undefined) throw new ConfigError('value', 'a value; delete() ends it', value)
    const content = encode(value)
    options.signal?.throwIfAborted()
    const work = OBSERVED.set.run({ value: this.name }, () =>
      this.#store.write(this.#keys, { base: ANY, content, ttlMs, log: undefined }, 'value.set'),
    )
    await unlessAborted(work, options.signal)
  }

  /** Ends the value and its log. */
  async delete(options: ValueCallOptions = {}): Promise<void> {
    options.signal?.throwIfAborted()
    const work = OBSERVED.delete.run({ value: this.name }, () => this.#store.remove(this.#keys, 'value.delete'))
    await unlessAborted(work, options.signal)
  }

  /**
   * Makes a new value of the one that is there, and writes it if nobody has changed it meanwhile; otherwise again, with what it is then.
   *
   * change   gets the value, or undefined where there is none, and answers the new one, or undefined to leave it alone. It may be async,
   *          and runs once a try: what it does beside may happen several times.
   * returns  the value as it is then
   * throws   ValueConflictError (VALUE_CONFLICT) when the retries are out; what `change` throws; VALUE_UNWRITABLE; TIMEOUT,
   *          CONNECTION_LOST with `sent`: it may stand
   */
  async update<R extends T | undefined>(
    change: (value: T | undefined) => R | Promise<R>,
    options: UpdateOptions<T, Entry> = {},
  ): Promise<undefined extends R ? T | undefined : T> {
    if (typeof change !== 'function') throw new ConfigError('change', 'a function of the value', change)
    const { retries, ttlMs } = checkUpdate(options as UpdateOptions<never, unknown>, this.#options.ttlMs)
    options.signal?.throwIfAborted()
    const work = OBSERVED.update.run({ value: this.name }, (operation) =>
      this.#update(change, options, retries, ttlMs, operation),
    )
    return (await unlessAborted(work, options.signal)) as undefined extends R ? T | undefined : T
  }

  async #update(
    change: (value: T | undefined) => T | undefined | Promise<T | undefined>,
    { log, signal }: UpdateOptions<T, Entry>,
    retries: number,
    ttlMs: number,
    operation: Operation,
  ): Promise<T | undefined> {
    const end = await this.#store.turns.take(this.#keys.value)
    try {
      let seen = await this.#store.read(this.#keys, 'value.update')
      for (let tries = 1; ; tries++) {
        signal?.throwIfAborted()
        const before = seen.content as T | undefined
        const changing = change(before)
        // Whoever takes his time gives up his turn: others of this process need not wait for it, nor would he for himself.
        if (isPromise(changing)) end()
        const after = await changing
        operation.tries = tries
        operation.outcome = after === undefined ? 'left' : 'written'
        if (after === undefined) return before
        const found = await this.#write(before, after, seen, log, ttlMs)
        if (found === undefined) return after
        operation.outcome = 'conflict'
        if (tries > retries) throw new ValueConflictError(this.name, tries)
        seen = found
        if (tries === 1) continue
        // Rivals met twice: they had better come apart. What was found is old after the wait.
        await sleep(backoffMs(tries - 2, RETRY_BASE_MS, RETRY_MAX_MS), signal)
        seen = await this.#store.read(this.#keys, 'value.update')
      }
    } finally {
      end()
    }
  }

  #write(
    before: T | undefined,
    after: T,
    { version: base }: Seen,
    log: UpdateOptions<T, Entry>['log'],
    ttlMs: number,
  ): Promise<Seen | undefined> {
    const entry = log?.(before, after)
    const { keepLog: keep } = this.#options
    return this.#store.write(
      this.#keys,
      { base, content: encode(after), ttlMs, log: entry === undefined ? undefined : { entry: encode(entry), keep } },
      'value.update',
    )
  }

  /** What updates wrote into the log, the newest first. */
  async log(options: LogOptions = {}): Promise<readonly ValueLogEntry<Entry>[]> {
    const limit = checkLog(options)
    options.signal?.throwIfAborted()
    const work = OBSERVED.log.run({ value: this.name }, () => readLog(this.#store.redis, this.#keys, limit))
    return (await unlessAborted(work, options.signal)) as readonly ValueLogEntry<Entry>[]
  }
}

const isPromise = (value: unknown): boolean =>
  typeof (value as { then?: unknown } | null | undefined)?.then === 'function'
