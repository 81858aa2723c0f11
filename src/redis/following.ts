import { monotonicMs } from '../base/clock.ts'
import { type LinkFault, type Reply, ReplyFault } from './wire.ts'

/** A server that keeps refusing writes is asked so often at most: it may follow another by now. */
const AGAIN_MS = 1_000

/** Whether a server is a read-only replica, and of whom, as it says itself: for the error of a write that was sent to it. */
export class Following {
  #isReplica = false
  #primary: string | undefined
  #askedAtMs = Number.NEGATIVE_INFINITY

  /** Told of every answer that says "not now". `ask` sends ROLE to the server. */
  onTrouble(fault: ReplyFault | LinkFault, ask: () => Promise<Reply>): void {
    if (!(fault instanceof ReplyFault) || fault.prefix !== 'READONLY') return
    this.#isReplica = true
    const nowMs = monotonicMs()
    if (nowMs - this.#askedAtMs < AGAIN_MS) return
    this.#askedAtMs = nowMs
    // Who may not ask is told what is known without.
    ask().then(
      (reply) => {
        this.#primary = primaryOf(reply as readonly Reply[])
      },
      () => {},
    )
  }

  /** For `Router.excuse`. */
  get excuse(): string | undefined {
    if (!this.#isReplica) return undefined
    return this.#primary === undefined ? 'is a read-only replica' : `is a read-only replica of ${this.#primary}`
  }
}

/** `slave host port …` */
function primaryOf([role, host, port]: readonly Reply[]): string | undefined {
  return role === 'slave' ? `${host}:${port}` : undefined
}
