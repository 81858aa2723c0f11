import { sleep } from '../base/clock.ts'
import type { Redis } from '../redis/redis.ts'
import type { LogKeys } from './keys.ts'

/** A server that would not let us listen is asked again so much later. */
const AGAIN_MS = 5_000

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

/**
 * Tells all that wait for one log in this process that there is something new: one channel, and no connection of anybody's own. A bell, not
 * a letter: what rings look, and they look now and then also when it is silent.
 */
export class Bell {
  readonly #redis: Redis
  readonly #keys: LogKeys
  readonly #rung = new Set<Rung>()
  #listening: Promise<void> | undefined
  #stop: (() => void) | undefined
  #triedMs = Number.NEGATIVE_INFINITY
  #closed = false

  constructor(redis: Redis, keys: LogKeys) {
    this.#redis = redis
    this.#keys = keys
  }

  add(rung: Rung): void {
    this.#rung.add(rung)
    this.#listen()
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
        this.#listen()
      },
      close: () => this.delete(rung),
    }
  }

  #listen(): void {
    const nowMs = performance.now()
    if (this.#closed || this.#listening !== undefined || nowMs - this.#triedMs < AGAIN_MS) return
    this.#triedMs = nowMs
    const { channel, entries } = this.#keys
    const ring = () => this.#ring()
    this.#listening = this.#redis.listeners.listen(channel, ring, entries).then(
      (stop) => {
        if (this.#closed) return stop()
        this.#stop = stop
        // What happened before made no sound.
        ring()
      },
      () => {
        // Without the right to listen, all look now and then.
        this.#listening = undefined
      },
    )
  }

  #ring(): void {
    for (const rung of this.#rung) rung.ring()
  }

  close(): void {
    this.#closed = true
    this.#stop?.()
    this.#rung.clear()
  }
}
