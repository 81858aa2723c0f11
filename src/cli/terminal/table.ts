import type { Colour, Paint } from './paint.ts'

/** A text, with a colour or without. */
export type Cell = string | { readonly text: string; readonly colour: Colour }

export interface Column {
  readonly title: string
  /** Numbers stand to the right. Default left. */
  readonly align?: 'left' | 'right'
}

const textOf = (cell: Cell): string => (typeof cell === 'string' ? cell : cell.text)

/** Rows under their titles, each column as wide as its widest cell; columns that are empty throughout are left out. */
export function table(columns: readonly Column[], rows: readonly (readonly Cell[])[], paint: Paint): string {
  const used = columns.map((_, i) => rows.some((row) => textOf(row[i] ?? '') !== ''))
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...rows.map((row) => [...textOf(row[i] ?? '')].length)),
  )
  const line = (cells: readonly Cell[]) =>
    cells
      .map((cell, i) => ({ cell, width: widths[i] ?? 0, isRight: columns[i]?.align === 'right', isUsed: used[i] }))
      .filter(({ isUsed }) => isUsed)
      .map(({ cell, width, isRight }, i, all) => pad(cell, width, isRight, i === all.length - 1, paint))
      .join('  ')
      .trimEnd()
  const titles = columns.map(({ title }): Cell => ({ text: title, colour: 'dim' }))
  return [titles, ...rows].map(line).join('\n')
}

function pad(cell: Cell, width: number, isRight: boolean, isLast: boolean, paint: Paint): string {
  const text = textOf(cell)
  const shown = typeof cell === 'string' ? text : paint(cell.colour, text)
  // Nothing behind the last column, so that a line is no longer than what it says.
  const space = ' '.repeat(isLast && !isRight ? 0 : Math.max(0, width - [...text].length))
  return isRight ? `${space}${shown}` : `${shown}${space}`
}
