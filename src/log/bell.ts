import { sleep } from '../base/clock.ts'
import { Doorbell } from '../redis/doorbell.ts'
import type { Redis } from '../redis/redis.ts'
import type { LogKeys } from './keys.ts'

/** Who is told that there is something new. */
export interface Rung {
  ring(): void
}

/** Waits for the bell. */
export interface Ear {
  /** What rang until now is known. */
  reset(): void
  /** Resolves when it rings, or has since `reset`, or after `ms`; rejects with `signal.reason`. */
  heard(ms: number, signal?: AbortSignal): Promise<void>
  close(): void
}

/** Tells all that wait for one log in this process that there is something new: one channel, and no connection of anybody's own. */
export class Bell {
  readonly #doorbell: Doorbell
  readonly #rung = new Set<Rung>()

  constructor(redis: Redis, { channel, entries }: LogKeys) {
    const ring = () => {
      for (const rung of this.#rung) rung.ring()
    }
    this.#doorbell = new Doorbell(redis.listeners, channel, { near: entries, onMessage: ring, onUp: ring })
  }

  add(rung: Rung): void {
    this.#rung.add(rung)
    this.#doorbell.listen()
  }

  delete(rung: Rung): void {
    this.#rung.delete(rung)
  }

  ear(): Ear {
    let woken = false
    let wake = () => {}
    const rung = {
      ring: () => {
        woken = true
        wake()
      },
    }
    this.add(rung)
    return {
      reset: () => {
        woken = false
      },
      heard: async (ms, signal) => {
        if (woken) return
        const end = new AbortController()
        wake = () => end.abort()
        const both = signal === undefined ? end.signal : AbortSignal.any([end.signal, signal])
        await sleep(ms, both).catch(() => signal?.throwIfAborted())
      },
      close: () => this.delete(rung),
    }
  }

  close(): void {
    this.#doorbell.close()
    this.#rung.clear()
  }
}
