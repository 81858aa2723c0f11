/**
 * A load under way and those who wait for it.
 *
 * Who may be answered by it? A caller must never get a value that was loaded before an invalidation that was acknowledged before
 * the caller came. So the flight has phases, and each who boards notes the phase. The answer says up to which phase it is good:
 *
 *   - loaded, and the fill found the lease standing: good for all who boarded before the fill was sent, since no invalidation
 *     was acknowledged until then;
 *   - loaded, but the lease was voided: good for those who boarded before the loader began, and for them only;
 *   - read from Redis: good for those who boarded before the read was sent.
 *
 * The others begin again. They are few: those who came during the last round trip, or after an invalidation.
 */
export interface Landing {
  readonly value: unknown
  /** Good for everyone whose phase at boarding was smaller. */
  readonly goodBefore: number
}

export class Flight {
  readonly landing: Promise<Landing>
  /** True when it refreshes a value that can still be served: nobody needs to wait for it. */
  readonly behind: boolean
  #phase = 0

  /** Whoever launches it may take `landing` as it is: he came before all that it does. */
  constructor(behind: boolean, fly: (flight: Flight) => Promise<Landing>) {
    this.behind = behind
    this.landing = fly(this)
  }

  /** Marks a moment: what is sent or begun next is younger than all who boarded so far. */
  mark(): number {
    return ++this.#phase
  }

  /** Waits for the answer, for someone who came while it was under way. Undefined when it is not good for him: begin again. */
  async board(): Promise<{ readonly value: unknown } | undefined> {
    const boarded = this.#phase
    const landing = await this.landing
    return boarded < landing.goodBefore ? landing : undefined
  }
}
