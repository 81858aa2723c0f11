/**
 * Cells as scripts and the log write them: `12-13,45-45`, first and last of each run, ascending. A run never crosses
 * a bar of the map, since a bar has a cell of its own.
 */
export function packCells(cells: readonly number[]): string {
  let text = ''
  let first = cells[0] as number
  let last = first
  for (let i = 1; i <= cells.length; i++) {
    const cell = cells[i]
    if (cell === last + 1) last = cell
    else {
      text += text === '' ? `${first}-${last}` : `,${first}-${last}`
      first = last = cell as number
    }
  }
  return text
}

/** The cells of a packed text; undefined for one that is not of this form. */
export function unpackCells(text: string): number[] | undefined {
  if (text === '') return []
  const cells: number[] = []
  for (const run of text.split(',')) {
    const [first = Number.NaN, last = Number.NaN] = run.split('-').map(Number)
    if (!(first <= last && last - first < 1_000)) return undefined
    for (let cell = first; cell <= last; cell++) cells.push(cell)
  }
  return cells
}
