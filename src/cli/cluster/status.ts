import { type ClusterStatus, type NodeStatus, showRanges } from '../../ops/cluster/index.ts'
import type { Context } from '../context.ts'
import type { ServerFlags } from '../flags.ts'
import { bytes, count, plural, short } from '../terminal/figures.ts'
import type { Paint } from '../terminal/paint.ts'
import { type Cell, type Column, table } from '../terminal/table.ts'
import { withAdmin } from './with-admin.ts'

export async function status(this: Context, flags: ServerFlags): Promise<void> {
  const terminal = this.terminal(flags)
  const found = await withAdmin(this, flags, (admin) => admin.status())
  if (flags.json) terminal.json(found)
  else terminal.data(showStatus(found, terminal.paint))
}

const COLUMNS: readonly Column[] = [
  { title: 'NODE' },
  { title: 'ID' },
  { title: 'ROLE' },
  { title: 'SLOTS', align: 'right' },
  { title: 'RANGES' },
  { title: 'KEYS', align: 'right' },
  { title: 'MEMORY', align: 'right' },
  { title: 'LINK' },
  { title: 'BEHIND', align: 'right' },
  { title: 'VERSION' },
  { title: 'STATE' },
]

export function showStatus(found: ClusterStatus, paint: Paint): string {
  const { nodes, coverage, state, keys, disagreement } = found
  const of = (role: NodeStatus['role']) => nodes.filter((node) => node.role === role).length
  const parts = [
    `${count(coverage.owned)} of ${count(coverage.total)} slots`,
    plural(of('primary'), 'primary').replace('primarys', 'primaries'),
    plural(of('replica'), 'replica'),
    plural(keys, 'key'),
  ]
  const head = `${paint('bold', 'Cluster')} ${paint(state === 'ok' ? 'green' : 'red', state)}: ${parts.join(', ')}`
  const lack = disagreement === undefined ? [] : [paint('yellow', `The nodes disagree: ${disagreement}`)]
  return [head, ...lack, '', table(COLUMNS, nodes.map(rowOf), paint)].join('\n')
}

function rowOf(node: NodeStatus): readonly Cell[] {
  const { address, id, role, slots, ranges, keys, memoryBytes, link, lagBytes, version, openSlots } = node
  const open = openSlots.length > 0 ? `, ${openSlots.length} open` : ''
  return [
    role === 'primary' ? address : `  ${address}`,
    { text: id.slice(0, 8), colour: 'dim' },
    { text: role, colour: role === 'primary' ? 'cyan' : 'dim' },
    role === 'primary' ? count(slots) : '',
    role === 'primary' ? `${short(showRanges(ranges), 34)}${open}` : '',
    keys === undefined ? '' : count(keys),
    memoryBytes === undefined ? '' : bytes(memoryBytes),
    link === undefined ? '' : { text: link, colour: link === 'up' ? 'green' : 'red' },
    lagBytes === undefined ? '' : bytes(lagBytes),
    version ?? '',
    stateOf(node),
  ]
}

function stateOf({ reachable, state, flags }: NodeStatus): Cell {
  const bad = flags.filter((flag) => ['fail', 'fail?', 'noaddr', 'handshake'].includes(flag))
  if (!reachable) return { text: ['unreachable', ...bad].join(' '), colour: 'red' }
  if (bad.length > 0) return { text: bad.join(' '), colour: 'red' }
  return { text: state ?? '', colour: state === 'ok' ? 'green' : 'red' }
}
