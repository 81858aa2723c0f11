import type { Node } from '../node.ts'
import type { Fault } from '../topology.ts'
import type { Layout } from './layout.ts'

/** One shard of the list, as far as this process knows it. */
export class Shard {
  readonly name: string
  readonly node: Node
  /** When the last answer was asked for that showed no newer list than ours; what is sent by `provenMs + trustMs` goes to the right place. */
  provenMs = Number.NEGATIVE_INFINITY
  trustMs = 0
  /** What its record said last; null when it had none, undefined when it has not been asked. */
  heard: Layout | null | undefined
  /** Why its record could not be used. */
  fault: Fault | undefined
  /** An attempt to reach it has failed. */
  refused = false
  /** Its record is being read, or written. */
  isAsked = false

  constructor(name: string, node: Node) {
    this.name = name
    this.node = node
  }

  isTrusted(nowMs: number): boolean {
    return nowMs - this.provenMs <= this.trustMs
  }
}
