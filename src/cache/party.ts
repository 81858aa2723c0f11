import type { Loading } from './loading.ts'

/** Callers who wait for the same and may leave, each by a signal of his own. When the last one has left, so have their loads. */
export class Party {
  readonly #loads = new Set<Loading>()
  #members = 0

  /** True when all of them have left: nothing more is to be begun for them. */
  get gone(): boolean {
    return this.#members === 0
  }

  /** They wait for this load. */
  await(load: Loading): void {
    if (this.gone || this.#loads.has(load)) return
    this.#loads.add(load)
    load.join()
  }

  /** What `begin` answers, for one more caller; a rejection with `signal.reason` as soon as his signal fires, and then he has left. */
  wait<T>(begin: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    this.#members++
    const work = begin()
    if (signal === undefined) return work
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(signal.reason)
        if (--this.#members > 0) return
        for (const load of this.#loads) load.leave()
      }
      signal.addEventListener('abort', leave, { once: true })
      work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
    })
  }
}
