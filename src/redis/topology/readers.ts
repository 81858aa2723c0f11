import { monotonicMs } from '../../base/clock.ts'
import { type Address, showAddress } from '../address.ts'
import type { Node } from '../node.ts'
import type { MakeNode, NodeWish } from '../topology.ts'

/** Silent for so long, a replica is read from no more, and what it was asked goes to its primary. */
const SILENT_MS = 400

/** The replicas that are read from: each is connected to when it is first wanted, and used once it is there and while it speaks. */
export class Readers {
  readonly #makeNode: MakeNode
  readonly #wish: NodeWish
  readonly #nodes = new Map<string, Node>()
  #turn = 0

  constructor(makeNode: MakeNode, wish: NodeWish = {}) {
    this.#makeNode = makeNode
    this.#wish = wish
  }

  /** One of these replicas, in turn; undefined where the one whose turn it is cannot answer now. */
  oneOf(replicas: readonly Address[]): Node | undefined {
    const address = replicas[this.#turn++ % replicas.length]
    if (address === undefined) return undefined
    const name = showAddress(address)
    const reader = this.#nodes.get(name) ?? this.#makeNode(address, this.#wish)
    this.#nodes.set(name, reader)
    reader.open()
    return reader.ready && reader.silentMs(monotonicMs()) < SILENT_MS ? reader : undefined
  }

  /** Takes back what sleeping replicas were asked. */
  look(nowMs: number): void {
    for (const reader of this.#nodes.values()) if (reader.ready && reader.silentMs(nowMs) > SILENT_MS) reader.disown()
  }

  /** Lets those go that are replicas no more. */
  keep(replicas: readonly Address[]): void {
    const wanted = new Set(replicas.map(showAddress))
    for (const [name, reader] of this.#nodes) {
      if (wanted.has(name)) continue
      this.#nodes.delete(name)
      reader.close()
    }
  }

  close(): void {
    this.keep([])
  }
}
