import { checkFunction, checkKnown } from '../base/check.ts'
import type { Duration } from '../base/duration.ts'
import { ConfigError } from '../base/errors.ts'
import { shortKey, stableKey } from '../base/stable-key.ts'
import type { LoadContext } from './load-context.ts'
import type { Load, SetOptions } from './options.ts'

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

/** The functions that are wrapped in one cache, by their names. */
export class Wraps {
  readonly #cache: WrappingCache
  readonly #byName = new Map<string, { fn: AnyFunction; key: unknown; wrapped: Wrapped<Args, unknown> }>()

  constructor(cache: WrappingCache) {
    this.#cache = cache
  }

  /** The very same function and `key` give the same again; others under the same name are refused, or they would share values. */
  wrap(fn: AnyFunction, options: WrapOptions<Args> = {}): Wrapped<Args, unknown> {
    if (typeof fn !== 'function') throw new ConfigError('fn', 'a function', fn)
    checkKnown('', options, ['key', 'name', 'ttl', 'tags', 'withContext'])
    checkFunction('key', options.key)
    const name = checkWrapName(options.name ?? fn.name.replace(/^(bound )+/, ''))
    const known = this.#byName.get(name)
    if (known?.fn === fn && known.key === options.key) return known.wrapped
    if (known !== undefined)
      throw new ConfigError('name', `one for each function that is wrapped in a cache; '${name}' is in use`, name)
    if (options.withContext && String(fn).includes('setTags')) this.#cache.expectTags()
    const wrapped = this.#make(name, fn, options)
    this.#byName.set(name, { fn, key: options.key, wrapped })
    return wrapped
  }

  #make(name: string, fn: AnyFunction, options: WrapOptions<Args>): Wrapped<Args, unknown> {
    const cache = this.#cache
    const { key: keyOf, ttl, tags, withContext } = options
    const key = (...args: Args) => name + idOf(keyOf === undefined ? args : keyOf(...args))
    const call = async (args: Args, given: SetOptions | undefined) => {
      const id = key(...args)
      // Without a `this`: callers share the answer, so it cannot depend on through what one of them called.
      const load = (_: string, context: LoadContext) =>
        fn.apply(undefined, withContext ? [...args, context] : [...args])
      const own = typeof tags === 'function' ? tags(...args) : tags
      const plan = { ...(ttl === undefined ? {} : { ttl }), ...given }
      if (own !== undefined) plan.tags = [...own, ...(given?.tags ?? [])]
      return cache.get(id, load as Load<unknown>, plan)
    }
    const wrapped = (...args: Args) => call(args, undefined)
    return Object.assign(Object.defineProperty(wrapped, 'name', { value: name }), {
      with:
        (given: SetOptions) =>
        (...args: Args) =>
          call(args, given),
      peek: async (...args: Args) => cache.peek(key(...args)),
      delete: async (...args: Args) => cache.delete(key(...args)),
      key,
    })
  }
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
