import type { HoldfastError } from '../base/errors.ts'
import type { Address } from './address.ts'
import type { Router } from './call.ts'
import type { Calls } from './calls.ts'
import type { Key } from './keyspace.ts'
import type { Node } from './node.ts'
import type { LinkFault, ReplyFault, Wire } from './wire.ts'

/** What a node of this instance must be, beside what every one must. */
export interface NodeWish {
  /** A connection to a server in another role is refused, and tried again. */
  readonly role?: 'primary'
  /** It holds no data, but knows who does. */
  readonly sentinel?: true
  prepare?(wire: Wire): Promise<void>
  /** What `prepare` must be allowed to do, as an ACL rule. */
  readonly needs?: string
  /** An attempt to connect failed. */
  refused?(fault: Fault): void
}

/** Makes a node of this instance at an address, with its credentials. */
export type MakeNode = (address: Address, wish?: NodeWish) => Node

/** What a topology is built from. */
export interface Ground {
  readonly calls: Calls
  readonly makeNode: MakeNode
  /** Ends a `connect()` that waits: what is wrong will not get better by itself. */
  readonly refuse: (error: HoldfastError) => void
}

/** Told when keys have another server than before; `moved` says which. */
export type TopologyListener = (moved: (key: string) => boolean) => void

/**
 * Where keys live, and how that changes: one server, a Sentinel group, a Cluster, shards. Everything above asks for the server of a
 * key again at each attempt, and is told when the answers have changed.
 */
export interface Topology extends Router {
  /** Starts to connect and to watch. */
  open(): void
  /** Resolves when keys can be served; rejects with what is wrong, at the latest after the timeout. */
  ready(): Promise<void>
  /** The server that has a key now; undefined while nobody knows. */
  nodeOf(key: Key): Node | undefined
  /** Every server that holds keys of ours, as far as known now. */
  primaries(): readonly Node[]
  /** Those on which a message published near `key` (or near any key) can be heard. */
  stations(key: Key | undefined): readonly Node[]
  /** Keys that answer the same may stand in one command. */
  groupOf(key: Key): number
  /** How many replicas are configured for the server, alive or not: those that a durable write waits for. */
  replicaCount(node: Node): Promise<number>
  /** Keys may go from one server to another, or a server be replaced. */
  readonly canMove: boolean
  /** False while a key is known to be on its way from one server to another: neither one's news of it is the whole. */
  isSettled(key: Key): boolean
  /** Brings what is known up to date; the answer is the same as before if no key has moved in between, and moves none now. */
  confirm(): Promise<string>
  onChange(listener: TopologyListener): void
  readonly failovers: number
  /** For errors and warnings; never with credentials. */
  readonly address: string
  close(): void
}

export type Fault = LinkFault | ReplyFault
