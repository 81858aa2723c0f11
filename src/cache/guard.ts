import type { Breaker } from '../breaker/breaker.ts'
import { BreakerOpenError } from '../breaker/errors.ts'
import { type Landing, markMoment } from './flight.ts'
import type { Loading } from './loading.ts'
import type { Fallback } from './options.ts'

/**
 * What stands between a cache and its loaders: a breaker that refuses loads while their source fails, and a fallback that answers
 * callers who would otherwise be told the error. What the fallback answers is never kept.
 */
export class LoadGuard {
  readonly #breaker: Breaker | undefined
  readonly #fallback: Fallback | undefined
  readonly #closing: AbortSignal

  /** `closing` fires when the cache is closed: no fallback answers for that. */
  constructor(breaker: Breaker | undefined, fallback: Fallback | undefined, closing: AbortSignal) {
    this.#breaker = breaker
    this.#fallback = fallback
    this.#closing = closing
  }

  /** Calls a loader, unless the breaker refuses it: BREAKER_OPEN. The breaker hears of a hardTimeout as it passes. */
  call<R>(work: () => R, load: Loading): R | Promise<Awaited<R>> {
    return this.#breaker === undefined ? work() : this.#tell(this.#breaker, work, load)
  }

  async #tell<R>(breaker: Breaker, work: () => R, load: Loading): Promise<Awaited<R>> {
    const begun: Promise<Awaited<R>>[] = []
    const begin = () => {
      const loaded = (async (): Promise<Awaited<R>> => await work())()
      begun.push(loaded)
      return loaded as Promise<unknown>
    }
    try {
      return (await breaker.run(begin, { signal: load.signal })) as Awaited<R>
    } catch (error) {
      const [loaded] = begun
      if (loaded === undefined) throw error
      // Nobody may wait any more, but a loader that does not heed its signal is at work still, and what it brings may be kept.
      return await loaded
    }
  }

  /** How a load lands for those who wait for it: with what the fallback says of `id`, where the load itself has failed. */
  orFallback<L>(id: string, load: Loading, landing: Promise<L>): Promise<L | Landing> {
    if (this.#fallback === undefined) return landing
    return landing.catch((error: unknown) => this.#instead(id, error, load))
  }

  /** The same for a load of many ids. */
  orFallbacks<L>(
    ids: readonly string[],
    load: Loading,
    landings: Promise<ReadonlyMap<string, L>>,
  ): Promise<ReadonlyMap<string, L | Landing>> {
    if (this.#fallback === undefined) return landings
    return landings.catch(
      async (error: unknown) =>
        new Map(await Promise.all(ids.map(async (id) => [id, await this.#instead(id, error, load)] as const))),
    )
  }

  async #instead(id: string, error: unknown, load: Loading): Promise<Landing> {
    if (this.#fallback === undefined || this.#closing.aborted || !load.failedBy(error)) throw error
    // Good for those alone who waited for the load: who comes now begins another.
    const goodBefore = markMoment()
    return { value: await this.#fallback(id, error), goodBefore }
  }
}

/** True for a load that was never begun. */
export const isRefusal = (error: unknown): boolean => error instanceof BreakerOpenError
