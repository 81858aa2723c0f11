import { SLOTS } from '../../redis/slots.ts'
import { fromRanges, type SlotRange } from './ranges.ts'

/** A slot on its way, as the node at one of its ends has marked it. */
export interface OpenSlot {
  readonly slot: number
  /** `migrating`: it is here and goes to `peer`; `importing`: it comes from there. */
  readonly state: 'migrating' | 'importing'
  readonly peer: string
}

/** One line of CLUSTER NODES: a node as another one, or it itself, sees it. */
export interface ViewedNode {
  readonly id: string
  /** Where the other nodes reach it; empty as long as it has not been told by them. */
  readonly ip: string
  readonly port: number
  readonly busPort: number
  /** As announced; empty where none is. */
  readonly hostname: string
  readonly flags: readonly string[]
  readonly isSelf: boolean
  readonly role: 'primary' | 'replica'
  /** The id of the primary that a replica follows. */
  readonly primaryId: string | undefined
  /** False when it is suspected or known to be away, has no address, or is still shaking hands. */
  readonly isWell: boolean
  readonly isMeeting: boolean
  readonly epoch: number
  readonly ranges: readonly SlotRange[]
  /** Those that the node itself has marked: nobody is told of another's. */
  readonly open: readonly OpenSlot[]
}

/** The whole cluster as one of its nodes sees it. */
export interface View {
  readonly self: ViewedNode
  readonly nodes: readonly ViewedNode[]
  /** By slot, the id of its owner. */
  readonly owners: readonly (string | undefined)[]
}

const UNWELL = ['fail', 'fail?', 'handshake', 'noaddr']

/** What CLUSTER NODES answers. */
export function readView(text: string): View {
  const nodes = text
    .split('\n')
    .filter((line) => line !== '')
    .map(readNode)
  const owners = new Array<string | undefined>(SLOTS).fill(undefined)
  for (const { id, ranges } of nodes) for (const slot of fromRanges(ranges)) owners[slot] = id
  const self = nodes.find(({ isSelf }) => isSelf)
  if (self === undefined) throw new Error(`CLUSTER NODES: expected a line of the node itself, received ${nodes.length}`)
  return { self, nodes, owners }
}

function readNode(line: string): ViewedNode {
  const [id = '', place = '', flagText = '', primary = '-', , , epoch, , ...slots] = line.split(' ')
  const [address = '', hostname = ''] = place.split(',')
  const [, ip = '', port, busPort] = /^(.*):(\d+)(?:@(\d+))?$/.exec(address) ?? []
  const flags = flagText.split(',')
  return {
    id,
    ip,
    port: Number(port ?? 0),
    busPort: Number(busPort ?? 0),
    hostname: hostname.includes('=') ? '' : hostname,
    flags,
    isSelf: flags.includes('myself'),
    role: flags.includes('slave') ? 'replica' : 'primary',
    primaryId: primary === '-' ? undefined : primary,
    isWell: !UNWELL.some((flag) => flags.includes(flag)),
    isMeeting: flags.includes('handshake'),
    epoch: Number(epoch),
    ranges: slots.filter((range) => !range.startsWith('[')).map(readRange),
    open: slots.filter((range) => range.startsWith('[')).map(readOpenSlot),
  }
}

function readRange(range: string): SlotRange {
  const [first = 0, last = first] = range.split('-').map(Number)
  return [first, last]
}

/** `[93-<-id]` comes from there, `[93->-id]` goes there. */
function readOpenSlot(text: string): OpenSlot {
  const [, slot = '', arrow = '', peer = ''] = /^\[(\d+)-([<>])-([^\]]+)\]$/.exec(text) ?? []
  return { slot: Number(slot), state: arrow === '<' ? 'importing' : 'migrating', peer }
}

/** Who is what and owns what, of the nodes in `ids`, as text: the same for two nodes that agree. */
export function opinion(view: View, ids: ReadonlySet<string>): string {
  return view.nodes
    .filter(({ id }) => ids.has(id))
    .map(({ id, role, primaryId, isWell, ranges }) =>
      [id, role, primaryId ?? '-', isWell ? 'well' : 'unwell', ranges.join(' ')].join(' '),
    )
    .sort()
    .join('\n')
}

/** The view to believe: of a node that most others know, since one that was taken out knows only itself; then the latest news. */
export function mostTrusted(views: readonly View[]): View | undefined {
  const fame = ({ self }: View) => views.filter(({ nodes }) => nodes.some(({ id }) => id === self.id)).length
  const news = ({ nodes }: View) => Math.max(...nodes.map(({ epoch }) => epoch))
  return [...views].sort((a, b) => fame(b) - fame(a) || news(b) - news(a))[0]
}
