import type { Picture } from './crew.ts'
import { type SlotRange, showRanges, toRanges } from './ranges.ts'
import type { ClusterStatus, NodeStatus } from './status.ts'

/** What is wrong, by kind; `error` where keys are or may soon be out of reach, `warning` where the next fault would hurt. */
export interface Problem {
  readonly kind:
    | 'slots-uncovered'
    | 'slots-open'
    | 'node-unreachable'
    | 'node-failing'
    | 'node-not-serving'
    | 'nodes-disagree'
    | 'replica-link-down'
    | 'epoch-collision'
    | 'too-few-primaries'
    | 'primary-without-replica'
    | 'primary-without-slots'
    | 'versions-differ'
  readonly severity: 'error' | 'warning'
  /** In words, with what to do. */
  readonly message: string
  /** Addresses of the nodes that it is about. */
  readonly nodes: readonly string[]
  /** The slots that it is about. */
  readonly slots: readonly SlotRange[]
}

export interface ClusterCheck {
  /** True when there is no error; warnings may be there. */
  readonly ok: boolean
  readonly problems: readonly Problem[]
  readonly status: ClusterStatus
}

/** Fewer cannot outvote one that is away: none of its replicas would be promoted. */
export const LEAST_PRIMARIES = 3

export function checkCluster(picture: Picture, status: ClusterStatus): ClusterCheck {
  const problems = [
    ...ofSlots(status),
    ...ofNodes(status.nodes),
    ...ofPrimaries(status.nodes),
    ...ofEpochs(picture, status.nodes),
    ...ofVersions(status.nodes),
  ]
  if (status.disagreement !== undefined)
    problems.push(problem('error', 'nodes-disagree', `The nodes disagree: ${status.disagreement}`))
  return { ok: problems.every(({ severity }) => severity !== 'error'), problems, status }
}

function problem(
  severity: Problem['severity'],
  kind: Problem['kind'],
  message: string,
  nodes: readonly string[] = [],
  slots: readonly SlotRange[] = [],
): Problem {
  return { kind, severity, message, nodes, slots }
}

function ofSlots({ coverage, nodes }: ClusterStatus): Problem[] {
  const found: Problem[] = []
  const { missing, owned, total } = coverage
  if (missing.length > 0) {
    const message = `${total - owned} of ${total} slots have no owner: ${showRanges(missing)}. Their keys are out of reach`
    found.push(problem('error', 'slots-uncovered', message, [], missing))
  }
  for (const { address, openSlots } of nodes)
    for (const state of ['migrating', 'importing'] as const) {
      const slots = toRanges(openSlots.filter((open) => open.state === state).map(({ slot }) => slot))
      if (slots.length === 0) continue
      const message = `${address} is ${state} ${showRanges(slots)}. If no move is under way, one was left: fix closes them`
      found.push(problem('error', 'slots-open', message, [address], slots))
    }
  return found
}

function ofNodes(nodes: readonly NodeStatus[]): Problem[] {
  return nodes.flatMap((node) => {
    const { address, flags } = node
    const found: Problem[] = []
    const failing = flags.filter((flag) => ['fail', 'fail?', 'noaddr'].includes(flag))
    if (failing.length > 0) {
      const message = `${address} is marked ${failing.join(', ')} by the other nodes`
      found.push(problem('error', 'node-failing', message, [address]))
    }
    if (!node.reachable) {
      const at = node.reachedAt === address ? '' : ` at ${node.reachedAt}`
      const message = `${address} could not be asked${at}: ${node.fault}`
      found.push(problem('error', 'node-unreachable', message, [address]))
    }
    if (node.state === 'fail')
      found.push(problem('error', 'node-not-serving', `${address} says cluster_state:fail: it refuses keys`, [address]))
    if (node.link === 'down') {
      const primary = nodes.find(({ id }) => id === node.primaryId)?.address ?? node.primaryId
      const message = `${address} has no link to its primary ${primary}: it holds old data and cannot take over well`
      found.push(problem('error', 'replica-link-down', message, [address]))
    }
    return found
  })
}

function ofPrimaries(nodes: readonly NodeStatus[]): Problem[] {
  const found: Problem[] = []
  const owners = nodes.filter(({ role, slots }) => role === 'primary' && slots > 0)
  if (owners.length < LEAST_PRIMARIES) {
    const message = `${owners.length} primaries have slots; with fewer than ${LEAST_PRIMARIES} no replica is promoted when one dies`
    found.push(problem('error', 'too-few-primaries', message, addresses(owners)))
  }
  for (const { id, address, role, slots } of nodes) {
    if (role !== 'primary') continue
    if (slots === 0) {
      const message = `${address} is a primary without slots: rebalance --use-empty gives it its share`
      found.push(problem('warning', 'primary-without-slots', message, [address]))
    } else if (!nodes.some((node) => node.primaryId === id && node.reachable)) {
      const message = `${address} has no replica: when it dies, ${slots} slots are out of reach`
      found.push(problem('warning', 'primary-without-replica', message, [address]))
    }
  }
  return found
}

/** Two primaries of one epoch may both believe that they own a slot. Replicas bear their primary's. */
function ofEpochs({ members }: Picture, nodes: readonly NodeStatus[]): Problem[] {
  const owners = nodes.filter(({ role, slots }) => role === 'primary' && slots > 0)
  const epochs = new Map<number, string[]>()
  for (const { id, address } of owners) {
    const epoch = members.find((member) => member.id === id)?.view?.self.epoch
    if (epoch !== undefined) epochs.set(epoch, [...(epochs.get(epoch) ?? []), address])
  }
  return [...epochs]
    .filter(([, same]) => same.length > 1)
    .map(([epoch, same]) => {
      const message = `${same.join(' and ')} have the same config epoch ${epoch}; nodes that see each other mend that in seconds`
      return problem('error', 'epoch-collision', message, same)
    })
}

function ofVersions(nodes: readonly NodeStatus[]): Problem[] {
  const versions = new Set(nodes.flatMap(({ version, product }) => (version ? [`${product} ${version}`] : [])))
  if (versions.size < 2) return []
  const message = `The nodes run ${[...versions].sort().join(' and ')}: a newer one's keys may be unreadable to an older one`
  return [problem('warning', 'versions-differ', message, addresses(nodes))]
}

const addresses = (nodes: readonly NodeStatus[]): readonly string[] => nodes.map(({ address }) => address)
