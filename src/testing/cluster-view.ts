/** One line of CLUSTER NODES. */
export interface ViewedNode {
  readonly id: string
  readonly port: number
  /** As announced; empty when none is. */
  readonly hostname: string
  readonly isPrimary: boolean
  /** Id of the primary that a replica follows. */
  readonly primaryId: string | undefined
  /** False when it is suspected or known to be away, has no address, or has not yet been shaken hands with. */
  readonly isWell: boolean
  readonly epoch: number
  readonly slots: readonly (readonly [first: number, last: number])[]
}

/** The whole cluster as one of its nodes sees it. */
export interface ClusterView {
  /** Of the node that sees it so. */
  readonly port: number
  readonly nodes: readonly ViewedNode[]
  /** True while a handshake is under way. */
  readonly isMeeting: boolean
  /** The highest config epoch that the node has heard of: who has the higher one knows later news. */
  readonly epoch: number
}

export const SLOTS = 16_384

/** A view from the text that CLUSTER NODES answers. */
export function readView(text: string): ClusterView {
  const lines = text.split('\n').filter((line) => line !== '')
  const nodes = lines.map(readNode)
  return {
    port: nodes[lines.findIndex((line) => line.includes('myself'))]?.port ?? 0,
    nodes,
    isMeeting: lines.some((line) => line.split(' ')[2]?.split(',').includes('handshake')),
    epoch: Math.max(0, ...nodes.map(({ epoch }) => epoch)),
  }
}

function readNode(line: string): ViewedNode {
  const [id = '', address = '', flags = '', primary = '-', , , epoch, , ...slots] = line.split(' ')
  const flag = new Set(flags.split(','))
  return {
    id,
    port: Number(/:(\d+)@/.exec(address)?.[1] ?? 0),
    hostname: address.split(',')[1] ?? '',
    isPrimary: flag.has('master'),
    primaryId: primary === '-' ? undefined : primary,
    isWell: !['fail', 'fail?', 'handshake', 'noaddr'].some((bad) => flag.has(bad)),
    epoch: Number(epoch),
    // In brackets are slots on their way to or from elsewhere: they still belong to whom they are listed with.
    slots: slots.filter((range) => !range.startsWith('[')).map(readRange),
  }
}

function readRange(range: string): [number, number] {
  const [first, last = first] = range.split('-').map(Number)
  return [first as number, last as number]
}

export function owns(node: ViewedNode, slot: number): boolean {
  return node.slots.some(([first, last]) => first <= slot && slot <= last)
}

export function countSlots(nodes: readonly ViewedNode[]): number {
  return nodes.flatMap(({ slots }) => slots).reduce((sum, [first, last]) => sum + last - first + 1, 0)
}

/** Who is what and owns what, as text to compare: equal for two nodes that agree about `nodes`. */
export function opinion(view: ClusterView, ports: ReadonlySet<number>): string {
  return view.nodes
    .filter(({ port }) => ports.has(port))
    .map(({ id, isPrimary, primaryId, isWell, slots, hostname }) =>
      [id, isPrimary, primaryId, isWell, slots.join(' '), hostname].join('|'),
    )
    .sort()
    .join('\n')
}

/**
 * The view to believe: of a node that most others know, since one that was taken out, or not yet in, is known to
 * itself alone; among these the one with the latest news.
 */
export function mostTrusted(views: readonly ClusterView[]): ClusterView | undefined {
  const fame = ({ port }: ClusterView) => views.filter(({ nodes }) => nodes.some((node) => node.port === port)).length
  return [...views].sort((a, b) => fame(b) - fame(a) || b.epoch - a.epoch)[0]
}
