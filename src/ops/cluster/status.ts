import { HoldfastError } from '../../base/errors.ts'
import { SLOTS } from '../../redis/slots.ts'
import type { Reply } from '../../redis/wire.ts'
import { type Crew, command, disagreement, infoOf, isServing, type Member, type Picture, slotsOf } from './crew.ts'
import { type SlotRange, toRanges } from './ranges.ts'
import type { OpenSlot } from './view.ts'

/** One node, as it and the others describe it. */
export interface NodeStatus {
  readonly id: string
  /** As announced to clients. */
  readonly address: string
  /** Where we reach it: the same, unless an address map says otherwise. */
  readonly reachedAt: string
  readonly role: 'primary' | 'replica'
  /** The id of the primary that a replica follows. */
  readonly primaryId: string | undefined
  /** How many slots it owns, and which. */
  readonly slots: number
  readonly ranges: readonly SlotRange[]
  readonly openSlots: readonly OpenSlot[]
  /** As CLUSTER NODES gives them, such as `master` or `fail?`. */
  readonly flags: readonly string[]
  readonly configEpoch: number
  /** False when it could not be asked; then what follows is undefined. */
  readonly reachable: boolean
  /** Why it could not be asked. */
  readonly fault: string | undefined
  /** `cluster_state` by its own judgement: whether it serves. */
  readonly state: 'ok' | 'fail' | undefined
  /** Keys it holds; those of a replica are its primary's. */
  readonly keys: number | undefined
  readonly memoryBytes: number | undefined
  /** A replica's link to its primary. */
  readonly link: 'up' | 'down' | undefined
  /** Bytes by which a replica is behind what its primary has written. */
  readonly lagBytes: number | undefined
  /** Such as `7.0.15`. */
  readonly version: string | undefined
  readonly product: 'redis' | 'valkey' | undefined
}

export interface ClusterStatus {
  /** `ok`: every slot has an owner, every node that could be asked serves, and all agree. */
  readonly state: 'ok' | 'fail'
  /** Primaries in the order of their slots, each followed by its replicas. */
  readonly nodes: readonly NodeStatus[]
  readonly coverage: { readonly owned: number; readonly total: number; readonly missing: readonly SlotRange[] }
  /** Keys on all primaries that could be asked. */
  readonly keys: number
  /** Whether all nodes that could be asked see the same, and if not, who sees what otherwise. */
  readonly agreed: boolean
  readonly disagreement: string | undefined
}

export async function readStatus(crew: Crew): Promise<ClusterStatus> {
  return statusOf(await crew.look())
}

export async function statusOf(picture: Picture): Promise<ClusterStatus> {
  const nodes = inOrder(await Promise.all(picture.members.map(describe)).then(withLag))
  const missing = picture.trusted.owners.flatMap((owner, slot) => (owner === undefined ? [slot] : []))
  const lack = disagreement(picture)
  const serves = nodes.every(({ state }) => state !== 'fail')
  return {
    state: missing.length === 0 && serves && lack === undefined ? 'ok' : 'fail',
    nodes,
    coverage: { owned: SLOTS - missing.length, total: SLOTS, missing: toRanges(missing) },
    keys: nodes.reduce((sum, { role, keys }) => sum + (role === 'primary' ? (keys ?? 0) : 0), 0),
    agreed: lack === undefined,
    disagreement: lack,
  }
}

type Described = NodeStatus & { readonly offset: number | undefined }

async function describe(member: Member): Promise<Described> {
  const { id, address, node, seen, view, fault } = member
  const common = {
    id,
    address,
    reachedAt: node.address,
    role: seen.role,
    primaryId: seen.primaryId,
    slots: slotsOf(member),
    ranges: seen.ranges,
    openSlots: view?.self.open ?? [],
    flags: seen.flags.filter((flag) => flag !== 'myself'),
    configEpoch: seen.epoch,
  }
  if (view === undefined) return { ...common, ...UNKNOWN, fault: fault?.message ?? 'another node answers there' }
  let answers: readonly [ReadonlyMap<string, string>, boolean, Reply]
  try {
    answers = await Promise.all([
      infoOf(node, 'server', 'memory', 'replication'),
      isServing(member),
      command(node, 'DBSIZE'),
    ])
  } catch (error) {
    // It went away after it had been asked for its view.
    if (error instanceof HoldfastError) return { ...common, ...UNKNOWN, fault: error.message }
    throw error
  }
  const [info, serves, keys] = answers
  const isReplica = info.get('role') === 'slave'
  return {
    ...common,
    reachable: true,
    fault: undefined,
    state: serves ? 'ok' : 'fail',
    keys: Number(keys),
    memoryBytes: Number(info.get('used_memory')),
    link: isReplica ? (info.get('master_link_status') === 'up' ? 'up' : 'down') : undefined,
    lagBytes: undefined,
    version: info.get('valkey_version') ?? info.get('redis_version'),
    product: info.has('valkey_version') ? 'valkey' : 'redis',
    offset: Number(info.get(isReplica ? 'slave_repl_offset' : 'master_repl_offset')),
  }
}

const UNKNOWN = {
  reachable: false,
  state: undefined,
  keys: undefined,
  memoryBytes: undefined,
  link: undefined,
  lagBytes: undefined,
  version: undefined,
  product: undefined,
  offset: undefined,
} as const

function withLag(nodes: readonly Described[]): readonly NodeStatus[] {
  return nodes.map(({ offset, ...node }) => {
    const above = nodes.find(({ id }) => id === node.primaryId)?.offset
    // Asked one after the other: a replica may have heard of more than its primary had said.
    const lagBytes = offset === undefined || above === undefined ? undefined : Math.max(0, above - offset)
    return { ...node, lagBytes }
  })
}

function inOrder(nodes: readonly NodeStatus[]): readonly NodeStatus[] {
  const first = ({ ranges }: NodeStatus) => ranges[0]?.[0] ?? SLOTS
  const primaries = nodes
    .filter(({ role }) => role === 'primary')
    .sort((a, b) => first(a) - first(b) || (a.address < b.address ? -1 : 1))
  const placed = primaries.flatMap((primary) => [primary, ...nodes.filter(({ primaryId }) => primaryId === primary.id)])
  return [...placed, ...nodes.filter((node) => !placed.includes(node))]
}
