import type { Key } from './keyspace.ts'
import type { Listeners } from './listeners.ts'

/** A server that would not let us listen is asked again so much later. */
const AGAIN_MS = 5_000

export interface DoorbellOptions {
  /** The key whose scripts publish there. Default: any key's. */
  readonly near?: Key
  readonly onMessage: (message: string) => void
  /** Told once it is heard, for what happened before made no sound. */
  readonly onUp?: () => void
}

/**
 * A channel on which scripts say that there is something to look at. A doorbell, not a letter: a message may be lost, and without the right to
 * listen none comes, so whoever waits looks now and then also while it is silent.
 */
export class Doorbell {
  readonly #listeners: Listeners
  readonly #channel: string
  readonly #options: DoorbellOptions
  #stop: (() => void) | undefined
  #again: NodeJS.Timeout | undefined
  #isWanted = false
  #isClosed = false

  constructor(listeners: Listeners, channel: string, options: DoorbellOptions) {
    this.#listeners = listeners
    this.#channel = channel
    this.#options = options
  }

  /** Listens from the first call on; where it is refused, it asks again by itself. */
  listen(): this {
    if (this.#isWanted) return this
    this.#isWanted = true
    this.#ask()
    return this
  }

  #ask(): void {
    const { near, onMessage, onUp } = this.#options
    this.#listeners.listen(this.#channel, onMessage, near).then(
      (stop) => {
        if (this.#isClosed) return stop()
        this.#stop = stop
        onUp?.()
      },
      () => {
        if (!this.#isClosed) this.#again = setTimeout(() => this.#ask(), AGAIN_MS).unref()
      },
    )
  }

  /** Hears nothing from now on, and never again. */
  close(): void {
    this.#isClosed = true
    clearTimeout(this.#again)
    this.#stop?.()
  }
}
