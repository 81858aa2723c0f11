import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { LoadTimeoutError } from './errors.ts'
import type { LoadContext, LoadManyContext } from './load-context.ts'
import { checkTags } from './options.ts'

/** What a loader said of a value. */
export interface Said {
  ttlMs?: number
  tags?: readonly string[]
  skipped?: boolean
  /** The stale value is what there is. */
  unchanged?: boolean
}

export interface LoadingRoom {
  readonly cache: string
  readonly hardMs: number | undefined
  /** Loads whose loader listens: told when the cache is closed. */
  readonly listening: Set<Loading>
  timedOut(): void
}

const NOTHING_SAID: Said = {}

/**
 * One load, of one id or of many: who waits for it, how long that may last, and what its loader says of what it brings.
 *
 * It is over when nobody waits any more, be it that all callers left or that it took too long. Then the loader's signal fires and nobody
 * boards; what the loader brings all the same is stored like anything else, if its lease still stands.
 */
export class Loading {
  readonly #room: LoadingRoom
  #callers = 0
  #over: unknown
  #ended = false
  #controller: AbortController | undefined
  #timer: NodeJS.Timeout | undefined
  #reject: (error: LoadTimeoutError) => void = () => {}
  #said: Map<string, Said> | undefined
  #failure: { readonly error: unknown } | undefined
  /** Called once it is over. */
  onOver = () => {}

  constructor(room: LoadingRoom) {
    this.#room = room
  }

  get isOver(): boolean {
    return this.#over !== undefined
  }

  /** Throws when nobody waits any more: then there is no need to begin. */
  throwIfOver(): void {
    if (this.#over !== undefined) throw this.#over
  }

  /** One more who waits; who has no signal never leaves. */
  join(): void {
    this.#callers++
  }

  leave(): void {
    if (--this.#callers === 0) this.end(new DOMException('Nobody waits for this load any more', 'AbortError'))
  }

  /** `work`, for as long as callers may wait for it. */
  within<T>(work: Promise<T>): Promise<T> {
    if (this.#room.hardMs === undefined) return work
    return new Promise((resolve, reject) => {
      this.#reject = reject
      work.then(resolve, reject).finally(() => clearTimeout(this.#timer))
    })
  }

  /** A loader begins, be it another process's: from the first on the time counts. What Redis takes has a bound of its own. */
  startClock(): void {
    const { hardMs, cache } = this.#room
    if (hardMs === undefined || this.#timer !== undefined || this.#ended) return
    this.#timer = setTimeout(() => {
      const error = new LoadTimeoutError(cache, hardMs)
      this.#room.timedOut()
      this.end(error)
      this.#reject(error)
    }, hardMs)
  }

  /** Nobody waits any more, for this reason. */
  end(reason: unknown): void {
    if (this.#ended || this.#over !== undefined) return
    this.#over = reason
    clearTimeout(this.#timer)
    this.#controller?.abort(reason)
    this.onOver()
  }

  /** The loader has failed, or was refused. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  /** True when callers are told this error by the load itself: its loader's, a refusal, or that it takes too long. */
  failedBy(error: unknown): boolean {
    if (error === this.#over) return error instanceof LoadTimeoutError
    return this.#over === undefined && this.#failure !== undefined && this.#failure.error === error
  }

  /** The loader has answered or failed. */
  answered(): void {
    this.#ended = true
    clearTimeout(this.#timer)
    this.#room.listening.delete(this)
  }

  /** Made when a loader asks for it: most never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#over !== undefined) this.#controller.abort(this.#over)
      else if (!this.#ended) this.#room.listening.add(this)
    }
    return this.#controller.signal
  }

  /** What the loader said of the value of `id`. */
  said(id: string): Said {
    return this.#said?.get(id) ?? NOTHING_SAID
  }

  say(id: string, said: Said): void {
    this.#said ??= new Map()
    this.#said.set(id, { ...this.#said.get(id), ...said })
  }

  /** For the loader of one id. */
  contextOfOne(id: string, stale: unknown): LoadContext {
    return new OneContext(this, id, stale) as unknown as LoadContext
  }

  /** For the loader of many. */
  contextOfMany(): LoadManyContext {
    return new ManyContext(this) as unknown as LoadManyContext
  }
}

// Getters that answer functions: so these need no `this`, and cost nothing unless they are asked for.

class Context {
  readonly #loading: Loading

  constructor(loading: Loading) {
    this.#loading = loading
    Object.defineProperty(this, 'signal', Context.#SIGNAL)
  }

  /** A field of its own, as it looks. */
  static readonly #SIGNAL: PropertyDescriptor & ThisType<Context> = {
    enumerable: true,
    get() {
      return this.#loading.signal
    },
  }

  protected get loading(): Loading {
    return this.#loading
  }
}

class OneContext extends Context {
  readonly #id: string
  readonly #stale: unknown

  constructor(loading: Loading, id: string, stale: unknown) {
    super(loading)
    this.#id = id
    this.#stale = stale
  }

  static isUnchanged(context: object): boolean {
    return #id in context && context.loading.said(context.#id).unchanged === true
  }

  get stale(): unknown {
    return this.#stale
  }

  get setTtl() {
    return (ttl: Duration) => this.loading.say(this.#id, { ttlMs: toMs(ttl, 'ttl') })
  }

  get setTags() {
    return (tags: readonly string[]) => this.loading.say(this.#id, { tags: checkTags('tags', tags) })
  }

  get skip() {
    return () => this.loading.say(this.#id, { skipped: true })
  }

  get notModified() {
    return () => {
      if (this.#stale === undefined)
        throw new ConfigError('notModified()', 'a stale value to keep: look at `stale` first', undefined)
      this.loading.say(this.#id, { unchanged: true })
      return this.#stale
    }
  }
}

class ManyContext extends Context {
  get setTtl() {
    return (id: string, ttl: Duration) => this.loading.say(id, { ttlMs: toMs(ttl, 'ttl') })
  }

  get setTags() {
    return (id: string, tags: readonly string[]) => this.loading.say(id, { tags: checkTags('tags', tags) })
  }

  get skip() {
    return (id: string) => this.loading.say(id, { skipped: true })
  }
}

/** True once the loader that was given this context has called notModified(). */
export const isUnchanged = (context: LoadContext): boolean => OneContext.isUnchanged(context)
