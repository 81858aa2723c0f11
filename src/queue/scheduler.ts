import { Loop } from '../loop/loop.ts'
import type { Schedules } from './schedules.ts'

/** A notice may be lost: schedules that others have made are found so often at the latest. */
const LOOK_MS = 5_000
const AGAIN_MS = 500

/** Adds the jobs of slots when they come, in each process that runs jobs: any one of them is enough. */
export class Scheduler {
  readonly #loop: Loop
  #isStarted = false

  constructor(schedules: Schedules, onError: (error: unknown) => void) {
    this.#loop = new Loop(
      async () => {
        try {
          const waitMs = await schedules.advanceAll()
          if (waitMs !== undefined) this.#loop.within(waitMs + 1)
        } catch (error) {
          this.#loop.within(AGAIN_MS)
          onError(error)
        }
      },
      { every: LOOK_MS, onError },
    )
  }

  start(): void {
    if (this.#isStarted) return
    this.#isStarted = true
    this.#loop.within(0)
  }

  /** Schedules have changed. */
  look(): void {
    void this.#loop.runNow()
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }
}
