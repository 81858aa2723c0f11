import { type MoveProgress, type MoveReport, type SlotMove, showRanges } from '../../ops/cluster/index.ts'
import { plural, seconds, short } from '../terminal/figures.ts'
import { table } from '../terminal/table.ts'
import type { Terminal } from '../terminal/terminal.ts'

/** Moves of slots, planned, as a table. */
export function tellPlan(terminal: Terminal, moves: readonly SlotMove[]): void {
  if (moves.length === 0) return terminal.data('No slots would move.')
  const columns = [{ title: 'FROM' }, { title: 'TO' }, { title: 'SLOTS', align: 'right' as const }, { title: 'RANGES' }]
  const rows = moves.map(({ from, to, slots, ranges }) => [from, to, `${slots}`, short(showRanges(ranges), 50)])
  terminal.data(table(columns, rows, terminal.paint))
}

/** A line for each lot of slots that has moved. */
export function progressOn(terminal: Terminal): (progress: MoveProgress) => void {
  const startMs = performance.now()
  return ({ done, total, keys, from, to }) => {
    const percent = Math.floor((done * 100) / total)
    const passed = seconds(performance.now() - startMs)
    const line = `moving slots: ${percent} %, ${done} of ${total}, ${plural(keys, 'key')}, ${passed}  ${from} → ${to}`
    terminal.progress(line, done === total)
  }
}

export const showReport = ({ slots, keys, durationMs }: MoveReport): string =>
  `${plural(slots, 'slot')} with ${plural(keys, 'key')} in ${seconds(durationMs)}`
