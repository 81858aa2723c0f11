import { checkBoolean, checkFunction, checkKnown } from '../base/check.ts'
import { type Duration, toMs } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { shortKey, stableKey } from '../base/stable-key.ts'
import type { LoadContext } from './load-context.ts'
import { checkSetOptions, checkTags, type Load, type SetOptions } from './options.ts'

export interface WrapOptions<Args extends readonly unknown[]> {
  /**
   * What of the arguments counts: whatever two calls share a value by. A list is taken like arguments, a text as it is, so that
   * `invalidatePattern` can match it. Default: all arguments.
   */
  readonly key?: (...args: Args) => unknown
  /** Stands before the key, and keeps apart what different functions answer. Default: the function's name. Give one where code is minified. */
  readonly name?: string
  /** How long these values are fresh. Default: the cache's `ttl`. */
  readonly ttl?: Duration
  /** Tags of these values, or of one by its arguments, beside the cache's own. */
  readonly tags?: readonly string[] | ((...args: Args) => readonly string[])
  /** True: the function gets the loader's context as its last argument, beside those that it is called with. */
  readonly withContext?: boolean
}

/** The parameters of a function that takes a loader's context last. */
export type WithoutContext<F extends (...args: never) => unknown> =
  Parameters<F> extends readonly [...infer Args, LoadContext] ? Args : never

/** A function whose answers are cached, with the parameters of the function that it stands for. */
export interface Wrapped<Args extends readonly unknown[], R> {
  (...args: Args): Promise<R>
  /** The same, for callers who may leave, or whose values live otherwise. */
  with(options: SetOptions): (...args: Args) => Promise<R>
  /** What is cached for these arguments, if anything; never calls the function. */
  peek(...args: Args): Promise<R | undefined>
  /** Removes what is cached for these arguments, and voids a call that is under way. */
  delete(...args: Args): Promise<void>
  /** The id in the cache of what these arguments give. */
  key(...args: Args): string
}

/** What a wrapped function needs of its cache. */
export interface WrappingCache {
  get(id: string, load: Load<unknown>, options?: SetOptions): Promise<unknown>
  peek(id: string): Promise<unknown>
  delete(id: string): Promise<void>
  /** The function's text says that it gives tags by its context. */
  expectTags(): void
}

type Args = readonly unknown[]
// biome-ignore lint/suspicious/noExplicitAny: any function at all
type AnyFunction = (...args: any[]) => unknown

/** The options of a wrap but its name, checked, with every duration in ms. */
interface ResolvedWrap {
  readonly key: ((...args: Args) => unknown) | undefined
  readonly ttlMs: number | undefined
  readonly tags: readonly string[] | ((...args: Args) => readonly string[]) | undefined
  readonly withContext: boolean
}

interface Known {
  readonly fn: AnyFunction
  readonly options: ResolvedWrap
  readonly wrapped: Wrapped<Args, unknown>
}

/** The functions that are wrapped in one cache, by their names. */
export class Wraps {
  readonly #cache: WrappingCache
  readonly #byName = new Map<string, Known>()

  constructor(cache: WrappingCache) {
    this.#cache = cache
  }

  /** The very same function with the same options gives the same again; else a name that is in use is refused, or they would share values. */
  wrap(fn: AnyFunction, given: WrapOptions<Args> = {}): Wrapped<Args, unknown> {
    if (typeof fn !== 'function') throw new ConfigError('fn', 'a function', fn)
    const options = resolveWrap(given)
    const name = checkWrapName(given.name ?? fn.name.replace(/^(bound )+/, ''))
    const known = this.#byName.get(name)
    if (known !== undefined) {
      const other = known.fn === fn ? differing(known.options, options) : 'fn'
      if (other === undefined) return known.wrapped
      const inUse = other === 'fn' ? 'by another function' : `with another '${other}'`
      throw new ConfigError(
        'name',
        `one for each function and its options in a cache; '${name}' is in use ${inUse}`,
        name,
      )
    }
    if (options.withContext && String(fn).includes('setTags')) this.#cache.expectTags()
    const wrapped = this.#make(name, fn, options)
    this.#byName.set(name, { fn, options, wrapped })
    return wrapped
  }

  #make(name: string, fn: AnyFunction, options: ResolvedWrap): Wrapped<Args, unknown> {
    const cache = this.#cache
    const { key: keyOf, ttlMs, tags, withContext } = options
    const key = (...args: Args) => name + idOf(keyOf === undefined ? args : keyOf(...args))
    const call = async (args: Args, given: SetOptions | undefined) => {
      const id = key(...args)
      // Without a `this`: callers share the answer, so it cannot depend on through what one of them called.
      const load = (_: string, context: LoadContext) =>
        fn.apply(undefined, withContext ? [...args, context] : [...args])
      const own = typeof tags === 'function' ? checkTags('tags', tags(...args)) : tags
      const plan = { ...(ttlMs === undefined ? {} : { ttl: ttlMs }), ...given }
      if (own !== undefined) plan.tags = [...own, ...(given?.tags ?? [])]
      return cache.get(id, load as Load<unknown>, plan)
    }
    const wrapped = (...args: Args) => call(args, undefined)
    return Object.assign(Object.defineProperty(wrapped, 'name', { value: name }), {
      with: (given: SetOptions) => {
        checkSetOptions(given)
        return (...args: Args) => call(args, given)
      },
      peek: async (...args: Args) => cache.peek(key(...args)),
      delete: async (...args: Args) => cache.delete(key(...args)),
      key,
    })
  }
}

function resolveWrap(options: WrapOptions<Args>): ResolvedWrap {
  checkKnown('', options, ['key', 'name', 'ttl', 'tags', 'withContext'])
  const { key, ttl, tags, withContext = false } = options
  return {
    key: checkFunction('key', key),
    ttlMs: ttl === undefined ? undefined : toMs(ttl, 'ttl'),
    tags: tags === undefined || typeof tags === 'function' ? tags : checkTags('tags', tags),
    withContext: checkBoolean('withContext', withContext),
  }
}

/** The first option that is not the same in both. Functions must be the very same: what they close over may differ where their text does not. */
function differing(a: ResolvedWrap, b: ResolvedWrap): string | undefined {
  if (a.key !== b.key) return 'key'
  if (a.ttlMs !== b.ttlMs) return 'ttl'
  if (a.withContext !== b.withContext) return 'withContext'
  const lists = [a.tags, b.tags].map((tags) => (Array.isArray(tags) ? JSON.stringify([...tags].sort()) : tags))
  return lists[0] === lists[1] ? undefined : 'tags'
}

/** Letters that end a name in an id, and those that mean something to `invalidatePattern`. */
function checkWrapName(name: unknown): string {
  if (typeof name !== 'string' || name === '' || name.length > 100 || /[:=#[\]*?\\\s]/.test(name))
    throw new ConfigError(
      'name',
      'a name of 1 to 100 letters but : = # [ ] * ? \\ and spaces, where the function has none',
      name,
    )
  return name
}

/** `["select 1",[7]]` for a list of arguments, `:text` for a text, `=[7]` for anything else. */
function idOf(key: unknown): string {
  if (typeof key === 'string') return shortKey(':', key)
  return Array.isArray(key) ? shortKey('', stableKey(key)) : shortKey('=', stableKey([key]))
}
