import type { Call, Place } from '../call.ts'
import type { Key } from '../keyspace.ts'
import type { Node } from '../node.ts'
import { Rendezvous } from '../rendezvous.ts'
import { readInfo } from '../server.ts'
import type { Topology, TopologyListener } from '../topology.ts'

export interface Shard {
  readonly name: string
  readonly node: Node
}

/**
 * Independent servers, each with its share of the keys by its name. A shard that is away makes errors for its keys and for no others;
 * its keys are never looked for elsewhere, where they would appear to be empty.
 */
export class ShardsTopology implements Topology {
  readonly address: string
  readonly failovers = 0
  readonly canMove = false
  readonly #shards: readonly Shard[]
  readonly #nodes: readonly Node[]
  readonly #places: Rendezvous
  #turn = 0

  constructor(shards: readonly Shard[]) {
    this.#shards = shards
    this.#nodes = shards.map(({ node }) => node)
    this.#places = new Rendezvous(shards.map(({ name }) => name))
    this.address = shards.map(({ name, node }) => (name === node.address ? name : `${name}=${node.address}`)).join(',')
  }

  open(): void {
    for (const node of this.#nodes) node.open()
  }

  /** One shard that answers is enough: the others make errors for their own keys alone. */
  async ready(): Promise<void> {
    this.open()
    const ping = { operation: 'connect', repeat: true, needs: '+ping' }
    await Promise.any(this.#nodes.map((node) => node.call('PING', [], ping))).catch((error: AggregateError) => {
      throw error.errors[0]
    })
  }

  placeOf(call: Call): Place | undefined {
    return call.key === undefined ? this.#anyNode() : this.nodeOf(call.key)
  }

  #anyNode(): Node | undefined {
    const ready = this.#nodes.filter((node) => node.ready)
    const from = ready.length > 0 ? ready : this.#nodes
    return from[this.#turn++ % from.length]
  }

  blindness() {
    return { forMs: 0, fault: undefined }
  }

  redirect(): boolean {
    return false
  }

  troubled(): void {}

  nodeOf(key: Key): Node | undefined {
    return this.#nodes[this.#places.placeOf(key)]
  }

  primaries(): readonly Node[] {
    return this.#nodes
  }

  /** A message is heard where it was published: near its key, or, when that may be any, on each of them. */
  stations(key: Key | undefined): readonly Node[] {
    const node = key === undefined ? undefined : this.nodeOf(key)
    return node === undefined ? this.#nodes : [node]
  }

  groupOf(key: Key): number {
    return this.#places.placeOf(key)
  }

  isSettled(): boolean {
    return true
  }

  async replicaCount(node: Node): Promise<number> {
    return Number((await readInfo(node, 'replication')).get('connected_slaves') ?? 0)
  }

  async confirm(): Promise<string> {
    return this.#shards.map(({ name }) => name).join(',')
  }

  onChange(_listener: TopologyListener): void {}

  close(): void {
    for (const node of this.#nodes) node.close()
  }
}
