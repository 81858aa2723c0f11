import type { Loading } from './loading.ts'
import type { Party } from './party.ts'

/**
 * A load under way and those who wait for it.
 *
 * Who may be answered by it? A caller must never get a value that was loaded before an invalidation that was acknowledged before
 * the caller came. So there is one count of moments in the process: a flight marks a new one before each thing it does, and each
 * caller notes on coming which moment it is. The answer says before which moment one must have come:
 *
 *   - loaded, and the fill found the lease standing: before the fill was sent, since no invalidation was acknowledged until then;
 *   - loaded, but the lease was voided, or nobody knows whether it stood, or there was none because Redis cannot be asked: before
 *     the loader began. An outage of this process is none of the others, whose invalidations may be acknowledged meanwhile;
 *   - read from Redis: before the read was sent.
 *
 * The others begin again, at most once: a flight that is launched after they came is good for them. They are few: those who came
 * during the last round trip, after an invalidation, or in an outage while a load ran.
 *
 * It is the coming that counts, not the boarding: many callers look in Redis together, the first to hear of the miss launches the
 * flight, and it may have begun to load when the others hear of it; it is good for all of them.
 */
export interface Landing {
  readonly value: unknown
  /** Good for everyone who came before this moment. */
  readonly goodBefore: number
}

let moments = 0

/** The moment it is now: for a caller to note when it comes. */
export const momentNow = (): number => moments

/** Marks a moment: what is sent or begun next is younger than all who came so far. */
export const markMoment = (): number => ++moments

export class Flight {
  /** True when it refreshes a value that can still be served: nobody needs to wait for it. */
  readonly behind: boolean
  readonly load: Loading
  readonly #land: () => Promise<Landing>
  #landing: Promise<Landing> | undefined

  /** `land` gives its answer, and is asked once, when the first passenger asks. */
  constructor(behind: boolean, load: Loading, land: () => Promise<Landing>) {
    this.behind = behind
    this.load = load
    this.#land = land
    // Whoever leaves, the cache itself waits for what is refreshed behind.
    if (behind) load.join()
  }

  /** One more passenger; with a party he may leave. */
  take(party: Party | undefined): void {
    if (party === undefined) this.load.join()
    else party.await(this.load)
  }

  /** Whoever launches it may take this as it is: he came before all that it does. */
  get landing(): Promise<Landing> {
    this.#landing ??= this.#land()
    return this.#landing
  }

  /** Waits for the answer, for someone who came at `came`. Undefined when it is not good for him: begin again. */
  async board(came: number): Promise<{ readonly value: unknown } | undefined> {
    const landing = await this.landing
    return came < landing.goodBefore ? landing : undefined
  }
}
