import type { Topology } from './sites.ts'
import { type QueueStory, queueStory } from './story.ts'

export const TOPOLOGIES: readonly Topology[] = ['standalone', 'sentinel', 'cluster']

/** So short that faults outlast it, and long enough for a busy machine. */
const LEASE_MS = 1_500
const RATE = 500

/** `npm run chaos -- --queue` on one topology: so many jobs, and faults for as long as they are added. */
export function longStory(
  topology: Topology,
  options: { readonly jobs: number; readonly workers: number; readonly seed: number },
  say: (line: string) => void,
): Promise<QueueStory> {
  return queueStory({ topology, ...options, goesOn: true, leaseMs: LEASE_MS, rate: RATE }, say)
}

/** As lines of a table. */
export function showStory(story: QueueStory): string[] {
  const list = (counts: Readonly<Record<string, number>>) =>
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ') || 'none'
  const rows: [string, string][] = [
    [
      'acknowledged',
      `${story.acknowledged} adds, ${story.firm} on every replica; ${story.unsure} more of which nobody knows; ${story.full} calls refused by a full server`,
    ],
    ['ran to their end', `${story.ran}, and ${story.dead['given-up'] ?? 0} gave up, as they were made to`],
    ['more often than once', list(story.twice)],
    ['ends refused', `${story.refused}, by those who had lost their lease; ${story.stale} accepted from such`],
    ['buried by crashes', `${story.redriven}, and given another life`],
    ['forgotten by servers', `${list(story.forgotten)}, of ${story.forgettable} that may be`],
    ['faults', list(story.faults)],
    ['broken promises', String(story.problems.length)],
  ]
  const lines = rows.map(([name, words]) => `${name.padEnd(22)} ${words}`)
  return [...lines, ...story.problems.slice(0, 20).map((problem) => `  ${problem}`)]
}
