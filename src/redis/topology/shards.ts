import { monotonicMs } from '../../base/clock.ts'
import { ConnectionError, type HoldfastError } from '../../base/errors.ts'
import { type MapAddress, showAddress } from '../address.ts'
import type { Call, Place } from '../call.ts'
import type { Key, Keyspace } from '../keyspace.ts'
import type { Node } from '../node.ts'
import { scanKeys } from '../scan.ts'
import { readInfo } from '../server.ts'
import { keysOfCall } from '../shards/call-keys.ts'
import { Directory } from '../shards/directory.ts'
import { CARRY_MS, firstLayout, Placement, sameNames } from '../shards/layout.ts'
import { Pulls } from '../shards/pulls.ts'
import type { Fault, Ground, Topology, TopologyListener } from '../topology.ts'
import type { ShardAddress } from '../url.ts'
import type { Reply } from '../wire.ts'

/** After a change of the list, calls may still come whose keys were put together by the list before. */
const CAREFUL_MS = 60_000

/**
 * Independent servers, each with its share of the keys by its name. A shard that is away makes errors for its keys and for no others;
 * its keys are never looked for elsewhere, where they would appear to be empty.
 *
 * Which shards there are, their own records say (`shards/directory.ts`); how keys move when that changes, `shards/layout.ts`
 * and `shards/pull.ts`.
 */
export class ShardsTopology implements Topology {
  readonly address: string
  readonly failovers = 0
  readonly canMove = true
  readonly #ground: Ground
  readonly #directory: Directory
  readonly #pulls: Pulls
  /** What keys are put together by until the list is known. */
  readonly #guess: Placement
  readonly #listeners: TopologyListener[] = []
  #openedMs: number | undefined
  #carefulUntilMs = 0
  /** When this process learned last that keys have moved, or may be moving. */
  #movedMs = Number.NEGATIVE_INFINITY
  /** Some call waits for the proof that its shard is still the right one. */
  #isWaited = false
  #turn = 0

  constructor(ground: Ground, shards: readonly ShardAddress[], mapAddress: MapAddress, keyspace: Keyspace) {
    const given = shards.map(({ name, ...address }) => ({ name, address: showAddress(address) }))
    this.#ground = ground
    this.#guess = new Placement(firstLayout(given, 0))
    const onList = (before: Placement | undefined, after: Placement) => this.#onList(before, after)
    const onProof = () => this.#isWaited && ground.calls.release()
    this.#directory = new Directory(ground, given, mapAddress, keyspace, onList, onProof)
    this.#pulls = new Pulls(ground.calls, this.#directory)
    this.address = given.map(({ name, address }) => (name === address ? name : `${name}=${address}`)).join(',')
  }

  open(): void {
    // A lazy instance has been blind for no longer than it has looked.
    this.#openedMs ??= monotonicMs()
    this.#directory.open()
  }

  /** One shard that answers is enough: the others make errors for their own keys alone. */
  async ready(): Promise<void> {
    this.open()
    const ping = { operation: 'connect', repeat: true, needs: '+ping' }
    await Promise.any(this.#directory.shards.map(({ node }) => node.call('PING', [], ping))).catch(
      (error: AggregateError) => {
        throw error.errors[0]
      },
    )
    // The list is known a moment later, unless shards are away that would have to be asked for it.
    const untilMs = (this.#openedMs ?? monotonicMs()) + this.#ground.calls.timeoutMs
    while (this.#directory.placement === undefined && monotonicMs() < untilMs) {
      await new Promise((resolve) => setTimeout(resolve, 5))
      if (!this.#directory.isDeciding) break
    }
  }

  /** A call that has no place now is attempted again when the list, its proof or its keys have come. */
  placeOf(call: Call): Place | undefined {
    const { placement } = this.#directory
    const { key } = call
    if (placement === undefined) {
      this.open()
      return undefined
    }
    if (key === undefined) return this.#anyNode()
    if (this.#carefulUntilMs > 0 && !this.#isFree(call, key, placement)) return undefined
    return this.#provenNode(placement.user(key))
  }

  /**
   * The shard's server, if it is certain that the key still belongs there. Without a connection the call waits at the node, and the next
   * connection begins with reading the record.
   */
  #provenNode(name: string): Node | undefined {
    const shard = this.#directory.shard(name)
    if (shard === undefined || shard.isTrusted(monotonicMs()) || !shard.node.ready) return shard?.node
    this.#isWaited = true
    return undefined
  }

  /** While the list changes, and a while afterwards: false for a call that has to wait, for its keys to be free or to be brought. */
  #isFree(call: Call, key: Key, placement: Placement): boolean {
    const { phase } = placement.layout
    if (phase === 'stable' && monotonicMs() > this.#carefulUntilMs) this.#carefulUntilMs = 0
    const group = placement.group(key)
    const names = keysOfCall(call, this.#directory.keys)
    if (names.some((name) => placement.group(name) !== group)) {
      setImmediate(() => this.#ground.calls.fail(call, apartError(call)))
      return false
    }
    if (!placement.isAffected(key) || placement.isLost(placement.now(key))) return true
    if (phase === 'pulling') return this.#pulls.areHere(call, names)
    return phase !== 'stopped'
  }

  #anyNode(): Node | undefined {
    const { shards } = this.#directory
    const ready = shards.filter(({ node }) => node.ready)
    const from = ready.length > 0 ? ready : shards
    return from[this.#turn++ % from.length]?.node
  }

  blindness(nowMs: number) {
    const { placement, fault } = this.#directory
    return placement === undefined
      ? { forMs: nowMs - (this.#openedMs ?? nowMs), fault }
      : { forMs: 0, fault: undefined }
  }

  redirect(): boolean {
    return false
  }

  troubled(from: Place, fault: Fault): void {
    ;(from as Node).troubled(from, fault)
  }

  excuse(from: Place): string | undefined {
    return (from as Node).excuse()
  }

  /**
   * An answer that took longer than a move waits for what is under way may have come from the old shard after the key was brought
   * away from there: this process slept, or the server did. Nothing of it counts until the list has been read after it.
   */
  doubts(call: Call, from: Place, reply: Reply): boolean {
    if (call.key === undefined || call.settled || monotonicMs() - call.sentMs <= CARRY_MS) return false
    void this.#examine(call, call.key, from, reply)
    return true
  }

  async #examine(call: Call, key: Key, from: Place, reply: Reply): Promise<void> {
    const { calls } = this.#ground
    const { sentMs } = call
    call.place = undefined
    call.wire = undefined
    call.everSent = true
    call.fallback = undefined
    const shard = this.#directory.shards.find(({ node }) => node === from)
    // One that is not in the list any more has moved its keys; one that cannot be asked now is asked again with the call.
    const isRead = shard !== undefined && (await this.#directory.read(shard, EXAMINE).then(isTrue, isFalse))
    if (call.settled) return
    const isStill = isRead && this.#movedMs < sentMs && this.nodeOf(key) === from
    if (isStill) return calls.accept(call, reply)
    if (call.options.repeat) return calls.attempt(call, monotonicMs())
    const why = 'its key has moved, or may have moved, while it was under way; its effect may exist'
    calls.fail(call, new ConnectionError('CONNECTION_LOST', call.options.operation, why, { sent: true }))
  }

  nodeOf(key: Key): Node | undefined {
    const placement = this.#directory.placement ?? this.#guess
    return this.#directory.shard(placement.user(key))?.node
  }

  primaries(): readonly Node[] {
    return this.#directory.shards.map(({ node }) => node)
  }

  /** A message is heard where it was published: near its key, or, when that may be any, on each of them. */
  stations(key: Key | undefined): readonly Node[] {
    if (key === undefined) return this.primaries()
    const placement = this.#directory.placement ?? this.#guess
    const names = new Set([placement.now(key), placement.next(key)])
    return [...names].map((name) => this.#directory.shard(name)?.node).filter((node) => node !== undefined)
  }

  groupOf(key: Key): number {
    return (this.#directory.placement ?? this.#guess).group(key)
  }

  isSettled(key: Key): boolean {
    const { placement } = this.#directory
    if (placement === undefined) return false
    const { phase } = placement.layout
    return phase === 'stable' || phase === 'announced' || !placement.isAffected(key)
  }

  async replicaCount(node: Node): Promise<number> {
    return Number((await readInfo(node, 'replication')).get('connected_slaves') ?? 0)
  }

  /** Asks every shard. While keys move, those that are on their way are brought to their new place, where who looks for keys finds them. */
  async confirm(): Promise<string> {
    let version: number | undefined
    do {
      version = this.#directory.placement?.layout.version
      await Promise.all(this.#directory.shards.map((shard) => this.#directory.read(shard, CONFIRM)))
    } while (this.#directory.placement?.layout.version !== version)
    const { placement } = this.#directory
    if (placement === undefined || placement.layout.phase !== 'pulling') return String(version)
    await this.#land(placement)
    return `${version} moving ${this.#turn++}`
  }

  async #land(placement: Placement): Promise<void> {
    const { keys } = this.#directory
    const { version, shards } = placement.layout
    for (const { name } of shards) {
      const shard = placement.isLost(name) ? undefined : this.#directory.shard(name)
      if (shard === undefined) continue
      for await (const parked of scanKeys(shard.node, keys.parkedIn(version), 'shards.confirm'))
        await this.#pulls.bring(
          parked.map((one) => keys.keyOf(one, version)),
          this.#ground.calls.timeoutMs,
        )
    }
  }

  #onList(before: Placement | undefined, after: Placement): void {
    const { phase, shards } = after.layout
    const isSameList = before === undefined && phase === 'stable' && sameNames(shards, this.#guess.layout.shards)
    if (!isSameList) this.#carefulUntilMs = monotonicMs() + CAREFUL_MS
    const old = before ?? this.#guess
    const hasSkipped = before !== undefined && after.layout.version > old.layout.version + 1
    if (hasSkipped || phase === 'pulling' || old.layout.phase === 'pulling' || !sameNames(old.layout.shards, shards))
      this.#movedMs = monotonicMs()
    if (old.layout.version !== after.layout.version || before === undefined) {
      const isOnlyNews = phase === 'announced' && old.layout.phase === 'stable'
      const isMoved = (key: string) =>
        !isOnlyNews && (after.isAffected(key) || old.isAffected(key) || old.now(key) !== after.now(key))
      for (const listener of this.#listeners) listener(isMoved)
    }
    this.#isWaited = false
    this.#ground.calls.release()
  }

  onChange(listener: TopologyListener): void {
    this.#listeners.push(listener)
  }

  close(): void {
    this.#directory.close()
  }
}

const EXAMINE = { operation: 'shards.read', repeat: true, needs: '+hmget', timeoutMs: 1_000 } as const
const isTrue = () => true
const isFalse = () => false
const CONFIRM = { operation: 'shards.confirm', repeat: true, needs: '+hmget' } as const
function apartError({ options, everSent }: Call): HoldfastError {
  const why = 'its keys were of one shard when it was made, and the list of shards has changed; make it again'
  return new ConnectionError('CONNECTION_LOST', options.operation, why, { sent: everSent })
}
