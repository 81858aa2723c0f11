import type { Call, CallOptions, Place, Router } from '../call.ts'
import type { Calls } from '../calls.ts'
import type { Key } from '../keyspace.ts'
import type { Node } from '../node.ts'
import { readInfo } from '../server.ts'
import type { Fault, Topology } from '../topology.ts'
import type { Arg, Reply, ReplyFault } from '../wire.ts'
import { Lanes } from './lanes.ts'

/**
 * What a write must have reached. `'replica'`: the memory of every replica that is configured for its server. `'fsync'`: the disk of
 * the server and of every replica (Redis and Valkey from 7.2, with append-only files).
 */
export type Durability = 'replica' | 'fsync'

export interface DurableReply {
  readonly reply: Reply
  /** True when what was asked for has been reached. False when it was not in time, or cannot be. */
  readonly durable: boolean
}

/**
 * Writes that wait until others have them too. WAIT blocks its connection and speaks only for what was written on it, so these calls go
 * over connections of their own, many before each WAIT. All else of a call's life is as ever: deadline, repeats, redirects.
 */
export class Durable {
  readonly #topology: Topology
  readonly #calls: Calls
  readonly #routers = new Map<Durability, DurableRouter>()

  constructor(topology: Topology, calls: Calls) {
    this.#topology = topology
    this.#calls = calls
  }

  /**
   * A write, and whether it is durable. The command must write each time that it is carried out, also when a repeat changes nothing: to a
   * read, WAIT on some servers answers for an older write, and so says nothing of what was read.
   *
   * throws  what any call does; that replicas were too slow, or away, is no error
   */
  async call(
    key: Key,
    command: string,
    args: readonly Arg[],
    options: CallOptions,
    durability: Durability,
  ): Promise<DurableReply> {
    const router = this.#routers.get(durability) ?? new DurableRouter(this.#topology, this.#calls, durability)
    this.#routers.set(durability, router)
    const [reply, isDurable] = (await this.#calls.start(router, key, command, args, options)) as [Reply, number]
    return { reply, durable: isDurable === 1 }
  }

  close(): void {
    for (const router of this.#routers.values()) router.close()
  }
}

/** The topology, but for the way to each of its servers. */
class DurableRouter implements Router {
  readonly #topology: Topology
  readonly #calls: Calls
  readonly #durability: Durability
  readonly #lanes = new Map<Node, Lanes>()

  constructor(topology: Topology, calls: Calls, durability: Durability) {
    this.#topology = topology
    this.#calls = calls
    this.#durability = durability
  }

  placeOf(call: Call): Place | undefined {
    const node = this.#topology.placeOf(call) as Node | undefined
    return node === undefined ? undefined : this.#lanesTo(node)
  }

  #lanesTo(node: Node): Lanes {
    const known = this.#lanes.get(node)
    if (known !== undefined) return known
    const lanes = new Lanes(node, this.#calls, this.#durability, () => countReplicas(this.#topology, node))
    this.#lanes.set(node, lanes)
    node.onHandOver((gone) => {
      if (gone && this.#lanes.get(node) === lanes) this.#lanes.delete(node)
      if (gone) lanes.close()
      else lanes.handOver()
    })
    return lanes
  }

  blindness(nowMs: number) {
    return this.#topology.blindness(nowMs)
  }

  redirect(call: Call, fault: ReplyFault, from: Place): boolean {
    return this.#topology.redirect(call, fault, (from as Lanes).node)
  }

  troubled(from: Place, fault: Fault): void {
    this.#topology.troubled((from as Lanes).node, fault)
  }

  doubts(call: Call, from: Place, reply: Reply): boolean {
    return this.#topology.doubts?.(call, (from as Lanes).node, reply) ?? false
  }

  close(): void {
    for (const lanes of this.#lanes.values()) lanes.close()
    this.#lanes.clear()
  }
}

/** All replicas that are configured, and those that have just come and that only the server knows of yet. */
async function countReplicas(topology: Topology, node: Node): Promise<number> {
  const asked = readInfo(node, 'replication').catch(() => undefined)
  const [configured, info] = await Promise.all([topology.replicaCount(node), asked])
  const online = [...(info ?? [])].filter(([name, value]) => /^slave\d+$/.test(name) && value.includes('state=online'))
  return Math.max(configured, online.length)
}
