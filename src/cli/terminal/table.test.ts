import { expect, it } from 'vitest'
import { painted, plain } from './paint.ts'
import { table } from './table.ts'

const COLUMNS = [{ title: 'NODE' }, { title: 'EMPTY' }, { title: 'KEYS', align: 'right' as const }, { title: 'STATE' }]

it('aligns words left and figures right, leaves empty columns out, and ends no line in spaces', () => {
  const rows = [
    ['a', '', '1,204', 'ok'],
    ['longer', '', '3', { text: 'unreachable', colour: 'red' as const }],
    ['none', '', '', ''],
  ]
  expect(table(COLUMNS, rows, plain)).toBe(
    ['NODE     KEYS  STATE', 'a       1,204  ok', 'longer      3  unreachable', 'none'].join('\n'),
  )
})

it('colours cells without moving them', () => {
  const coloured = table(COLUMNS, [['a', '', '1', { text: 'ok', colour: 'green' }]], painted)
  expect(coloured).toContain('\u001B[32mok\u001B[39m')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the very codes are looked for
  expect(coloured.replace(/\u001B\[\d+m/g, '')).toBe('NODE  KEYS  STATE\na        1  ok')
})
