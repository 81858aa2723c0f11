import { checkFunction } from '../base/check.ts'
import { unlessAborted } from '../base/clock.ts'
import { ConfigError } from '../base/errors.ts'
import { Observed } from '../base/observe.ts'
import { isOutage } from '../redis/redis.ts'
import type { LoadPlan } from './load-plan.ts'
import type { MemoryTier } from './memory.ts'
import {
  checkCallOptions,
  checkId,
  type GetOptions,
  type Load,
  type LoadMany,
  type RefreshOptions,
  type SetOptions,
} from './options.ts'
import type { Party } from './party.ts'
import type { RequestLayer } from './per-request.ts'
import type { ReadThrough, ReadThroughRoom } from './read-through.ts'
import type { Reader } from './reader.ts'

const OBSERVED = {
  get: new Observed('cache.get'),
  getMany: new Observed('cache.getMany'),
  peek: new Observed('cache.peek'),
  refresh: new Observed('cache.refresh'),
} as const

/** What a caller's read is beside the look and the load: checked, told of, shared within its request, and left when its signal fires. */
export class CallerReads {
  readonly #room: ReadThroughRoom
  readonly #reads: ReadThrough
  readonly #reader: Reader
  readonly #memory: MemoryTier | undefined
  readonly #layer: RequestLayer

  constructor(
    room: ReadThroughRoom,
    reads: ReadThrough,
    reader: Reader,
    memory: MemoryTier | undefined,
    layer: RequestLayer,
  ) {
    this.#room = room
    this.#reads = reads
    this.#reader = reader
    this.#memory = memory
    this.#layer = layer
  }

  /** `second`: a loader of this call, for whose value `third` are the options, or the options. */
  get(id: string, second: Load<unknown> | GetOptions | undefined, third?: SetOptions): Promise<unknown> {
    const load = typeof second === 'function' ? second : this.#room.options.load
    const options = typeof second === 'function' ? third : second
    let plan: LoadPlan | undefined
    try {
      checkId(id)
      checkCallOptions(options)
      options?.signal?.throwIfAborted()
      plan = load === undefined ? undefined : this.#reads.plan(id, load, options)
    } catch (error) {
      return Promise.reject(error)
    }
    const request = this.#layer.current
    const signal = options?.signal
    if (request === undefined && signal === undefined && !OBSERVED.get.heard) return this.#reads.one(id, plan)
    return OBSERVED.get.run({ cache: this.#room.name, id }, (operation) => {
      const say = (how: string) => {
        operation.outcome = how
      }
      const read = (party?: Party) => this.#reads.one(id, plan, say, undefined, party)
      return this.#layer.one(request, id, plan !== undefined, signal, read, say)
    })
  }

  async getMany(
    ids: Iterable<string>,
    second: LoadMany<unknown> | GetOptions | undefined,
    third?: SetOptions,
  ): Promise<Map<string, unknown>> {
    if (typeof ids !== 'object' || ids === null || typeof ids[Symbol.iterator] !== 'function')
      throw new ConfigError('ids', 'an iterable of strings', ids)
    const wanted = [...new Set(ids)]
    for (const id of wanted) checkId(id)
    const loadMany = typeof second === 'function' ? second : this.#room.options.loadMany
    const options = typeof second === 'function' ? third : second
    checkCallOptions(options)
    options?.signal?.throwIfAborted()
    const request = this.#layer.current
    const loads = loadMany !== undefined || this.#room.options.load !== undefined
    return OBSERVED.getMany.run({ cache: this.#room.name, count: wanted.length }, (operation) => {
      const read = (missing: readonly string[], party?: Party) =>
        this.#reads.many(missing, loadMany, options, (how) => (operation.outcome = how), party)
      return this.#layer.many(request, wanted, loads, options?.signal, read)
    })
  }

  async peek(id: string, options: GetOptions | undefined): Promise<unknown> {
    checkId(id)
    checkCallOptions(options)
    this.#room.enter()
    options?.signal?.throwIfAborted()
    const request = this.#layer.current
    const look = OBSERVED.peek.run({ cache: this.#room.name, id }, (operation) => {
      const read = async () => {
        const found = await this.#reader.look(id, true)
        operation.outcome = found === undefined ? 'miss' : found.stale ? 'stale' : 'hit'
        if (found === undefined) this.#reads.counts.misses++
        return found?.value
      }
      const say = (how: string) => {
        operation.outcome = how
      }
      return this.#layer.one(request, id, false, undefined, read, say)
    })
    try {
      return await unlessAborted(look, options?.signal)
    } catch (error) {
      if (this.#room.options.whenDown === 'throw' || !isOutage(error)) throw error
      return undefined
    }
  }

  async refresh(
    id: string,
    own: Load<unknown> | undefined,
    { unless = () => false, ...options }: RefreshOptions<unknown>,
  ): Promise<unknown> {
    checkId(id)
    checkFunction('unless', unless)
    checkCallOptions(options)
    options.signal?.throwIfAborted()
    const load = own ?? this.#room.options.load
    if (load === undefined) throw new ConfigError('load', 'a loader, of the cache or of this call', own)
    const work = OBSERVED.refresh.run({ cache: this.#room.name, id }, async () => {
      // Nothing that could be loaded is as new as what is not persisted.
      if ((await this.#room.entries.unpersisted?.frameOf(id)) != null) return this.peek(id, undefined)
      const value = await this.#reads.renew(id, this.#reads.plan(id, load, options), unless)
      this.#memory?.forget(id)
      return value
    })
    return unlessAborted(work, options.signal)
  }
}
