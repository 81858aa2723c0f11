import { monotonicMs } from '../../base/clock.ts'
import type { Place } from '../call.ts'
import type { Node } from '../node.ts'
import type { Fault } from '../topology.ts'
import { type Reply, ReplyFault } from '../wire.ts'

/** A server that keeps refusing writes is asked so often at most: it may follow another by now. */
const AGAIN_MS = 1_000

const ASK = { operation: 'connect', repeat: true, needs: '+role', timeoutMs: 500 } as const

/**
 * Which of the servers that were named are read-only replicas, and of whom, as they say themselves: for the error of a write that was
 * sent to one. For addresses that name servers; where Sentinels or a Cluster name the primary, a replica that is asked is on its way up.
 */
export class Following {
  readonly #primaries = new WeakMap<Place, string | undefined>()
  #askedAtMs = Number.NEGATIVE_INFINITY

  /** Told of every answer that says "not now". */
  onTrouble(node: Node, fault: Fault): void {
    if (!(fault instanceof ReplyFault) || fault.prefix !== 'READONLY') return
    if (!this.#primaries.has(node)) this.#primaries.set(node, undefined)
    const nowMs = monotonicMs()
    if (nowMs - this.#askedAtMs < AGAIN_MS) return
    this.#askedAtMs = nowMs
    // Who may not ask is told what is known without.
    node.call('ROLE', [], ASK).then(
      (reply) => this.#primaries.set(node, primaryOf(reply as readonly Reply[])),
      () => {},
    )
  }

  /** For `Router.excuse`. */
  excuse(from: Place): string | undefined {
    if (!this.#primaries.has(from)) return undefined
    const primary = this.#primaries.get(from)
    return primary === undefined ? 'is a read-only replica' : `is a read-only replica of ${primary}`
  }
}

/** `slave host port …` */
function primaryOf([role, host, port]: readonly Reply[]): string | undefined {
  return role === 'slave' ? `${host}:${port}` : undefined
}
