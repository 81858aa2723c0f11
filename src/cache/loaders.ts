import { AsyncLocalStorage } from 'node:async_hooks'
import { Bulkhead } from '../base/bulkhead.ts'
import { ConnectionError } from '../base/errors.ts'
import { Loading } from './loading.ts'

/**
 * What loads run in, in every cache of the process, once one of them has a bound: who asks for a load, is he a load himself? Not made
 * before, since such a store slows every promise of the process.
 */
let inside: AsyncLocalStorage<{ running: boolean }> | undefined

/**
 * Runs loaders, under a bound on those at work if there is one, and until the cache is closed.
 *
 * A load at work that waits for one in the queue would wait for ever if that one waited for its place, or for that of a third that waits
 * for the first: so what a load begins or boards, in this cache or another, does not wait for a place.
 */
export class Loaders {
  readonly #bulkhead: Bulkhead | undefined
  readonly #queued = new Map<string, () => void>()
  readonly #urgent = new Set<string>()
  readonly #atWork = new Set<(error: Error) => void>()
  readonly #listening = new Set<Loading>()
  readonly #signal: AbortSignal
  #closed = false

  constructor(limit: number | undefined, signal: AbortSignal) {
    if (limit !== undefined) {
      this.#bulkhead = new Bulkhead(limit)
      inside ??= new AsyncLocalStorage()
    }
    this.#signal = signal
    signal.addEventListener('abort', () => this.#close(), { once: true })
  }

  /** A load of the cache `cache`, on which callers wait for `hardMs` at most. */
  newLoad(cache: string, hardMs: number | undefined, counts: { timeouts: number }): Loading {
    return new Loading({ cache, hardMs, listening: this.#listening, timedOut: () => void counts.timeouts++ })
  }

  /** `work` loads the values of `ids`. */
  run<R>(ids: readonly string[], work: () => R): Promise<Awaited<R>> {
    if (inside === undefined) return this.#untilClosed(work())
    let begun: Promise<Awaited<R>> | undefined
    const begin = () => {
      for (const id of ids) if (this.#queued.get(id) === hurry) this.#queued.delete(id)
      begun ??= runInside(work)
      return begun
    }
    let hurry = () => {}
    const isUrgent = ids.filter((id) => this.#urgent.delete(id)).length > 0
    if (this.#bulkhead === undefined || isUrgent || inside.getStore()?.running) return this.#untilClosed(begin())
    const hurried = new Promise<Awaited<R>>((resolve) => {
      hurry = () => resolve(begin())
    })
    for (const id of ids) this.#queued.set(id, hurry)
    return this.#untilClosed(Promise.race([this.#bulkhead.run(begin), hurried]))
  }

  /** Somebody boards the load of `id`: if he is a load himself, it waits for its place no longer. */
  boarded(id: string): void {
    if (this.#bulkhead === undefined || !inside?.getStore()?.running) return
    const hurry = this.#queued.get(id)
    if (hurry === undefined) this.#urgent.add(id)
    else hurry()
  }

  /** The load of `id` has ended. */
  ended(id: string): void {
    if (this.#bulkhead !== undefined) this.#urgent.delete(id)
  }

  // A loader that does not heed its signal must not keep the callers waiting.
  #untilClosed<R>(result: R): Promise<Awaited<R>> {
    return new Promise((resolve, reject) => {
      if (this.#closed) reject(closedError())
      if (!(result instanceof Promise)) return resolve(result as Awaited<R>)
      this.#atWork.add(reject)
      result.then(
        (value) => {
          this.#atWork.delete(reject)
          resolve(value)
        },
        (error) => {
          this.#atWork.delete(reject)
          reject(error)
        },
      )
    })
  }

  #close(): void {
    this.#closed = true
    for (const load of this.#listening) load.end(this.#signal.reason)
    this.#listening.clear()
    for (const reject of this.#atWork) reject(closedError())
    this.#atWork.clear()
  }
}

async function runInside<R>(work: () => R): Promise<Awaited<R>> {
  const place = { running: true }
  try {
    return await (inside as NonNullable<typeof inside>).run(place, work)
  } finally {
    // What it left behind, such as a timer, is no part of running work any more.
    place.running = false
  }
}

const closedError = () => new ConnectionError('CONNECTION_CLOSED', 'cache', 'close() was called')
