import type { Place } from '../call.ts'
import type { Node } from '../node.ts'
import { readInfo } from '../server.ts'
import type { Fault, Topology, TopologyListener } from '../topology.ts'

/** One server, and every key on it. */
export class SingleTopology implements Topology {
  readonly #node: Node
  readonly failovers = 0
  readonly canMove = false

  constructor(node: Node) {
    this.#node = node
  }

  get address(): string {
    return this.#node.address
  }

  open(): void {
    this.#node.open()
  }

  async ready(): Promise<void> {
    await this.#node.call('PING', [], { operation: 'connect', repeat: true, needs: '+ping' })
  }

  placeOf(): Place {
    return this.#node
  }

  blindness(nowMs: number) {
    return this.#node.blindness(nowMs)
  }

  redirect(): boolean {
    return false
  }

  troubled(from: Place, fault: Fault): void {
    this.#node.troubled(from, fault)
  }

  excuse(): string | undefined {
    return this.#node.excuse()
  }

  nodeOf(): Node {
    return this.#node
  }

  primaries(): readonly Node[] {
    return [this.#node]
  }

  stations(): readonly Node[] {
    return [this.#node]
  }

  groupOf(): number {
    return 0
  }

  async replicaCount(node: Node): Promise<number> {
    return Number((await readInfo(node, 'replication')).get('connected_slaves') ?? 0)
  }

  isSettled(): boolean {
    return true
  }

  async confirm(): Promise<string> {
    return ''
  }

  onChange(_listener: TopologyListener): void {}

  close(): void {
    this.#node.close()
  }
}
