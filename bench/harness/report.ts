import type { Measured } from './rounds.ts'

/** One row of a report: what was measured, against what, and what DESIGN asks for. */
export interface Row {
  readonly scenario: string
  readonly contender: string
  readonly figure: string
  readonly ratio?: number
  readonly ratioRange?: readonly [number, number]
  readonly target?: string
  readonly reached?: boolean
}

export function rowsOf(
  scenario: string,
  measured: readonly Measured[],
  targets: Record<string, number> = {},
): readonly Row[] {
  return measured.map(({ name, perSecond, cpuMicros, ratio, ratioRange }) => {
    const target = targets[name]
    return {
      scenario,
      contender: name,
      figure: `${thousands(perSecond)}/s, ${cpuMicros.toFixed(2)} µs CPU`,
      ratio,
      ratioRange,
      ...(target === undefined ? {} : { target: `≥ ${target}`, reached: ratio >= target }),
    }
  })
}

/** The rows as a table for people, or as JSON with `--json`. */
export function report(title: string, rows: readonly Row[]): void {
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ title, node: process.version, rows }, null, 2))
    return
  }
  const cells = rows.map(({ scenario, contender, figure, ratio, ratioRange, target, reached }) => [
    scenario,
    contender,
    figure,
    ratio === undefined
      ? ''
      : `${ratio.toFixed(2)}${ratioRange === undefined ? '' : ` (${ratioRange[0].toFixed(2)}–${ratioRange[1].toFixed(2)})`}`,
    target ?? '',
    reached === undefined ? '' : reached ? 'reached' : 'short',
  ])
  const head = ['scenario', 'contender', 'figure (median)', 'ratio (range)', 'target', '']
  const widths = head.map((word, i) => Math.max(word.length, ...cells.map((row) => (row[i] as string).length)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] as number))
      .join('  ')
      .trimEnd()
  console.log(`\n${title}\n\n${line(head)}\n${widths.map((width) => '─'.repeat(width)).join('  ')}`)
  let last = ''
  for (const row of cells) {
    console.log(line([row[0] === last ? '' : (row[0] as string), ...row.slice(1)]))
    last = row[0] as string
  }
}

function thousands(value: number): string {
  return value >= 1e6
    ? `${(value / 1e6).toFixed(2)}M`
    : value >= 1e3
      ? `${(value / 1e3).toFixed(1)}k`
      : value.toFixed(0)
}
