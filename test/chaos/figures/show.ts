import type { FiguresStory } from './story.ts'

/** As lines of a table. */
export function showFigures({ tried, found, lost, trials, faults, problems }: FiguresStory): readonly string[] {
  const list = Object.entries(faults).map(([name, count]) => `${count} ${name}`)
  const rows = [
    ['counted', `${found} of ${tried} that were tried`],
    ['not there', `${lost}, of processes that were killed and servers that forgot`],
    ['trials', `${trials} while a breaker was half-open`],
    ['faults', list.join(', ')],
    ['broken promises', String(problems.length)],
  ] as const
  const lines = rows.map(([name, words]) => `${name.padEnd(22)} ${words}`)
  return [...lines, ...problems.slice(0, 20).map((problem) => `  ${problem}`)]
}
